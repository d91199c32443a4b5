//! Straight-line code over ask-and-replay.
//!
//! The stage's future is polled in rounds. In each round every ask that is reached takes the next number; when all
//! asks of the round have replies, the next round begins, otherwise the prompts without one go to the host. Numbering
//! by rounds makes a join safe: the same ask has the same number however many replies are there already.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use crate::bindings::palimpsest::plugin::types::Verdict;
use crate::{Failure, Outcome, Page, Prompt, Reply};

/// The replies that the host gave, and the prompts that the stage came to.
pub(crate) struct Rounds {
    replies: Vec<Result<Reply, Failure>>,
    prompts: Vec<Prompt>,
    /// How many replies this round may see.
    open: usize,
}

impl Rounds {
    pub(crate) fn new(replies: Vec<Result<Reply, Failure>>) -> Self {
        Self { replies, prompts: Vec::new(), open: 0 }
    }

    fn number(&mut self, prompt: Prompt) -> usize {
        self.prompts.push(prompt);
        self.prompts.len() - 1
    }

    fn reply(&self, number: usize) -> Option<Result<Reply, Failure>> {
        if number < self.open { self.replies.get(number).cloned() } else { None }
    }
}

/// Runs a stage as far as its replies reach.
pub(crate) fn drive(
    stage: impl Future<Output = Result<Outcome, String>>,
    page: &Page<'_>,
) -> Result<Verdict, String> {
    let mut stage = pin!(stage);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(outcome) = stage.as_mut().poll(&mut context) {
            return outcome.map(|outcome| match outcome {
                Outcome::Emit(drafts) => Verdict::Emit(drafts),
                Outcome::Drop(reason) => Verdict::Drop(reason),
            });
        }
        let mut rounds = page.rounds.borrow_mut();
        let reached = rounds.prompts.len();
        if reached == rounds.open {
            return Err("the stage waits for something that is no prompt".to_owned());
        }
        if rounds.replies.len() == rounds.open {
            let open = rounds.open;
            let asked = rounds.prompts.split_off(open);
            return Ok(Verdict::Ask(asked));
        }
        if rounds.replies.len() < reached {
            return Err("the stage asked for more than it did when it was called before".to_owned());
        }
        rounds.open = reached;
    }
}

pub(crate) struct Ask<'a> {
    rounds: &'a RefCell<Rounds>,
    prompt: Option<Prompt>,
    number: usize,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(rounds: &'a RefCell<Rounds>, prompt: Prompt) -> Self {
        Self { rounds, prompt: Some(prompt), number: 0 }
    }
}

impl Future for Ask<'_> {
    type Output = Result<Reply, Failure>;

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(prompt) = self.prompt.take() {
            let number = self.rounds.borrow_mut().number(prompt);
            self.number = number;
        }
        self.rounds.borrow().reply(self.number).map_or(Poll::Pending, Poll::Ready)
    }
}

pub(crate) struct AskAll<'a> {
    asks: Vec<Ask<'a>>,
    replies: Vec<Result<Reply, Failure>>,
}

impl<'a> AskAll<'a> {
    pub(crate) fn new(rounds: &'a RefCell<Rounds>, prompts: Vec<Prompt>) -> Self {
        Self {
            asks: prompts.into_iter().map(|prompt| Ask::new(rounds, prompt)).collect(),
            replies: Vec::new(),
        }
    }
}

impl Future for AskAll<'_> {
    type Output = Vec<Result<Reply, Failure>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { asks, replies } = &mut *self;
        // All of one call are reached in one round, so either all have replies or none has.
        let known: Vec<_> = asks.iter_mut().map(|ask| Pin::new(ask).poll(context)).collect();
        for reply in known {
            let Poll::Ready(reply) = reply else { return Poll::Pending };
            replies.push(reply);
        }
        Poll::Ready(std::mem::take(replies))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use crate::testing::{Verdict, document, reply, run};
    use crate::{Draft, Outcome, Page, Stage, prompt};

    /// Asks `a` and `b` at once, then `a` once more with what it heard.
    struct Joined;

    impl Stage for Joined {
        const NAME: &'static str = "joined";
        const SUMMARY: &'static str = "asks in two rounds";
        type Settings = ();

        fn configure(_settings: ()) -> Result<Self, String> {
            Ok(Self)
        }

        async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
            let mut first = pin!(async {
                let heard =
                    page.ask(prompt("m", "a".to_owned(), 1)).await.map_err(|error| format!("{error:?}"))?;
                page.ask(prompt("m", format!("a after {}", heard.text), 1))
                    .await
                    .map_err(|error| format!("{error:?}"))
            });
            let mut second = pin!(page.ask(prompt("m", "b".to_owned(), 1)));
            let (mut left, mut right) = (None, None);
            let (left, right) = std::future::poll_fn(|context| {
                if left.is_none()
                    && let Poll::Ready(reply) = first.as_mut().poll(context)
                {
                    left = Some(reply);
                }
                if right.is_none()
                    && let Poll::Ready(reply) = second.as_mut().poll(context)
                {
                    right = Some(reply);
                }
                match (left.take(), right.take()) {
                    (Some(first), Some(second)) => Poll::Ready((first, second)),
                    (first, second) => {
                        (left, right) = (first, second);
                        Poll::Pending
                    }
                }
            })
            .await;
            let right = right.map_err(|error| format!("{error:?}"))?;
            Ok(Outcome::keep(Draft::new().text(format!("{} {}", left?.text, right.text))))
        }
    }

    fn users(verdict: Verdict) -> Vec<String> {
        let Verdict::Ask(prompts) = verdict else { panic!("asks: {verdict:?}") };
        prompts.into_iter().map(|prompt| prompt.user).collect()
    }

    #[test]
    fn joined_asks_travel_together_and_keep_their_replies() {
        let page = document("text");
        assert_eq!(users(run(&Joined, &page, &[]).unwrap()), ["a", "b"]);
        let heard = [reply("one"), reply("two")];
        assert_eq!(users(run(&Joined, &page, &heard).unwrap()), ["a after one"]);
        let heard = [reply("one"), reply("two"), reply("three")];
        let Verdict::Emit(drafts) = run(&Joined, &page, &heard).unwrap() else { panic!("emits") };
        assert_eq!(drafts[0].text.as_deref(), Some("three two"));
    }

    /// Asks for every word of the text at once, then says what it heard.
    struct Together;

    impl Stage for Together {
        const NAME: &'static str = "together";
        const SUMMARY: &'static str = "asks for all words at once";
        type Settings = ();

        fn configure(_settings: ()) -> Result<Self, String> {
            Ok(Self)
        }

        async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
            let words = page.text().split_whitespace();
            let heard = page.ask_all(words.map(|word| prompt("m", word.to_owned(), 1)).collect()).await;
            let heard: Vec<_> =
                heard.into_iter().map(|reply| reply.map_or("-".to_owned(), |reply| reply.text)).collect();
            Ok(Outcome::keep(Draft::new().text(heard.join(" "))))
        }
    }

    #[test]
    fn asks_for_several_keep_their_order_and_asks_for_none_do_not_wait() {
        let emitted = |text: &str| super::Verdict::Emit(vec![Draft::new().text(text)]);
        assert_eq!(users(run(&Together, &document("a b c"), &[]).unwrap()), ["a", "b", "c"]);
        let heard = [reply("one"), Err(crate::Failure::OverBudget), reply("three")];
        assert_eq!(run(&Together, &document("a b c"), &heard).unwrap(), emitted("one - three"));
        assert_eq!(run(&Together, &document(" "), &[]).unwrap(), emitted(""));
    }

    #[test]
    fn replies_that_end_inside_a_round_are_the_stage_s_failure() {
        let error = run(&Joined, &document("text"), &[reply("one")]).unwrap_err();
        assert!(error.contains("asked for more than it did"), "{error}");
    }
}
