//! How many calls a server can use that takes every one of them.
//!
//! A server with a queue never says that it has enough; more calls only wait longer. The sign is that its tokens per
//! second grow no further. To count what comes out of it is too slow a way to see that: replies differ tenfold in
//! length, so that a count means little before it is long. But each call tells by itself at which rate the server
//! worked while it was there: the calls under way, times its tokens, for each of its seconds (Little's law). As long as
//! the server has room, calls share it evenly and all of them tell the same; once they queue, how long a call takes has
//! little to do with its own tokens, and they contradict each other. So room that is not used, the only costly error,
//! shows after a few calls, and uncertain remains how long a queue is, which costs nothing. Hence a limit grows when
//! calls agree that it is worth it, and of two limits that are alike the smaller one is taken.
//!
//! Two things make the few calls comparable. They are compared for replies of the same length, by a straight line
//! through tokens and seconds: short replies are the first to come back from a new limit, they take long for their
//! length where prompts are long, and stages mix them. And the calls under way are counted when a call begins: in a
//! queue they are the ones that it waits for, and where calls share, later ones only make it look slower. So the
//! rate is never overestimated while the limit grows, and growing need not stop for it.

/// The part of the rate that is worth more calls. Every server comes ever closer to some rate, since each call more in
/// a batch adds less, and a step by a factor f brings `1 - 1/f` of what is missing.
const WORTH: f64 = 0.05;

/// How many standard errors a gain must stand above that: fewer on the way up for the first time, when a wrong yes
/// costs nothing yet, than later, when steps are tried again and again and one in so many would be a wrong yes.
const SURE_AT_FIRST: f64 = 1.0;
const SURE: f64 = 2.0;

/// Calls fewer than these, or than an eighth of the limit, are no sample.
const FEW: usize = 8;

/// What so many calls did not show would take very many more; or twice the limit, where that is more.
const MANY: usize = 64;

/// After a step in vain the limit rests, for twice as long after each further one, this often. At the end trials take a
/// tenth of the time; only the ones down cost anything, and only until that shows.
const LONGEST_REST: u32 = 3;

/// A limit that grows goes up by so much with each call that ends, and so doubles before half of them have.
const GROWTH: usize = 2;

/// What a finished call tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// Calls under way when it began, with itself.
    pub(super) under_way: usize,
    pub(super) tokens: u32,
    pub(super) seconds: f64,
}

/// What follows for the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Stay,
    /// A little more, within what is being tried.
    Up(usize),
    /// Another limit, about which only calls tell that begin from here on.
    To(usize),
}

#[derive(Debug)]
pub(super) struct Plateau {
    most: usize,
    phase: Phase,
    sample: Sample,
    /// The limit was found, and is only kept up to date.
    found: bool,
    /// Steps in vain since the last that was not.
    in_vain: u32,
    /// Where the next step goes.
    next: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// The limit stays until so many calls were seen.
    Rest {
        calls: usize,
    },
    Trial(Trial),
}

/// Another limit is being tried.
#[derive(Debug, Clone, Copy)]
struct Trial {
    from: usize,
    to: usize,
    /// What the limit before brought; unknown in the beginning, when everything is worth it.
    before: Option<Sample>,
    /// The number of calls after which the sample is looked at, and whether it was before.
    look: usize,
    looked: bool,
}

impl Plateau {
    /// Begins to look for the limit, at this one.
    pub(super) fn new(limit: usize, most: usize) -> Self {
        Self {
            most,
            phase: Phase::Trial(Trial::new(limit / 2, limit, None)),
            sample: Sample::default(),
            found: false,
            in_vain: 0,
            next: Direction::Up,
        }
    }

    /// Takes in a call that began since the last `To` and ended while others waited for leave to begin.
    pub(super) fn observe(&mut self, call: Call, limit: usize) -> Step {
        match self.phase {
            Phase::Rest { calls } => {
                self.sample.add(call);
                if self.sample.seen < calls { Step::Stay } else { self.set_out(limit) }
            }
            Phase::Trial(trial) => {
                if trial.is_about(call) {
                    self.sample.add(call);
                }
                if trial.look <= self.sample.seen
                    && let Some(step) = self.judge(trial)
                {
                    return step;
                }
                let reach = trial.reach().min(self.most);
                if limit < reach { Step::Up(reach.min(limit + GROWTH)) } else { Step::Stay }
            }
        }
    }

    fn set_out(&mut self, limit: usize) -> Step {
        let to = match self.next {
            Direction::Up if !self.found => limit * 2,
            Direction::Up => limit + limit.div_ceil(2),
            Direction::Down => (limit * 2 / 3).max(1),
        };
        let to = to.min(self.most);
        if to == limit {
            self.next = self.next.other();
            self.rest(limit);
            return Step::Stay;
        }
        self.try_out(limit, to);
        Step::To(limit.min(to))
    }

    fn try_out(&mut self, from: usize, to: usize) {
        let before = std::mem::take(&mut self.sample);
        self.phase = Phase::Trial(Trial::new(from, to, Some(before)));
    }

    /// Looks at what a trial has shown so far.
    fn judge(&mut self, trial: Trial) -> Option<Step> {
        match (self.verdict(trial), trial.direction()) {
            (Some(true), direction) => {
                self.in_vain = 0;
                let double = (trial.to * 2).min(self.most);
                if !self.found && trial.to < double {
                    self.try_out(trial.to, double);
                } else {
                    self.found = true;
                    self.next = direction;
                    self.rest(trial.to);
                }
                Some(Step::Stay)
            }
            (Some(false), direction) => {
                // The first no is not believed: it may have been the machine that was slow for a moment.
                self.found |= 0 < self.in_vain;
                self.in_vain = (self.in_vain + 1).min(LONGEST_REST + 1);
                self.next = if self.found { direction.other() } else { Direction::Up };
                self.sample = Sample::default();
                self.rest(trial.from);
                Some(Step::To(trial.from))
            }
            (None, Direction::Up) if !trial.looked => {
                // The calls on the way up did not settle it, so it takes calls from up there.
                self.sample = Sample::default();
                self.phase = Phase::Trial(Trial { looked: true, ..trial });
                Some(Step::To(trial.to))
            }
            (None, Direction::Up | Direction::Down) => {
                self.phase = Phase::Trial(Trial { look: trial.look * 2, looked: true, ..trial });
                None
            }
        }
    }

    /// Whether a trial was worth it, once that is clear.
    fn verdict(&self, trial: Trial) -> Option<bool> {
        let Some(before) = trial.before else { return Some(true) };
        let last = MANY.max(2 * trial.to) <= self.sample.seen;
        let (gain, error) = self.sample.against(before);
        let missing = WORTH * (1.0 - trial.from as f64 / trial.to as f64);
        match trial.direction() {
            Direction::Up => {
                let sure = if self.found { SURE } else { SURE_AT_FIRST };
                if 1.0 + missing <= gain - sure * error { Some(true) } else { last.then_some(false) }
            }
            Direction::Down => {
                // Half of it, lest several steps down add up to a loss that is worth a step up.
                let enough = 1.0 + missing / 2.0;
                if gain + 2.0 * error < enough { Some(false) } else { last.then_some(enough <= gain) }
            }
        }
    }

    fn rest(&mut self, limit: usize) {
        let times = 1 << self.in_vain.saturating_sub(1);
        self.phase = Phase::Rest { calls: times * MANY.max(4 * limit) };
    }
}

impl Direction {
    fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

impl Trial {
    fn new(from: usize, to: usize, before: Option<Sample>) -> Self {
        Self { from, to, before, look: FEW.max(to / 8), looked: false }
    }

    fn direction(&self) -> Direction {
        if self.from < self.to { Direction::Up } else { Direction::Down }
    }

    /// Whether the call began with as many under way as are being tried, or nearly.
    fn is_about(&self, call: Call) -> bool {
        self.to * 3 <= call.under_way * 5
    }

    /// Up to where the limit may grow. Until the first look it goes half a step ahead: a server with a lot of room
    /// would otherwise stand idle while a few calls of the last step are waited for.
    fn reach(&self) -> usize {
        if self.looked { self.to } else { self.to + self.to.saturating_sub(self.from) }
    }
}

/// What calls under one limit have shown: a straight line through the tokens of each, and its share of the server's
/// time, which are its seconds divided by the calls under way.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    seen: usize,
    under_way: f64,
    tokens: f64,
    share: f64,
    tokens_tokens: f64,
    tokens_share: f64,
    share_share: f64,
}

impl Sample {
    fn add(&mut self, call: Call) {
        let under_way = call.under_way as f64;
        let tokens = f64::from(call.tokens);
        let share = call.seconds / under_way;
        self.seen += 1;
        self.under_way += under_way;
        self.tokens += tokens;
        self.share += share;
        self.tokens_tokens += tokens * tokens;
        self.tokens_share += tokens * share;
        self.share_share += share * share;
    }

    /// The rate as a multiple of the one before, and the standard error of that.
    fn against(&self, before: Self) -> (f64, f64) {
        let tokens = (self.tokens + before.tokens) / (self.seen + before.seen) as f64;
        let ((now, now_variance), (then, then_variance)) = (self.time_for(tokens), before.time_for(tokens));
        let gain = then / now;
        let error = gain * (now_variance / (now * now) + then_variance / (then * then)).sqrt();
        // Calls that took no time at all tell nothing.
        if 0.0 < now && 0.0 < then && error.is_finite() { (gain, error) } else { (1.0, 0.0) }
    }

    /// The server's time for a reply of so many tokens, and the variance of that.
    fn time_for(&self, tokens: f64) -> (f64, f64) {
        let calls = self.seen as f64;
        let (mean_tokens, mean_share) = (self.tokens / calls, self.share / calls);
        let spread = (self.tokens_tokens - mean_tokens * self.tokens).max(0.0);
        let common = self.tokens_share - mean_tokens * self.share;
        // Replies of all the same length leave nothing to draw a line through, up to rounding.
        let (slope, lever) = if 1e-9 * self.tokens_tokens < spread {
            (common / spread, (tokens - mean_tokens).powi(2) / spread)
        } else {
            (0.0, 0.0)
        };
        let residues = (self.share_share - mean_share * self.share - slope * common).max(0.0);
        let of_calls = residues / (calls - 2.0) * (1.0 / calls + lever);

        // What does not depend on a reply's own length may be a queue. Then it depends on the lengths of those in it,
        // and the next call waits for the same ones: the line fits well and is wrong all the same.
        let queued = (mean_share - slope * mean_tokens).clamp(0.0, mean_share);
        let lengths = spread / (calls * mean_tokens * mean_tokens);
        let of_queue = queued * queued * lengths / (calls + self.under_way / calls);
        (mean_share + slope * (tokens - mean_tokens), of_calls + of_queue)
    }
}
