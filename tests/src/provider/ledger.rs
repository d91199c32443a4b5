//! What the provider knows of every request that arrived: the other side of a gateway's books.
//!
//! An entry is made when a request has arrived whole and is completed by what becomes of it. The ledger outlives the
//! server: whoever dies and is revived goes on in the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use crate::provider::reply::Usage;

/// The BLAKE3 hash of a body or a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub(crate) [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Enough of it to tell one from another.
    pub(crate) fn short(self) -> String {
        self.to_string().chars().take(24).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    Chat,
    /// A line of a batch, entered when the batch is done. It "arrives" without a connection.
    BatchLine,
    Models,
    Health,
    Metrics,
    Files,
    Batches,
    Unknown,
}

/// How far the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    /// It is being made or sent.
    Open,
    /// The operating system has taken all of it, and the client was still there.
    Complete,
    /// It was broken off by order.
    Cut,
    /// The client went before it was sent, or the server died.
    Gone,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The place in the ledger.
    pub number: usize,
    pub route: Route,
    pub arrived: Instant,
    /// The hash of the request's body.
    pub body: Digest,
    /// How many chat requests with this body came before.
    pub attempt: u32,
    /// The hash of the key that came with it.
    pub key: Option<Digest>,
    /// The last user message, as much as is kept.
    pub user: String,
    /// Whether it is a chat request that the limits per minute let in.
    pub accepted: bool,
    /// What it counted for in the limit of tokens.
    pub reserved: u64,
    /// The status that was answered, if one was.
    pub status: Option<u16>,
    /// What is charged for: zeros for whatever is no success.
    pub usage: Usage,
    /// In picodollars.
    pub price: u64,
    pub delivery: Delivery,
}

/// The most that any stretch of time held; each number has a stretch of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Most {
    pub requests: u64,
    /// Prompt and `max_tokens`, as they count in the limit.
    pub reserved: u64,
    /// Prompt and reply, as they are charged.
    pub used: u64,
}

/// A moment in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(usize);

/// All requests, in the order of their arrival.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    attempts: BTreeMap<Digest, u32>,
    charge: u64,
    chats: u64,
    open: usize,
    most_open: usize,
}

impl Ledger {
    /// Enters a request, whose number, place and attempt are seen to here.
    pub(crate) fn enter(&mut self, entry: Entry) -> &Entry {
        let mut entry = Entry { number: self.entries.len(), ..entry };
        if entry.route == Route::Chat {
            let attempts = self.attempts.entry(entry.body).or_default();
            entry.attempt = *attempts;
            *attempts += 1;
            self.chats += 1;
            self.open += 1;
            self.most_open = self.most_open.max(self.open);
        }
        self.charge += entry.price;
        self.entries.push(entry);
        self.entries.last().expect("it was pushed just now")
    }

    pub(crate) fn accept(&mut self, number: usize, reserved: u64) {
        if let Some(entry) = self.entries.get_mut(number) {
            entry.accepted = true;
            entry.reserved = reserved;
        }
    }

    pub(crate) fn charge_for(&mut self, number: usize, usage: Usage, price: u64) {
        if let Some(entry) = self.entries.get_mut(number) {
            entry.usage = usage;
            entry.price = price;
            self.charge += price;
        }
    }

    pub(crate) fn answer(&mut self, number: usize, status: Option<u16>) {
        if let Some(entry) = self.entries.get_mut(number) {
            entry.status = status;
        }
    }

    pub(crate) fn close(&mut self, number: usize, delivery: Delivery) {
        if let Some(entry) = self.entries.get_mut(number)
            && entry.delivery == Delivery::Open
        {
            entry.delivery = delivery;
            self.open -= usize::from(entry.route == Route::Chat);
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Chat requests.
    pub fn chats(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.route == Route::Chat)
    }

    /// How many chat requests arrived.
    pub fn requests(&self) -> u64 {
        self.chats
    }

    /// Chat requests under way, and the most that there ever were.
    pub fn open(&self) -> (usize, usize) {
        (self.open, self.most_open)
    }

    /// Of everything, in picodollars.
    pub fn charge(&self) -> u64 {
        self.charge
    }

    /// Of what was handed over completely, in picodollars.
    pub fn charge_of_complete(&self) -> u64 {
        let complete = self.entries.iter().filter(|entry| entry.delivery == Delivery::Complete);
        complete.map(|entry| entry.price).sum()
    }

    /// Of everything.
    pub fn usage(&self) -> Usage {
        self.entries.iter().fold(Usage::default(), |sum, entry| Usage {
            prompt_tokens: sum.prompt_tokens + entry.usage.prompt_tokens,
            cached_tokens: sum.cached_tokens + entry.usage.cached_tokens,
            completion_tokens: sum.completion_tokens + entry.usage.completion_tokens,
        })
    }

    /// Chat requests that were answered so.
    pub fn answered(&self, status: u16) -> u64 {
        self.chats().filter(|entry| entry.status == Some(status)).count() as u64
    }

    /// How often each body came as a chat request.
    pub fn per_body(&self) -> &BTreeMap<Digest, u32> {
        &self.attempts
    }

    /// The keys that were seen, and whether there was a request without one.
    pub fn keys(&self) -> BTreeSet<Option<Digest>> {
        self.entries.iter().filter(|entry| entry.route != Route::BatchLine).map(|entry| entry.key).collect()
    }

    pub fn mark(&self) -> Mark {
        Mark(self.entries.len())
    }

    /// What arrived after a mark.
    pub fn since(&self, mark: Mark) -> &[Entry] {
        self.entries.get(mark.0..).unwrap_or_default()
    }

    /// The bodies of chat requests and batch lines that arrived after a mark.
    pub fn bodies_since(&self, mark: Mark) -> BTreeSet<Digest> {
        bodies(self.since(mark).iter())
    }

    /// The bodies of chat requests and batch lines that were answered with a success, completely.
    pub fn bodies_answered(&self) -> BTreeSet<Digest> {
        let answered = |entry: &&Entry| entry.status == Some(200) && entry.delivery == Delivery::Complete;
        bodies(self.entries.iter().filter(answered))
    }

    /// The most chat requests and tokens that the limits let in within any such time: exact, for every place of the window.
    pub fn most_in_any_window(&self, window: Duration) -> Most {
        most(self.chats().filter(|entry| entry.accepted), window)
    }

    /// The same of all that arrived, let in or not. Those turned away count as requests alone.
    pub fn most_arrivals_in_any_window(&self, window: Duration) -> Most {
        most(self.chats(), window)
    }
}

fn bodies<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeSet<Digest> {
    let models = entries.filter(|entry| matches!(entry.route, Route::Chat | Route::BatchLine));
    models.map(|entry| entry.body).collect()
}

/// Windows are half open: what arrives exactly one window after another is in the next one.
fn most<'a>(entries: impl Iterator<Item = &'a Entry>, window: Duration) -> Most {
    let entries: Vec<_> = entries.collect();
    let (mut most, mut held) = (Most::default(), Most::default());
    let mut first = entries.iter();
    for entry in &entries {
        held.requests += 1;
        held.reserved += entry.reserved;
        held.used += entry.usage.total();
        while let Some(oldest) = first.as_slice().first()
            && window <= entry.arrived - oldest.arrived
        {
            held.requests -= 1;
            held.reserved -= oldest.reserved;
            held.used -= oldest.usage.total();
            first.next();
        }
        most.requests = most.requests.max(held.requests);
        most.reserved = most.reserved.max(held.reserved);
        most.used = most.used.max(held.used);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(arrived: Instant, body: &[u8]) -> Entry {
        Entry {
            number: 0,
            route: Route::Chat,
            arrived,
            body: Digest::of(body),
            attempt: 0,
            key: None,
            user: String::new(),
            accepted: false,
            reserved: 0,
            status: None,
            usage: Usage::default(),
            price: 0,
            delivery: Delivery::Open,
        }
    }

    /// Requests at these seconds, each of so many tokens; the most in any ten seconds.
    #[track_caller]
    fn holds(arrivals: &[(u64, u64)], requests: u64, tokens: u64) {
        let begun = Instant::now();
        let mut ledger = Ledger::default();
        for (second, tokens) in arrivals {
            let number = ledger.enter(entry(begun + Duration::from_secs(*second), b"x")).number;
            ledger.accept(number, *tokens);
            ledger.charge_for(
                number,
                Usage { prompt_tokens: *tokens - 1, completion_tokens: 1, cached_tokens: 0 },
                1,
            );
        }
        let most = ledger.most_in_any_window(Duration::from_secs(10));
        assert_eq!(most, Most { requests, reserved: tokens, used: tokens });
        assert_eq!(ledger.most_arrivals_in_any_window(Duration::from_secs(10)), most);
    }

    #[test]
    fn a_window_may_begin_anywhere_and_is_half_open() {
        holds(&[], 0, 0);
        holds(&[(0, 5)], 1, 5);
        holds(&[(0, 1), (9, 1), (10, 1)], 2, 2);
        holds(&[(0, 1), (5, 1), (9, 1), (12, 1), (14, 1), (30, 1)], 4, 4);
        holds(&[(0, 100), (20, 1), (21, 1), (22, 1), (23, 1)], 4, 100);
        holds(&[(7, 3), (7, 4), (7, 5)], 3, 12);
    }

    #[test]
    fn who_was_turned_away_is_no_load() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        ledger.enter(entry(now, b"a"));
        let number = ledger.enter(entry(now, b"b")).number;
        ledger.accept(number, 7);
        let window = Duration::from_secs(1);
        assert_eq!(ledger.most_in_any_window(window), Most { requests: 1, reserved: 7, used: 0 });
        assert_eq!(ledger.most_arrivals_in_any_window(window), Most { requests: 2, reserved: 7, used: 0 });
    }

    #[test]
    fn sums_marks_and_attempts() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        for (number, body) in ["a", "b", "a"].into_iter().enumerate() {
            let entered = ledger.enter(entry(now, body.as_bytes()));
            assert_eq!((entered.number, entered.attempt), (number, u32::from(number == 2)));
        }
        assert_eq!(ledger.open(), (3, 3));
        let mark = ledger.mark();
        ledger.enter(Entry { route: Route::Models, ..entry(now, b"") });
        ledger.enter(Entry { route: Route::BatchLine, price: 5, ..entry(now, b"c") });
        let usage = Usage { prompt_tokens: 10, cached_tokens: 5, completion_tokens: 3 };
        ledger.charge_for(0, usage, 40);
        ledger.answer(0, Some(200));
        ledger.close(0, Delivery::Complete);
        ledger.close(0, Delivery::Gone);
        ledger.answer(1, Some(429));
        ledger.close(1, Delivery::Gone);
        assert_eq!((ledger.charge(), ledger.charge_of_complete(), ledger.usage()), (45, 40, usage));
        assert_eq!((ledger.requests(), ledger.answered(429), ledger.open()), (3, 1, (1, 3)));
        assert_eq!(ledger.since(mark).len(), 2);
        assert_eq!(ledger.bodies_since(mark), BTreeSet::from([Digest::of(b"c")]));
        assert_eq!(ledger.bodies_answered(), BTreeSet::from([Digest::of(b"a")]));
        assert_eq!(ledger.per_body().get(&Digest::of(b"a")), Some(&2));
    }
}
