//! How many calls an endpoint should have under way.
//!
//! There are three ways to learn it, each for its own kind of server. Some refuse what is too much for them: then the
//! limit is cut, once for a burst of refusals, and the number that was too much is remembered. Some queue without ever
//! refusing, but count what they run and what waits: then there should be a little of a queue and no more. The others
//! only become no faster, which `plateau` finds out. How long a call took is never taken for a sign by itself: it says
//! how long the reply was.
//!
//! The module knows no clock, no server and no prompt; and it does not hold anybody back, which is the gate's.

use std::time::Duration;

use tokio::time::Instant;

use plateau::{Call, Plateau, Step};

mod plateau;

/// Enough for most small servers, and harmless to any.
const START: usize = 8;

/// After a refusal others follow that were under way already; there is no growth until they are in.
const COOLDOWN: Duration = Duration::from_secs(2);

/// The longest growth is put off, whatever a server says.
const MAX_COOLDOWN: Duration = Duration::from_secs(300);

/// Near the number that was refused, the limit grows by one after so many successes.
const SUCCESSES_A_STEP: u32 = 25;

/// How long, and for how many successes at least, a number that was refused stays out of reach. Both, so that even a
/// server that takes one call at a time refuses one in a hundred at most; and short enough that a limit that was raised
/// is found again in a few minutes.
const CEILING_STANDS: Duration = Duration::from_secs(60);
const CEILING_SUCCESSES: u32 = 100;

/// What a server said of itself is believed for so long.
const VIEW_LASTS: Duration = Duration::from_secs(15);

/// The limit of one model at one endpoint.
#[derive(Debug)]
pub(crate) struct Adaptive {
    limit: usize,
    most: usize,
    adapts: bool,
    under_way: usize,
    /// Counted up whenever calls that began before tell nothing about what comes after.
    round: u64,
    /// The round that the last cut began.
    last_cut: u64,
    /// No growth before.
    cooled: Option<Instant>,
    ceiling: Option<Ceiling>,
    view: Option<View>,
    plateau: Plateau,
}

/// What is known of a call from its beginning; to be handed back at its end, once.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct Begun {
    at: Instant,
    round: u64,
    under_way: usize,
}

/// The number of calls that a server took when it refused the next one.
#[derive(Debug)]
struct Ceiling {
    at: usize,
    since: Instant,
    /// The round that its cut began.
    cut: u64,
    /// Successes since then, and since the limit last grew.
    successes: u32,
    credit: u32,
}

/// What a server said of itself.
#[derive(Debug, Clone, Copy)]
struct View {
    at: Instant,
    queue: Queue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    /// Nothing waits, so there may be up to so many.
    Empty {
        room: usize,
    },
    Short,
    Long,
}

impl Adaptive {
    /// A limit that adapts, up to a ceiling that somebody set.
    pub(crate) fn new(ceiling: usize) -> Self {
        let most = ceiling.max(1);
        let limit = START.min(most);
        Self {
            limit,
            most,
            adapts: true,
            under_way: 0,
            round: 0,
            last_cut: 0,
            cooled: None,
            ceiling: None,
            view: None,
            plateau: Plateau::new(limit, most),
        }
    }

    /// A limit that stays, for an engine whose number of sequences is known.
    #[cfg(any(test, feature = "embedded"))]
    pub(crate) fn fixed(limit: usize) -> Self {
        let limit = limit.max(1);
        Self { limit, adapts: false, ..Self::new(limit) }
    }

    /// How many calls there should be under way; after a cut there may be more for a while.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, now: Instant) -> Begun {
        self.under_way += 1;
        Begun { at: now, round: self.round, under_way: self.under_way }
    }

    /// A call ended in a way that says nothing about how many there should be.
    pub(crate) fn abandon(&mut self, _begun: Begun) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// A call ended well, with so many tokens of reply. Only while the limit is reached and others wait for it
    /// (`saturated`) does the end of a call say anything about the limit.
    pub(crate) fn success(&mut self, begun: Begun, tokens: u32, saturated: bool, now: Instant) {
        self.abandon(begun);
        if !self.adapts || !saturated || self.cooled.is_some_and(|cooled| now < cooled) {
            return;
        }
        let queue = self.queue(now);
        if self.ceiling.is_some() {
            if queue != Some(Queue::Long) {
                self.climb(now);
            }
            return;
        }
        match queue {
            Some(Queue::Empty { room }) => self.limit = self.limit.max(room.min(self.most)),
            Some(Queue::Short | Queue::Long) => {}
            None if begun.round == self.round => {
                let seconds = now.duration_since(begun.at).as_secs_f64();
                self.learn(Call { under_way: begun.under_way, tokens, seconds });
            }
            None => {}
        }
    }

    /// A call was refused because there were too many.
    pub(crate) fn overload(&mut self, begun: Begun, retry_after: Option<Duration>, now: Instant) {
        let taken = self.under_way.saturating_sub(1);
        self.abandon(begun);
        if !self.adapts {
            return;
        }
        let cooldown = retry_after.unwrap_or(COOLDOWN).clamp(COOLDOWN, MAX_COOLDOWN);
        self.cooled = self.cooled.max(Some(now + cooldown));
        if begun.round < self.last_cut {
            // One of the burst for which the limit was cut already.
            if let Some(ceiling) = &mut self.ceiling
                && ceiling.cut == self.last_cut
            {
                ceiling.at = ceiling.at.saturating_sub(1);
            }
        } else {
            let reached = self.limit * 3 / 4 <= taken;
            self.limit = (self.limit * 3 / 4).max(1);
            self.restart();
            self.last_cut = self.round;
            // Where the limit was far from reached, the number under way is not what was too much.
            if reached {
                self.ceiling =
                    Some(Ceiling { at: taken, since: now, cut: self.round, successes: 0, credit: 0 });
            }
        }
        // A server that takes none is starting, or down, or guards another limit: nothing to remember.
        self.ceiling.take_if(|ceiling| ceiling.at == 0);
    }

    /// The server says how many calls it works on and how many wait in its queue, whoever sent them.
    pub(crate) fn metrics(&mut self, running: u64, waiting: u64, now: Instant) {
        if !self.adapts {
            return;
        }
        let queue = if waiting == 0 {
            Queue::Empty { room: self.under_way.saturating_mul(2) }
        } else if waiting <= running / 2 || running == 0 {
            Queue::Short
        } else {
            Queue::Long
        };
        if queue == Queue::Long {
            // Behind a balancer it speaks for itself only, and not for the others that share the calls.
            let servers = (self.under_way as f64 / (running as f64 + waiting as f64)).max(1.0);
            let enough = (running as f64 * 1.5 * servers).ceil() as usize;
            if enough < self.limit {
                // Half of the way, since it may have been looked at when many calls had just come in.
                self.limit = enough.midpoint(self.limit);
            }
        }
        self.view = Some(View { at: now, queue });
    }

    fn queue(&mut self, now: Instant) -> Option<Queue> {
        let view = self.view?;
        if VIEW_LASTS < now.duration_since(view.at) {
            self.view = None;
            self.restart();
            return None;
        }
        Some(view.queue)
    }

    fn learn(&mut self, call: Call) {
        match self.plateau.observe(call, self.limit) {
            Step::Stay => {}
            Step::Up(limit) => self.limit = limit,
            Step::To(limit) => {
                self.limit = limit;
                self.round += 1;
            }
        }
    }

    /// Grows below, near and, once it is old, beyond what was refused.
    fn climb(&mut self, now: Instant) {
        let Some(ceiling) = &mut self.ceiling else { return };
        ceiling.successes = ceiling.successes.saturating_add(1);
        ceiling.credit += 1;
        let near = (ceiling.at * 9).div_ceil(10);
        if near <= self.limit && ceiling.credit < SUCCESSES_A_STEP {
            return;
        }
        ceiling.credit = 0;
        let old =
            CEILING_STANDS <= now.duration_since(ceiling.since) && CEILING_SUCCESSES <= ceiling.successes;
        let most = if old { ceiling.at + (ceiling.at / 10).max(1) } else { ceiling.at };
        if self.limit < most.min(self.most) {
            self.limit += 1;
        } else if old {
            self.ceiling = None;
            self.restart();
        }
    }

    /// Looks for the limit anew, from here.
    fn restart(&mut self) {
        self.round += 1;
        self.plateau = Plateau::new(self.limit.max(START.min(self.most)), self.most);
    }
}

#[cfg(test)]
mod tests;
