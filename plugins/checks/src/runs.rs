//! Runs of words: how much of a text is there before, and the longest run that two texts share. Words are whatever the
//! caller makes of them, as numbers.

use std::collections::{BTreeMap, BTreeSet};

/// The share of the runs of `run` words that stood in the text before. Nothing for texts of fewer than ten runs, where a
/// refrain of two is a fifth.
#[must_use]
pub fn repeated(words: &[u32], run: usize) -> f64 {
    const FEWEST: usize = 10;
    let runs = words.len().saturating_sub(run - 1);
    if runs < FEWEST {
        return 0.0;
    }
    let different = words.windows(run).collect::<BTreeSet<_>>().len();
    share(runs - different, runs)
}

/// The share that `part` is of `whole`.
#[must_use]
pub fn share(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "lengths of one text are far below 2^52")]
    let share = part as f64 / whole.max(1) as f64;
    share
}

/// Places of one pair of words that are looked at: a text that repeats a pair more often is bounded by it.
const MOST_PLACES: usize = 32;

/// The length in words of the longest run that stands in both, and where it begins in the second. Linear, because pairs of
/// words are rare and pairs that are not are looked at only so often.
#[must_use]
pub fn longest_common(first: &[u32], second: &[u32]) -> (usize, usize) {
    let mut pairs: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
    for (at, pair) in first.windows(2).enumerate() {
        if let &[one, two] = pair {
            let places = pairs.entry((one, two)).or_default();
            if places.len() < MOST_PLACES {
                places.push(at);
            }
        }
    }
    let (mut longest, mut begins) = (0, 0);
    let mut before: Vec<(usize, usize)> = Vec::new();
    for (at, pair) in second.windows(2).enumerate() {
        let &[one, two] = pair else { continue };
        let places = pairs.get(&(one, two)).map(Vec::as_slice).unwrap_or_default();
        let now: Vec<(usize, usize)> = places
            .iter()
            .map(|&place| {
                let run = before.iter().find(|(last, _)| last + 1 == place).map_or(0, |(_, run)| *run);
                (place, run + 1)
            })
            .collect();
        for &(_, run) in &now {
            if longest < run + 1 {
                (longest, begins) = (run + 1, at + 1 - run);
            }
        }
        before = now;
    }
    (longest, begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_run_is_found() {
        let check = |first: &[u32], second: &[u32], expected| {
            assert_eq!(longest_common(first, second), expected, "{first:?} {second:?}");
        };
        check(&[1, 2, 3, 4, 5], &[9, 2, 3, 4, 8], (3, 1));
        check(&[1, 2, 3], &[1, 2, 3], (3, 0));
        check(&[1, 2, 1, 2, 3], &[7, 1, 2, 3], (3, 1));
        check(&[1], &[1], (0, 0));
        check(&[], &[], (0, 0));
    }

    #[test]
    fn repetition_is_a_share() {
        let circle: Vec<u32> = (0..50).map(|at| at % 5).collect();
        assert!(repeated(&circle, 4) > 0.8);
        assert_eq!(repeated(&(0..50).collect::<Vec<_>>(), 4), 0.0);
        assert_eq!(repeated(&[1, 1, 1, 1, 1], 4), 0.0);
    }

    #[test]
    fn one_word_over_and_over_takes_no_time() {
        let same = vec![1; 200_000];
        assert!(longest_common(&same, &same).0 >= MOST_PLACES);
    }
}
