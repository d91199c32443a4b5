//! Numbers that look random and can be had again.

use std::time::SystemTime;

/// A generator of them (Marsaglia's xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    /// Other numbers in every run of the tests, unless PALIMPSEST_SEED is set to what one of them printed.
    #[expect(clippy::disallowed_methods, reason = "every run of the test throws other dice")]
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("PALIMPSEST_SEED").map_or(now, |seed| seed.parse().unwrap());
        println!("PALIMPSEST_SEED={seed} does the same again, as far as the machine does");
        Self::of(seed)
    }

    /// Always the same numbers.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
