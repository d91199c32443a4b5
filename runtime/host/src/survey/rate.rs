//! How often something occurs per million words, and how sure that is.
//!
//! Words of one page are not independent: a text that delves once delves again. So the interval is the wider of two: the
//! Wilson score interval, which takes every word for itself and is right where there are few hits, and the bootstrap over
//! pages, which draws whole pages and is right where there are many. The bootstrap is the one that streams: each page is
//! given a Poisson weight in every replicate (Chamandy et al. 2012, "Estimating uncertainty for massive data streams"),
//! drawn from the page's id, so that the same pages give the same interval in any order.

/// Enough for percentiles at both ends of 95 % that are five replicates deep.
const REPLICATES: usize = 200;
/// Of a normal distribution, for 95 %.
const Z: f64 = 1.959_964;
const MILLION: f64 = 1e6;

/// Counts of many pages.
#[derive(Debug, Clone)]
pub struct Rate {
    pages: u64,
    words: u64,
    hits: u64,
    /// Words and hits of each replicate.
    replicates: Vec<(u64, u64)>,
}

/// A rate per million words with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub rate: f64,
    pub low: f64,
    pub high: f64,
}

impl Default for Rate {
    fn default() -> Self {
        Self { pages: 0, words: 0, hits: 0, replicates: vec![(0, 0); REPLICATES] }
    }
}

impl Rate {
    pub(super) fn add(&mut self, page: &str, words: u64, hits: u64) {
        self.pages += 1;
        add(&mut self.words, words);
        add(&mut self.hits, hits);
        let mut draws = blake3::Hasher::new().update(page.as_bytes()).finalize_xof();
        let mut bytes = [0; REPLICATES * 2];
        draws.fill(&mut bytes);
        let (pairs, _) = bytes.as_chunks::<2>();
        for (replicate, draw) in self.replicates.iter_mut().zip(pairs) {
            let weight = poisson(u16::from_le_bytes(*draw));
            add(&mut replicate.0, words.saturating_mul(weight));
            add(&mut replicate.1, hits.saturating_mul(weight));
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        add(&mut self.pages, other.pages);
        add(&mut self.words, other.words);
        add(&mut self.hits, other.hits);
        for (sum, more) in self.replicates.iter_mut().zip(&other.replicates) {
            add(&mut sum.0, more.0);
            add(&mut sum.1, more.1);
        }
    }

    pub fn pages(&self) -> u64 {
        self.pages
    }

    pub fn words(&self) -> u64 {
        self.words
    }

    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// Without words there is no rate: it is 0, and could be anything.
    pub fn interval(&self) -> Interval {
        if self.words == 0 {
            return Interval { rate: 0.0, low: 0.0, high: MILLION };
        }
        let (words, hits) = (self.words as f64, self.hits as f64);
        let (low, high) = wilson(hits, words);
        let mut drawn: Vec<f64> = self
            .replicates
            .iter()
            .filter(|(words, _)| 0 < *words)
            .map(|(words, hits)| *hits as f64 / *words as f64)
            .collect();
        drawn.sort_unstable_by(f64::total_cmp);
        let tail = drawn.len() / 40;
        let drawn_low = drawn.get(tail).copied().unwrap_or(low);
        let drawn_high = drawn.iter().rev().nth(tail).copied().unwrap_or(high);
        Interval {
            rate: hits / words * MILLION,
            low: low.min(drawn_low) * MILLION,
            high: high.max(drawn_high) * MILLION,
        }
    }
}

/// Whole numbers, so that no order matters; and rows that others wrote may claim any.
fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// A draw of the Poisson distribution with mean 1, from a number drawn evenly.
fn poisson(draw: u16) -> u64 {
    let mut left = (f64::from(draw) + 0.5) / 65536.0;
    let mut probability = (-1.0_f64).exp();
    let mut count = 0;
    while probability <= left && count < 8 {
        left -= probability;
        count += 1;
        probability /= count as f64;
    }
    count
}

/// Wilson (1927), "Probable inference, the law of succession, and statistical inference".
fn wilson(hits: f64, trials: f64) -> (f64, f64) {
    let share = hits / trials;
    let shrink = 1.0 + Z * Z / trials;
    let middle = (share + Z * Z / (2.0 * trials)) / shrink;
    let half =
        Z / shrink * (share * (1.0 - share) / trials + Z * Z / (4.0 * trials * trials)).max(0.0).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(pages: &[(u64, u64)]) -> Rate {
        let mut rate = Rate::default();
        for (number, (words, hits)) in pages.iter().enumerate() {
            rate.add(&number.to_string(), *words, *hits);
        }
        rate
    }

    #[test]
    fn wilson_s_interval_is_the_published_one() {
        // 10 of 20: 0.2993 to 0.7007; 0 of 10: 0 to 0.2775.
        let close = |is: (f64, f64), low: f64, high: f64| {
            assert!((is.0 - low).abs() < 5e-5 && (is.1 - high).abs() < 5e-5, "{is:?}");
        };
        close(wilson(10.0, 20.0), 0.2993, 0.7007);
        close(wilson(0.0, 10.0), 0.0, 0.2775);
    }

    #[test]
    fn weights_have_the_mean_and_the_variance_of_poisson() {
        let (sum, squares) = (0..=u16::MAX).fold((0.0, 0.0), |(sum, squares), draw| {
            let weight = poisson(draw) as f64;
            (sum + weight, squares + weight * weight)
        });
        let mean = sum / 65536.0;
        assert!((mean - 1.0).abs() < 1e-3, "{mean}");
        assert!((squares / 65536.0 - mean * mean - 1.0).abs() < 1e-2);
    }

    #[test]
    fn hits_that_come_together_are_less_sure() {
        let spread = rate(&[(1000, 1); 100]).interval();
        let mut pages = [(1000, 0); 100];
        (pages[3].1, pages[60].1) = (50, 50);
        let together = rate(&pages).interval();
        assert_eq!(spread.rate, together.rate);
        assert!(together.high - together.low > 2.0 * (spread.high - spread.low), "{spread:?} {together:?}");
        assert!(together.low < together.rate && together.rate < together.high);
    }

    #[test]
    fn nothing_found_is_not_nothing_there() {
        let none = rate(&[(1000, 0); 10]).interval();
        assert_eq!((none.rate, none.low), (0.0, 0.0));
        assert!((300.0..500.0).contains(&none.high), "{none:?}");
        assert_eq!(Rate::default().interval().high, 1e6);
    }

    #[test]
    fn what_rows_claim_is_never_too_much() {
        let much = rate(&[(u64::MAX, 1), (u64::MAX, u64::MAX)]);
        let mut both = much.clone();
        both.merge(&much);
        assert_eq!((both.pages(), both.words()), (4, u64::MAX));
        assert!(both.interval().low <= both.interval().high);
    }

    #[test]
    fn small_pages_count_among_many_words() {
        let (mut first, mut last) = (Rate::default(), Rate::default());
        first.add("small", 100, 7);
        first.add("large", 1 << 40, 0);
        last.add("large", 1 << 40, 0);
        last.add("small", 100, 7);
        assert_eq!(first.replicates, last.replicates);
        assert!(first.replicates.iter().any(|(words, _)| words % (1 << 40) != 0));
    }

    #[test]
    fn the_interval_holds_the_truth_nineteen_times_in_twenty() {
        // Pages of 200 words, one in ten about it, 5 hits each: a rate of 2500.
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let holds = (0..200).filter(|_| {
            let mut rate = Rate::default();
            for _ in 0..200 {
                let id = next().to_string();
                rate.add(&id, 200, if next() % 10 == 0 { 5 } else { 0 });
            }
            let Interval { low, high, .. } = rate.interval();
            (low..=high).contains(&2500.0)
        });
        let holds = holds.count();
        assert!((180..=200).contains(&holds), "{holds} of 200");
    }
}
