//! How a model is, and how a prompt has fared with it: what the decision about a failed call needs to know.

use std::time::Duration;

use tokio::time::Instant;

use crate::llm::breaker::LONGEST_PAUSE;
use crate::llm::retry::{Standing, Trouble};

/// The first prompts tell whether the pipeline asks in a way that the server understands.
const FIRST_PROMPTS: u32 = 50;
/// More refusals than this among them are not about single prompts: one in five.
const MAX_FIRST_REFUSED: u32 = 10;

/// How a model has been.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Since the last success: the first failure, and how many prompts have met one.
    ill_since: Option<Instant>,
    ailing: u32,
    last_failure: Option<Instant>,
    last_success: Option<Instant>,
    /// Of the first prompts.
    judged: u32,
    refused: u32,
}

/// How a prompt has fared so far.
#[derive(Debug, Default)]
pub(super) struct Tries {
    pub(super) faults: u32,
    /// Outputs of the model that its server could not read.
    pub(super) outputs: u32,
    pub(super) turned_away: u32,
    last_fault: Option<Instant>,
    /// Without the time in line.
    pub(super) waited: Duration,
}

/// What a decision takes as given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) patience: Duration,
    pub(super) first_wait: Duration,
    /// From 0 to 1.
    pub(super) dice: f64,
}

impl Tries {
    /// Calls that brought nothing, which tells the dice of the next one apart from those before.
    pub(super) fn number(&self) -> u32 {
        self.faults.saturating_add(self.turned_away)
    }
}

impl Health {
    /// Writes a failure down and says how prompt and model stand after it.
    pub(super) fn standing(
        &mut self,
        trouble: &Trouble,
        tries: &mut Tries,
        Terms { patience, first_wait, dice }: Terms,
        now: Instant,
    ) -> Standing {
        // Nobody asked in the meantime: what was then says nothing about today. A server that is known to be broken is
        // asked now and then.
        let idle = patience.max(2 * LONGEST_PAUSE);
        if self.last_failure.is_none_or(|last| idle < now - last) {
            self.recover();
        }
        self.last_failure = Some(now);
        let others_well = tries.last_fault.zip(self.last_success).is_some_and(|(then, well)| then < well);
        match trouble {
            Trouble::Busy { .. } | Trouble::Unreachable(_) => tries.turned_away += 1,
            Trouble::Output(_) => tries.outputs += 1,
            Trouble::Fault { .. } | Trouble::Late(_) => {
                self.ailing += u32::from(tries.faults == 0);
                tries.faults += 1;
                tries.last_fault = Some(now);
            }
            Trouble::Filtered(_) | Trouble::Prompt(_) | Trouble::Final(_) => {}
        }
        let ill_since = *self.ill_since.get_or_insert(now);
        Standing {
            faults: tries.faults,
            outputs: tries.outputs,
            others_well,
            turned_away: tries.turned_away,
            waited: tries.waited,
            ill_for: now - ill_since,
            ailing: self.ailing,
            patience,
            first_wait,
            dice,
        }
    }

    /// A server that answers is well, whatever it answers.
    pub(super) fn answered(&mut self, now: Instant) {
        self.recover();
        self.last_success = Some(now);
        self.judged = self.judged.saturating_add(1);
    }

    /// The server does not take a request. Whether so many of the first ones were refused that it is not about single
    /// prompts.
    pub(super) fn refused(&mut self) -> bool {
        self.refused = self.refused.saturating_add(1);
        self.judged <= FIRST_PROMPTS && MAX_FIRST_REFUSED < self.refused
    }

    /// How long the model has answered nobody.
    pub(super) fn ill_for(&self, now: Instant) -> Duration {
        self.ill_since.map_or(Duration::ZERO, |since| now - since)
    }

    fn recover(&mut self) {
        self.ill_since = None;
        self.ailing = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Ward {
        health: Health,
        now: Instant,
    }

    impl Ward {
        fn new() -> Self {
            Self { health: Health::default(), now: Instant::now() }
        }

        fn fault(&mut self, tries: &mut Tries) -> Standing {
            let trouble = Trouble::Fault { says: String::new(), worked: false };
            let terms = Terms { patience: 100 * SECOND, first_wait: SECOND, dice: 0.5 };
            self.health.standing(&trouble, tries, terms, self.now)
        }

        #[track_caller]
        fn fails(&mut self, ill_for: Duration, ailing: u32) {
            let standing = self.fault(&mut Tries::default());
            assert_eq!((standing.ill_for, standing.ailing), (ill_for, ailing));
        }
    }

    #[test]
    fn a_model_is_ill_from_its_first_failure_to_its_next_success() {
        let mut ward = Ward::new();
        ward.fails(Duration::ZERO, 1);
        ward.now += 60 * SECOND;
        ward.fails(60 * SECOND, 2);
        ward.now += 60 * SECOND;
        ward.fails(120 * SECOND, 3);
        ward.health.answered(ward.now);
        ward.fails(Duration::ZERO, 1);
    }

    #[test]
    fn a_prompt_that_fails_while_others_are_answered_is_the_one_to_blame() {
        let mut ward = Ward::new();
        let mut tries = Tries::default();
        assert!(!ward.fault(&mut tries).others_well);
        ward.now += SECOND;
        let again = ward.fault(&mut tries);
        assert_eq!((again.others_well, again.faults, again.ailing), (false, 2, 1));
        ward.now += SECOND;
        ward.health.answered(ward.now);
        ward.now += SECOND;
        assert!(ward.fault(&mut tries).others_well);
        ward.now += SECOND;
        assert!(!ward.fault(&mut tries).others_well);
    }

    #[test]
    fn a_model_that_nobody_asks_does_not_get_worse() {
        let mut ward = Ward::new();
        ward.fails(Duration::ZERO, 1);
        ward.now += 101 * SECOND;
        ward.fails(Duration::ZERO, 1);
    }

    #[test]
    fn refusals_count_at_the_beginning_only() {
        let mut health = Health::default();
        for number in 0..=MAX_FIRST_REFUSED {
            health.answered(Instant::now());
            assert_eq!(health.refused(), number == MAX_FIRST_REFUSED);
        }
        let mut later = Health { judged: FIRST_PROMPTS, ..Health::default() };
        for _ in 0..100 {
            later.answered(Instant::now());
            assert!(!later.refused());
        }
    }
}
