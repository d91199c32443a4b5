//! Rates: how often a phrase occurs in a million words, how sure that is, and how it compares with a time before.
//!
//! Counts in, values out: nothing here knows a plugin, a page or a file, so a report calls it over rows and a stage calls it
//! over nothing. Two intervals are offered, because words are no coins: [`wilson`] takes every word for a toss of its own, and
//! is too narrow where one document says a phrase twenty times; [`Bootstrap`] draws documents anew and is not.

use std::collections::BTreeMap;

const MILLION: f64 = 1e6;

/// The normal deviate of a 95 % interval.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Models that write wrote little of the web before this month: ChatGPT was released in November 2022, and FineWeb's
/// authors find the rates flat until the crawls of early 2023.
pub const BASELINE_UNTIL: &str = "2022-12";

/// Phrases found in so many words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub hits: u64,
    pub words: u64,
}

/// Between which values something lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// How many times a rate is another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    pub ratio: f64,
    pub interval: Interval,
}

impl Count {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { hits: self.hits.saturating_add(other.hits), words: self.words.saturating_add(other.words) }
    }
}

impl std::iter::Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Self::plus)
    }
}

/// Hits in a million words; 0 of no words.
#[must_use]
pub fn per_million(count: Count) -> f64 {
    if count.words == 0 { 0.0 } else { count.hits as f64 / count.words as f64 * MILLION }
}

/// Wilson's score interval of the rate, in hits per million words. None of no words.
#[must_use]
pub fn wilson(count: Count, z: f64) -> Option<Interval> {
    if count.words == 0 {
        return None;
    }
    let words = count.words as f64;
    // A phrase has several words, but no text has more hits than words.
    let share = (count.hits as f64 / words).min(1.0);
    let square = z * z;
    let middle = (share + square / (2.0 * words)) / (1.0 + square / words);
    let half =
        z / (1.0 + square / words) * (share * (1.0 - share) / words + square / (4.0 * words * words)).sqrt();
    // Where nothing was found the two are equal, up to rounding.
    let low = if count.hits == 0 { 0.0 } else { (middle - half).max(0.0) };
    Some(Interval { low: low * MILLION, high: (middle + half).min(1.0) * MILLION })
}

/// The rate of `later` over that of `baseline`, with the interval of a ratio of two Poisson rates on the logarithmic scale.
/// Half a hit is added to both, so that a phrase that one of them never says has a ratio too. None where either has no words.
#[must_use]
pub fn ratio(later: Count, baseline: Count, z: f64) -> Option<Ratio> {
    if later.words == 0 || baseline.words == 0 {
        return None;
    }
    let (above, below) = (later.hits as f64 + 0.5, baseline.hits as f64 + 0.5);
    let ratio = (above / later.words as f64) / (below / baseline.words as f64);
    let deviation = (1.0 / above + 1.0 / below).sqrt();
    let interval = Interval { low: ratio * (-z * deviation).exp(), high: ratio * (z * deviation).exp() };
    Some(Ratio { ratio, interval })
}

/// A group of documents that are measured together.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// A month, `2026-10`, or what else a dump is called by; empty where it is not known.
    pub period: String,
    pub language: String,
    pub host_class: String,
}

/// Counts by group.
#[derive(Debug, Clone, Default)]
pub struct Table(BTreeMap<Group, Count>);

impl Table {
    pub fn add(&mut self, group: Group, count: Count) {
        let place = self.0.entry(group).or_default();
        *place = place.plus(count);
    }

    /// The groups in order, each with what was found in it.
    pub fn groups(&self) -> impl Iterator<Item = (&Group, Count)> {
        self.0.iter().map(|(group, count)| (group, *count))
    }

    /// Groups that `of` makes the same, counted together: `Group { period, ..Group::default() }` for the curve over time.
    #[must_use]
    pub fn by(&self, of: impl Fn(&Group) -> Group) -> Self {
        let mut table = Self::default();
        for (group, count) in self.groups() {
            table.add(of(group), count);
        }
        table
    }

    /// All periods up to this one together, those without a name left out. Periods compare as texts: months do.
    #[must_use]
    pub fn baseline(&self, until: &str) -> Count {
        self.groups()
            .filter(|(group, _)| !group.period.is_empty() && group.period.as_str() <= until)
            .map(|(_, count)| count)
            .sum()
    }
}

/// The bootstrap over documents: in each round every document is drawn as often as Poisson's law with mean 1 says, which is
/// what drawing n of n comes to, and needs no document twice. How often depends on the seed, the document's id and the round,
/// so the interval is the same in whatever order documents come, and memory does not grow with them.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    seed: u64,
    rounds: Vec<Count>,
}

impl Bootstrap {
    /// A thousand rounds make a good 95 % interval; each costs some nanoseconds for each document.
    #[must_use]
    pub fn new(rounds: usize, seed: u64) -> Self {
        Self { seed, rounds: vec![Count::default(); rounds] }
    }

    /// Counts a document.
    pub fn add(&mut self, id: &str, count: Count) {
        let mut state = id.bytes().fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        for round in &mut self.rounds {
            let times = poisson(split_mix(&mut state));
            round.hits = round.hits.saturating_add(count.hits.saturating_mul(times));
            round.words = round.words.saturating_add(count.words.saturating_mul(times));
        }
    }

    /// Between which rates per million words the middle `confidence` of the rounds lie. None without rounds or words.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let mut rates: Vec<f64> =
            self.rounds.iter().filter(|round| round.words != 0).copied().map(per_million).collect();
        rates.sort_unstable_by(f64::total_cmp);
        let last = rates.len().checked_sub(1)?;
        let outside = (1.0 - confidence.clamp(0.0, 1.0)) / 2.0;
        let at = |share: f64| rates.get((share * last as f64).round() as usize).copied();
        Some(Interval { low: at(outside)?, high: at(1.0 - outside)? })
    }
}

/// How often a document is drawn, for a number that is evenly spread.
fn poisson(random: u64) -> u64 {
    let mut left = (random >> 11) as f64 / (1_u64 << 53) as f64;
    let mut chance = (-1.0_f64).exp();
    let mut times = 0;
    // What is left after 20 draws is below the smallest number that `left` can be.
    while chance <= left && times < 20 {
        left -= chance;
        times += 1;
        chance /= times as f64;
    }
    times
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(hits: u64, words: u64) -> Count {
        Count { hits, words }
    }

    #[track_caller]
    fn check(interval: Option<Interval>, low: f64, high: f64) {
        let found = interval.unwrap();
        let near = |found: f64, wanted: f64| (found - wanted).abs() <= 2e-4 * wanted.max(1e-9);
        assert!(near(found.low, low) && near(found.high, high), "{found:?}");
    }

    #[test]
    fn rates_are_hits_in_a_million_words() {
        assert!((per_million(count(3, 200_000)) - 15.0).abs() < 1e-9);
        assert!(per_million(count(0, 0)).abs() < 1e-9);
        let sum: Count = [count(1, 10), count(2, 30)].into_iter().sum();
        assert_eq!(sum, count(3, 40));
    }

    #[test]
    fn wilson_says_what_the_textbook_says() {
        // 10 of 100 at 95 %: 5.52 % to 17.44 %; none of 100: 0 to 3.70 %.
        check(wilson(count(10, 100), Z_95), 55_229.0, 174_366.0);
        check(wilson(count(0, 100), Z_95), 0.0, 36_994.0);
        check(wilson(count(100, 100), Z_95), 963_006.0, 1_000_000.0);
        assert_eq!(wilson(count(0, 0), Z_95), None);
        assert!(wilson(count(5, 3), Z_95).unwrap().high <= 1e6);
    }

    #[test]
    fn ratios_have_an_interval_even_of_nothing() {
        let doubled = ratio(count(2000, 1_000_000), count(1000, 1_000_000), Z_95).unwrap();
        assert!(
            (doubled.ratio - 2.0).abs() < 0.01 && doubled.interval.low < 2.0 && 1.84 < doubled.interval.low
        );
        let new = ratio(count(10, 1000), count(0, 1000), Z_95).unwrap();
        assert!(new.ratio > 20.0 && new.interval.low > 1.0 && new.interval.high.is_finite(), "{new:?}");
        assert_eq!(ratio(count(1, 0), count(1, 1), Z_95), None);
        assert_eq!(ratio(count(1, 1), count(1, 0), Z_95), None);
    }

    #[test]
    fn the_bootstrap_is_wilson_where_documents_are_alike_and_wider_where_they_are_not() {
        let interval = |documents: &[Count]| {
            let mut bootstrap = Bootstrap::new(1000, 7);
            for (number, document) in documents.iter().enumerate() {
                bootstrap.add(&format!("document {number}"), *document);
            }
            bootstrap.interval(0.95).unwrap()
        };
        let alike: Vec<Count> = (0..4000).map(|number| count(u64::from(number % 40 == 0), 500)).collect();
        let clumped: Vec<Count> =
            (0..4000).map(|number| count(if number % 800 == 0 { 20 } else { 0 }, 500)).collect();
        let total: Count = alike.iter().copied().sum();
        assert_eq!(total, clumped.iter().copied().sum());
        let width = |interval: Interval| interval.high - interval.low;
        let exact = width(wilson(total, Z_95).unwrap());
        assert!((0.85..1.15).contains(&(width(interval(&alike)) / exact)), "{:?} {exact}", interval(&alike));
        assert!(2.0 < width(interval(&clumped)) / exact, "{:?} {exact}", interval(&clumped));
        let mut reversed = Bootstrap::new(1000, 7);
        for (number, document) in alike.iter().enumerate().rev() {
            reversed.add(&format!("document {number}"), *document);
        }
        assert_eq!(reversed.interval(0.95), Some(interval(&alike)), "in any order");
        assert_eq!(Bootstrap::new(10, 1).interval(0.95), None);
        assert_eq!(Bootstrap::new(0, 1).interval(0.95), None);
    }

    #[test]
    fn draws_follow_poissons_law() {
        let mut state = 1;
        let mut seen = [0_u32; 21];
        for _ in 0..100_000 {
            seen[poisson(split_mix(&mut state)) as usize] += 1;
        }
        for (times, share) in [(0, 0.367_88), (1, 0.367_88), (2, 0.183_94), (3, 0.061_31)] {
            let found = f64::from(seen[times]) / 100_000.0;
            assert!((found - share).abs() < 0.006, "{times}: {found}");
        }
        assert_eq!(poisson(0), 0);
        assert!((15..20).contains(&poisson(u64::MAX)), "{}", poisson(u64::MAX));
    }

    #[test]
    fn groups_are_added_up_as_asked() {
        let group = |period: &str, language: &str| Group {
            period: period.to_owned(),
            language: language.to_owned(),
            host_class: "com".to_owned(),
        };
        let mut table = Table::default();
        table.add(group("2024-05", "en"), count(7, 100));
        table.add(group("2021-01", "en"), count(1, 100));
        table.add(group("2021-01", "de"), count(2, 50));
        table.add(group("2021-01", "en"), count(1, 100));
        table.add(group("", "en"), count(100, 100));
        assert_eq!(table.baseline(BASELINE_UNTIL), count(4, 250));
        let curve = table.by(|group| Group { period: group.period.clone(), ..Group::default() });
        let told: Vec<_> = curve.groups().map(|(group, count)| (group.period.as_str(), count)).collect();
        assert_eq!(told, [("", count(100, 100)), ("2021-01", count(4, 250)), ("2024-05", count(7, 100))]);
    }
}
