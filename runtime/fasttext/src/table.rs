//! A hash table of numbers that costs the same whatever a hostile file puts into it.

/// At half a table's room, four thousand neighbours are no accident.
const MAX_PROBES: usize = 4096;

const EMPTY: u32 = u32::MAX;

/// Too many entries in one place.
#[derive(Debug)]
pub(crate) struct Crowded;

/// From 32-bit hashes to numbers; what the numbers stand for is the caller's, who says which of two are the same.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    slots: Vec<(u32, u32)>,
    shift: u32,
}

impl Table {
    /// A table for at most so many entries.
    pub(crate) fn with_room(entries: usize) -> Self {
        let size = (entries.max(8) * 2).next_power_of_two();
        Self { slots: vec![(0, EMPTY); size], shift: 64 - size.trailing_zeros() }
    }

    pub(crate) fn find(&self, hash: u32, same: impl Fn(u32) -> bool) -> Option<u32> {
        self.places(hash)
            .map(|place| self.slots[place])
            .take_while(|&(_, number)| number != EMPTY)
            .find(|&(other, number)| other == hash && same(number))
            .map(|(_, number)| number)
    }

    /// Puts `number` in; an entry that is the same gives way.
    pub(crate) fn insert(
        &mut self,
        hash: u32,
        number: u32,
        same: impl Fn(u32) -> bool,
    ) -> Result<(), Crowded> {
        let place = self.places(hash).find(|&place| {
            let (other, taken) = self.slots[place];
            taken == EMPTY || (other == hash && same(taken))
        });
        self.slots[place.ok_or(Crowded)?] = (hash, number);
        Ok(())
    }

    fn places(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        // The golden ratio spreads hashes whose low bits are alike.
        let first = (u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize;
        let mask = self.slots.len() - 1;
        (0..MAX_PROBES.min(self.slots.len())).map(move |step| (first + step) & mask)
    }
}
