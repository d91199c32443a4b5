//! A model server and those who ask it, simulated event by event: slots that share the machine, a queue before them
//! that is served in order, or a number of calls above which it refuses.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::super::{Adaptive, Begun};

/// How long a refusal takes.
const REFUSAL: f64 = 0.05;

/// A fast machine's tokens per second for a call that is alone.
const ALONE: f64 = 50.0;

#[derive(Debug, Clone, Copy)]
pub(super) struct Server {
    pub(super) slots: usize,
    pub(super) cap: usize,
    /// Tokens per second with so many calls in the batch, as a multiple of one.
    pub(super) curve: fn(f64) -> f64,
    /// What a prompt takes, in tokens of reply.
    pub(super) prompt: f64,
    pub(super) lengths: Lengths,
    /// Others use the machine, too: its speed wanders between all and half.
    pub(super) shared: bool,
    /// It says every second how many calls run and wait.
    pub(super) speaks: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Lengths {
    /// 20 to 600 tokens.
    Even,
    /// Half of them labels, half of them texts.
    Mixed,
}

/// What was seen over a stretch of time.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) tokens: f64,
    pub(super) seconds: f64,
    pub(super) sent: usize,
    pub(super) refused: usize,
    pub(super) served: f64,
    pub(super) highest: usize,
}

impl Seen {
    pub(super) fn rate(&self) -> f64 {
        self.tokens / self.seconds
    }

    /// Calls being served, on average.
    pub(super) fn under_way(&self) -> f64 {
        self.served / self.seconds
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) adaptive: Adaptive,
    pub(super) server: Server,
    /// Prompts that have not been answered; without end unless said otherwise.
    pub(super) prompts: usize,
    under_way: usize,
    dice: Dice,
    begun: Instant,
    now: f64,
    second: f64,
    speed: f64,
    /// Tokens that a call has got if it was in a slot all the time.
    progress: f64,
    /// Calls in slots, by the progress at which they end.
    slots: BinaryHeap<Reverse<(u64, usize)>>,
    queue: VecDeque<usize>,
    refusals: VecDeque<(f64, Begun)>,
    calls: Vec<(Begun, u32)>,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Second,
    Reply,
    Refusal,
}

impl World {
    pub(super) fn new(adaptive: Adaptive, server: Server, seed: u64) -> Self {
        Self {
            adaptive,
            server,
            prompts: usize::MAX,
            under_way: 0,
            dice: Dice::new(seed),
            begun: Instant::now(),
            now: 0.0,
            second: 0.0,
            speed: 1.0,
            progress: 0.0,
            slots: BinaryHeap::new(),
            queue: VecDeque::new(),
            refusals: VecDeque::new(),
            calls: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.begun + Duration::from_secs_f64(self.now)
    }

    /// Runs until so many more replies are there.
    pub(super) fn replies(&mut self, replies: usize) -> Seen {
        let mut left = replies;
        self.run(|event| {
            left -= usize::from(matches!(event, Event::Reply));
            left == 0
        })
    }

    pub(super) fn seconds(&mut self, seconds: usize) -> Seen {
        let mut left = seconds;
        self.run(|event| {
            left -= usize::from(matches!(event, Event::Second));
            left == 0
        })
    }

    fn run(&mut self, mut over: impl FnMut(Event) -> bool) -> Seen {
        let mut seen = Seen::default();
        loop {
            self.send(&mut seen);
            let speed = self.speed();
            let (at, event) = self.next(speed);
            seen.seconds += at - self.now;
            seen.served += self.slots.len() as f64 * (at - self.now);
            self.progress += (at - self.now) * speed;
            self.now = at;
            match event {
                Event::Second => self.tick(),
                Event::Reply => seen.tokens += self.reply(),
                Event::Refusal => self.refuse(),
            }
            seen.highest = seen.highest.max(self.adaptive.limit());
            if over(event) {
                return seen;
            }
        }
    }

    fn send(&mut self, seen: &mut Seen) {
        while self.under_way < self.adaptive.limit() && 0 < self.prompts {
            let begun = self.adaptive.begin(self.now());
            self.under_way += 1;
            seen.sent += 1;
            if self.server.cap <= self.slots.len() + self.queue.len() {
                seen.refused += 1;
                self.refusals.push_back((self.now + REFUSAL, begun));
                continue;
            }
            self.prompts -= 1;
            self.calls.push((begun, self.dice.length(self.server.lengths)));
            self.queue.push_back(self.calls.len() - 1);
            self.admit();
        }
    }

    fn admit(&mut self) {
        while self.slots.len() < self.server.slots
            && let Some(id) = self.queue.pop_front()
        {
            let end = self.progress + self.server.prompt + f64::from(self.calls[id].1);
            self.slots.push(Reverse(((end * 1e6) as u64, id)));
        }
    }

    /// Tokens per second of each call in a slot.
    fn speed(&self) -> f64 {
        let calls = self.slots.len().max(1) as f64;
        ALONE * (self.server.curve)(calls) / calls * self.speed
    }

    fn next(&self, speed: f64) -> (f64, Event) {
        let mut next = (self.second, Event::Second);
        if let Some(Reverse((end, _))) = self.slots.peek() {
            let at = self.now + (*end as f64 / 1e6 - self.progress).max(0.0) / speed;
            next = if at < next.0 { (at, Event::Reply) } else { next };
        }
        if let Some(&(at, _)) = self.refusals.front() {
            next = if at < next.0 { (at, Event::Refusal) } else { next };
        }
        next
    }

    fn tick(&mut self) {
        self.second += 1.0;
        if self.server.shared {
            self.speed = (self.speed * (0.9 + 0.2 * self.dice.roll())).clamp(0.5, 1.0);
        }
        if self.server.speaks {
            let now = self.now();
            self.adaptive.metrics(self.slots.len() as u64, self.queue.len() as u64, now);
        }
    }

    fn reply(&mut self) -> f64 {
        let Reverse((_, id)) = self.slots.pop().unwrap();
        self.admit();
        let (begun, tokens) = self.calls[id];
        let saturated = self.adaptive.limit() <= self.under_way && 0 < self.prompts;
        self.under_way -= 1;
        self.adaptive.success(begun, tokens, saturated, self.now());
        f64::from(tokens)
    }

    fn refuse(&mut self) {
        let (_, begun) = self.refusals.pop_front().unwrap();
        self.under_way -= 1;
        self.adaptive.overload(begun, None, self.now());
    }
}

/// Xorshift: different for each seed, always the same for one.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From 0 to 1.
    pub(super) fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn length(&mut self, lengths: Lengths) -> u32 {
        let dice = self.roll();
        match lengths {
            Lengths::Even => 20 + (dice * 581.0) as u32,
            Lengths::Mixed if self.roll() < 0.5 => 5 + (dice * 10.0) as u32,
            Lengths::Mixed => 100 + (dice * 700.0) as u32,
        }
    }
}
