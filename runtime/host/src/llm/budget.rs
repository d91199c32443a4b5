//! What calls may cost: reserved at the worst before each, booked as it was after it.
//!
//! A call that was sent and never answered may have been paid for, so it is booked at its worst, apart from what is
//! known. The caps hold for the sum of all that: what was paid never passes them, whatever happens to the run. Money is
//! counted in whole picodollars, a million of which make up a microdollar: prices per million tokens are then whole
//! numbers for each token.

use std::collections::VecDeque;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::config::{BudgetTable, PriceTable};

/// In a dollar.
const PICODOLLARS: f64 = 1e12;

/// What calls took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) requests: u64,
    pub(crate) tokens: u64,
    pub(crate) picodollars: u64,
}

/// What was spent: what is known, and calls at their worst whose costs will never be known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) known: Cost,
    pub(crate) lost: Cost,
}

/// What a model's tokens cost, in picodollars each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Price {
    input: u64,
    cached_input: u64,
    output: u64,
    /// In a batch, in thousandths of the price.
    batch: u64,
}

/// The tokens of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    /// Of the prompt, what the server had in its cache.
    pub(crate) cached: u64,
    pub(crate) completion: u64,
}

impl Price {
    pub(crate) fn new(table: &PriceTable) -> Self {
        // Dollars per million tokens are as many microdollars per token.
        let each = |dollars: f64| (dollars * PICODOLLARS / 1e6).round() as u64;
        Self {
            input: each(table.input),
            cached_input: each(table.cached_input.unwrap_or(table.input)),
            output: each(table.output),
            batch: (table.batch.unwrap_or(1.0) * 1e3).round() as u64,
        }
    }

    /// Picodollars.
    pub(crate) fn of(&self, usage: Usage) -> u64 {
        let cached = usage.cached.min(usage.prompt);
        let fresh = (usage.prompt - cached).saturating_mul(self.input);
        fresh
            .saturating_add(cached.saturating_mul(self.cached_input))
            .saturating_add(usage.completion.saturating_mul(self.output))
    }

    /// The same in a batch.
    pub(crate) fn in_batch(&self, usage: Usage) -> u64 {
        self.share(self.of(usage))
    }

    /// The most that such a call can cost in a batch.
    pub(crate) fn at_most_in_batch(&self, usage: Usage) -> u64 {
        self.share(self.at_most(usage))
    }

    fn share(&self, picodollars: u64) -> u64 {
        // Rounded up, so that a cap is not passed by a fraction.
        u64::try_from((u128::from(picodollars) * u128::from(self.batch)).div_ceil(1000)).unwrap_or(u64::MAX)
    }

    /// The most that such a call can cost: whether the cache is the dearer one is the provider's business.
    pub(crate) fn at_most(&self, usage: Usage) -> u64 {
        let input = self.input.max(self.cached_input);
        usage.prompt.saturating_mul(input).saturating_add(usage.completion.saturating_mul(self.output))
    }
}

pub(crate) fn dollars(picodollars: u64) -> f64 {
    picodollars as f64 / PICODOLLARS
}

impl AddAssign for Cost {
    fn add_assign(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.picodollars = self.picodollars.saturating_add(more.picodollars);
    }
}

impl Cost {
    pub(crate) fn less(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            tokens: self.tokens.saturating_sub(other.tokens),
            picodollars: self.picodollars.saturating_sub(other.picodollars),
        }
    }
}

/// The caps; none where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Caps {
    requests: Option<u64>,
    tokens: Option<u64>,
    picodollars: Option<u64>,
}

impl Caps {
    pub(crate) fn new(table: &BudgetTable) -> Self {
        Self {
            requests: table.max_requests.map(Into::into),
            tokens: table.max_tokens.map(Into::into),
            // Down, for the same reason for which batches are rounded up.
            picodollars: table.max_usd.map(|dollars| (dollars * PICODOLLARS).floor() as u64),
        }
    }

    /// The key of the first cap that this passes.
    pub(crate) fn passed(&self, cost: Cost) -> Option<&'static str> {
        let passed = |cap: Option<u64>, value: u64| cap.is_some_and(|cap| cap < value);
        if passed(self.picodollars, cost.picodollars) {
            Some("budget.max_usd")
        } else if passed(self.requests, cost.requests) {
            Some("budget.max_requests")
        } else if passed(self.tokens, cost.tokens) {
            Some("budget.max_tokens")
        } else {
            None
        }
    }
}

/// No call fits into the budget any more; which key says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverBudget(pub(crate) &'static str);

/// The budget of all calls of a run.
#[derive(Debug)]
pub(crate) struct Budget {
    caps: Caps,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    spent: Spent,
    reserved: Cost,
    over: Option<OverBudget>,
    /// Whoever waits for others' reservations to become costs, in the order of asking.
    waiting: VecDeque<(Cost, oneshot::Sender<Result<Reservation, OverBudget>>)>,
}

/// Leave to spend so much at most. Dropped without a word it was not spent, unless a call was sent on it.
#[derive(Debug)]
pub(crate) struct Reservation {
    /// None once it is booked.
    budget: Option<Arc<Budget>>,
    worst: Cost,
    sent: bool,
}

impl Budget {
    /// `spent` is what was spent before this run.
    pub(crate) fn new(caps: Caps, spent: Spent) -> Self {
        Self { caps, books: Mutex::new(Books { spent, ..Books::default() }) }
    }

    /// Waits until so much may be spent. Calls under way usually cost less than their worst, so as long as there are
    /// any, what does not fit now may fit later.
    pub(crate) async fn reserve(self: &Arc<Self>, worst: Cost) -> Result<Reservation, OverBudget> {
        let granted = {
            let mut books = self.books();
            if let Some(over) = books.over {
                return Err(over);
            }
            if books.waiting.is_empty() {
                match self.look(&mut books, worst) {
                    Some(Ok(())) => return Ok(self.reservation(worst)),
                    Some(Err(over)) => return Err(over),
                    None => {}
                }
            }
            let (grant, granted) = oneshot::channel();
            books.waiting.push_back((worst, grant));
            granted
        };
        granted.await.expect("the budget answers whoever waits, and is kept by them")
    }

    fn reservation(self: &Arc<Self>, worst: Cost) -> Reservation {
        Reservation { budget: Some(Arc::clone(self)), worst, sent: false }
    }

    /// Whether so much fits now, never, or perhaps later.
    fn look(&self, books: &mut Books, worst: Cost) -> Option<Result<(), OverBudget>> {
        let mut sum = books.spent.known;
        sum += books.spent.lost;
        sum += books.reserved;
        sum += worst;
        match self.caps.passed(sum) {
            None => {
                books.reserved += worst;
                Some(Ok(()))
            }
            Some(cap) if books.reserved == Cost::default() => {
                books.over = Some(OverBudget(cap));
                Some(Err(OverBudget(cap)))
            }
            Some(_) => None,
        }
    }

    /// Gives back a reservation and books what became of it, then lets those in whom there is room for now.
    fn settle(self: &Arc<Self>, worst: Cost, cost: Spent) {
        let mut answers = Vec::new();
        {
            let mut books = self.books();
            books.reserved = books.reserved.less(worst);
            books.spent.known += cost.known;
            books.spent.lost += cost.lost;
            while let Some((wanted, _)) = books.waiting.front() {
                let wanted = *wanted;
                let gone = books.waiting.front().is_none_or(|(_, grant)| grant.is_closed());
                let looked = if gone { None } else { self.look(&mut books, wanted) };
                let answer = match looked {
                    None if gone => None,
                    None => break,
                    Some(answer) => Some(answer),
                };
                let waiting = books.waiting.pop_front();
                answers.extend(waiting.zip(answer).map(|((_, grant), answer)| (grant, answer, wanted)));
            }
        }
        // Outside of the lock: whoever has left in the meantime gives its reservation back in here.
        for (grant, answer, wanted) in answers {
            drop(grant.send(answer.map(|()| self.reservation(wanted))));
        }
    }

    /// What was spent so far.
    pub(crate) fn spent(&self) -> Spent {
        self.books().spent
    }

    /// The same in words.
    pub(crate) fn says(&self) -> String {
        let Spent { known, lost } = self.spent();
        let unsure = if lost == Cost::default() {
            String::new()
        } else {
            format!(
                ", and at most ${:.2} for calls that are still out or were lost",
                dollars(lost.picodollars)
            )
        };
        let (requests, tokens) = (known.requests, known.tokens);
        format!("{requests} requests, {tokens} tokens, ${:.2}{unsure}", dollars(known.picodollars))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Books what it cost.
    pub(crate) fn spend(self, cost: Cost) {
        self.settle(Spent { known: cost, lost: Cost::default() });
    }

    /// Books a cost that is only estimated: what it may have been more is lost.
    pub(crate) fn spend_about(self, cost: Cost) {
        let lost = Cost { requests: 0, ..self.worst.less(cost) };
        self.settle(Spent { known: cost, lost });
    }

    /// The call is on its way: what becomes of it unseen may have been paid for.
    pub(crate) fn send(&mut self) {
        self.sent = true;
    }

    /// Books that nobody knows whether it was paid for: only the request is certain.
    pub(crate) fn lose(self) {
        let lost = lost(self.worst);
        self.settle(lost);
    }

    fn settle(mut self, cost: Spent) {
        if let Some(budget) = self.budget.take() {
            budget.settle(self.worst, cost);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(budget) = self.budget.take() {
            budget.settle(self.worst, if self.sent { lost(self.worst) } else { Spent::default() });
        }
    }
}

/// Only that it was a request is certain.
fn lost(worst: Cost) -> Spent {
    let known = Cost { requests: worst.requests, ..Cost::default() };
    Spent { known, lost: Cost { requests: 0, ..worst } }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn budget(dollars: f64) -> Arc<Budget> {
        let table = BudgetTable { max_usd: Some(dollars), ..BudgetTable::default() };
        Arc::new(Budget::new(Caps::new(&table), Spent::default()))
    }

    fn cost(cents: u64) -> Cost {
        Cost { requests: 1, tokens: 10, picodollars: cents * 10_000_000_000 }
    }

    #[tokio::test]
    async fn a_call_that_was_sent_and_forgotten_counts_at_its_worst() {
        let budget = budget(1.0);
        drop(budget.reserve(cost(60)).await.unwrap());
        assert_eq!(budget.spent(), Spent::default());
        let mut sent = budget.reserve(cost(60)).await.unwrap();
        sent.send();
        drop(sent);
        assert_eq!(budget.spent().lost, Cost { requests: 0, ..cost(60) });
    }

    #[test]
    fn prices_are_exact() {
        #[track_caller]
        fn check(table: PriceTable, usage: (u64, u64, u64), picodollars: u64, in_batch: u64) {
            let (prompt, cached, completion) = usage;
            let usage = Usage { prompt, cached, completion };
            let price = Price::new(&table);
            assert_eq!((price.of(usage), price.in_batch(usage)), (picodollars, in_batch));
        }
        let plain = PriceTable { input: 0.1, cached_input: None, output: 0.4, batch: None };
        check(plain, (1, 0, 0), 100_000, 100_000);
        check(plain, (1, 1, 1), 500_000, 500_000);
        check(plain, (u64::MAX, 0, 0), u64::MAX, u64::MAX);
        let full = PriceTable { input: 0.15, cached_input: Some(0.0375), output: 0.6, batch: Some(0.5) };
        check(full, (1_000_000, 400_000, 0), 105_000_000_000, 52_500_000_000);
        check(full, (10, 99, 0), 375_000, 187_500);
        // The cache may be dearer: providers charge for writing into it.
        let dear = Price::new(&PriceTable { input: 1.0, cached_input: Some(1.25), output: 0.0, batch: None });
        assert_eq!(dear.at_most(Usage { prompt: 4, cached: 0, completion: 9 }), 5_000_000);
    }

    #[tokio::test]
    async fn what_does_not_fit_waits_for_others_to_cost_less() {
        let budget = budget(1.0);
        let first = budget.reserve(cost(60)).await.unwrap();
        let mut second = Box::pin(budget.reserve(cost(50)));
        assert!((&mut second).now_or_never().is_none());
        // It would fit, and it is not its turn.
        let mut third = Box::pin(budget.reserve(cost(1)));
        assert!((&mut third).now_or_never().is_none());
        first.spend(cost(30));
        let second = second.now_or_never().unwrap().unwrap();
        let third = third.now_or_never().unwrap().unwrap();
        second.spend(cost(50));
        drop(third);
        budget.reserve(cost(20)).await.unwrap().lose();
        assert_eq!(budget.spent().lost, Cost { requests: 0, ..cost(20) });
        assert_eq!(budget.spent().known, Cost { requests: 3, tokens: 20, picodollars: 800_000_000_000 });
    }

    #[tokio::test]
    async fn the_cap_is_reached_when_nobody_can_make_room() {
        let budget = budget(1.0);
        let first = budget.reserve(cost(60)).await.unwrap();
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.reserve(cost(50)).await.map(drop) }
        });
        tokio::task::yield_now().await;
        first.spend(cost(60));
        assert_eq!(waiting.await.unwrap(), Err(OverBudget("budget.max_usd")));
        // From then on nobody goes on, however little it wants: a run that stops has one end.
        assert!(budget.reserve(cost(1)).await.is_err());
    }

    #[tokio::test]
    async fn whoever_leaves_makes_room() {
        let budget = budget(1.0);
        let first = budget.reserve(cost(60)).await.unwrap();
        let mut leaves = Box::pin(budget.reserve(cost(90)));
        assert!((&mut leaves).now_or_never().is_none());
        let mut granted_and_leaves = Box::pin(budget.reserve(cost(80)));
        assert!((&mut granted_and_leaves).now_or_never().is_none());
        let mut stays = Box::pin(budget.reserve(cost(70)));
        assert!((&mut stays).now_or_never().is_none());
        drop(leaves);
        drop(first);
        assert!((&mut stays).now_or_never().is_none());
        drop(granted_and_leaves);
        assert!(stays.now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn requests_and_tokens_have_caps_too() {
        let some = std::num::NonZeroU64::new(15);
        for (table, key) in [
            (
                BudgetTable { max_requests: std::num::NonZeroU64::new(1), ..BudgetTable::default() },
                "max_requests",
            ),
            (BudgetTable { max_tokens: some, ..BudgetTable::default() }, "max_tokens"),
        ] {
            let budget = Arc::new(Budget::new(Caps::new(&table), Spent::default()));
            budget.reserve(cost(0)).await.unwrap().spend(cost(0));
            let over = budget.reserve(cost(0)).await.unwrap_err();
            assert_eq!(over.0, format!("budget.{key}"));
        }
    }
}
