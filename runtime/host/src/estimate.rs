//! What a run would ask of models, from what a sample of its pages asks: values in, values out.
//!
//! A sampled page stands for the bytes of its archive from the page before to its own end, so that the sum over all
//! archives is a ratio: what the sampled pages ask, to their bytes, times all bytes. How far that may be off is found by
//! drawing the sample from itself again and again (the bootstrap; Efron, 1979, <https://doi.org/10.1214/aos/1176344552>).

use std::collections::BTreeMap;

use serde::Serialize;

/// Enough that the ends of an interval of nine in ten do not depend on the dice.
const DRAWS: usize = 2000;
/// The interval leaves out so much on each side.
const TAIL: f64 = 0.05;

/// What something asks of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    pub requests: u64,
    pub prompt_tokens: u64,
    /// As many as replies are expected to have.
    pub completion_tokens: u64,
    /// As many as they may have.
    pub most_completion_tokens: u64,
}

/// A page of the sample.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Of the archive, compressed as it is, from the page before to the end of this one.
    pub bytes: u64,
    /// By the model's name in the pipeline.
    pub demands: BTreeMap<String, Demand>,
}

/// A number that was estimated, and the interval in which it is in nine of ten cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Range {
    pub expected: f64,
    pub low: f64,
    pub high: f64,
}

/// What all pages ask of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Total {
    pub requests: Range,
    pub prompt_tokens: Range,
    pub completion_tokens: Range,
    /// If every reply were as long as it may be.
    pub most_completion_tokens: Range,
}

/// A model's price and limits, as far as they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Terms {
    /// Dollars per million tokens.
    pub input: Option<f64>,
    pub output: Option<f64>,
    /// Of all its servers together.
    pub requests_per_minute: Option<f64>,
    pub tokens_per_minute: Option<f64>,
}

/// What that costs, and how long it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cost {
    pub dollars: Option<Range>,
    /// If every reply were as long as it may be.
    pub most_dollars: Option<f64>,
    /// At the limits, where there are any: no run is faster.
    pub hours: Option<Range>,
}

impl Demand {
    pub fn add(&mut self, more: Self) {
        self.requests += more.requests;
        self.prompt_tokens += more.prompt_tokens;
        self.completion_tokens += more.completion_tokens;
        self.most_completion_tokens += more.most_completion_tokens;
    }
}

/// The sample's demands, for so many bytes in all. None for a sample without bytes.
pub fn extrapolate(sample: &[Sampled], bytes: u64, seed: u64) -> Option<BTreeMap<String, Total>> {
    if sample.iter().all(|page| page.bytes == 0) {
        return None;
    }
    let models: std::collections::BTreeSet<&String> =
        sample.iter().flat_map(|page| page.demands.keys()).collect();
    let totals = models.into_iter().map(|model| {
        let pages: Vec<_> = sample
            .iter()
            .map(|page| (page.bytes, page.demands.get(model).copied().unwrap_or_default()))
            .collect();
        (model.clone(), total(&pages, bytes, seed))
    });
    Some(totals.collect())
}

fn total(pages: &[(u64, Demand)], bytes: u64, seed: u64) -> Total {
    let all = pages.iter().copied();
    let expected = scaled(all, bytes);
    let mut dice = Dice(seed);
    let draws: Vec<[f64; 4]> =
        (0..DRAWS).map(|_| scaled((0..pages.len()).map(|_| pages[dice.below(pages.len())]), bytes)).collect();
    let range = |number: usize| {
        let mut values: Vec<f64> = draws.iter().map(|draw| draw[number]).collect();
        values.sort_by(f64::total_cmp);
        let tail = (DRAWS as f64 * TAIL) as usize;
        Range { expected: expected[number], low: values[tail], high: values[DRAWS - 1 - tail] }
    };
    Total {
        requests: range(0),
        prompt_tokens: range(1),
        completion_tokens: range(2),
        most_completion_tokens: range(3),
    }
}

/// Requests, tokens of prompts, of replies, and of the longest replies.
fn scaled(pages: impl Iterator<Item = (u64, Demand)>, bytes: u64) -> [f64; 4] {
    let (mut read, mut sum) = (0, Demand::default());
    for (page, demand) in pages {
        read += page;
        sum.add(demand);
    }
    // A draw of nothing but pages without bytes says as much as its average page would.
    let times = bytes as f64 / read.max(1) as f64;
    [sum.requests, sum.prompt_tokens, sum.completion_tokens, sum.most_completion_tokens]
        .map(|number| number as f64 * times)
}

/// What a total costs under these terms.
pub fn cost(total: &Total, terms: &Terms) -> Cost {
    let price = terms.input.zip(terms.output);
    let sum = |prompt: f64, completion: f64| {
        price.map(|(input, output)| (prompt * input + completion * output) / 1e6)
    };
    let Total { requests, prompt_tokens, completion_tokens, most_completion_tokens } = total;
    let each = |of: fn(&Range) -> f64| (of(requests), of(prompt_tokens), of(completion_tokens));
    let points = [each(|range| range.expected), each(|range| range.low), each(|range| range.high)];
    let [expected, low, high] = points.map(|(_, prompt, completion)| sum(prompt, completion));
    let hours = points.map(|(requests, prompt, completion)| {
        let by_requests = terms.requests_per_minute.map(|limit| requests / limit / 60.0);
        let by_tokens = terms.tokens_per_minute.map(|limit| (prompt + completion) / limit / 60.0);
        by_requests.into_iter().chain(by_tokens).reduce(f64::max)
    });
    let range =
        |[expected, low, high]: [Option<f64>; 3]| Some(Range { expected: expected?, low: low?, high: high? });
    Cost {
        dollars: range([expected, low, high]),
        most_dollars: sum(prompt_tokens.expected, most_completion_tokens.expected),
        hours: range(hours),
    }
}

/// Numbers that are the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * most as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: u64, requests: u64) -> Sampled {
        let demand = Demand {
            requests,
            prompt_tokens: 100 * requests,
            completion_tokens: 10 * requests,
            most_completion_tokens: 40 * requests,
        };
        let demands = if requests == 0 { BTreeMap::new() } else { [("writer".to_owned(), demand)].into() };
        Sampled { bytes, demands }
    }

    #[test]
    fn a_sample_stands_for_its_share_of_the_bytes() {
        let sample: Vec<_> = (0..100).map(|number| page(1000, number % 2)).collect();
        let totals = extrapolate(&sample, 100_000_000, 1).unwrap();
        let Total { requests, prompt_tokens, .. } = totals["writer"];
        assert_eq!((requests.expected, prompt_tokens.expected), (50_000.0, 5_000_000.0));
        assert!(requests.low < 46_000.0 && 54_000.0 < requests.high, "{requests:?}");
        assert!(38_000.0 < requests.low && requests.high < 62_000.0, "{requests:?}");
        // Pages that are all alike leave no doubt.
        let alike = extrapolate(&vec![page(10, 2); 30], 10_000, 1).unwrap()["writer"].requests;
        assert_eq!([alike.low, alike.expected, alike.high].map(f64::round), [2000.0; 3]);
        assert_eq!(extrapolate(&[], 1, 1), None);
        assert_eq!(extrapolate(&[page(0, 3)], 1, 1), None);
    }

    /// In about nine of ten samples the truth is in the interval.
    #[test]
    fn the_interval_holds_what_it_says() {
        let mut dice = Dice(7);
        let mut within = 0;
        for seed in 0..100 {
            let sample: Vec<_> =
                (0..60).map(|_| page(500 + dice.below(1000) as u64, dice.below(9) as u64)).collect();
            let total = extrapolate(&sample, 1_000_000, seed).unwrap()["writer"].requests;
            // Four requests a page of 1,000 bytes, in the mean.
            within += u32::from((total.low..=total.high).contains(&4004.0));
        }
        assert!((80..=98).contains(&within), "{within}");
    }

    #[test]
    fn the_scarcer_limit_says_how_long_it_takes() {
        let total = extrapolate(&[page(1, 6)], 1_000, 1).unwrap()["writer"];
        let terms = Terms {
            input: Some(1.0),
            output: Some(10.0),
            requests_per_minute: Some(10.0),
            tokens_per_minute: Some(1e9),
        };
        let cost = cost(&total, &terms);
        assert_eq!(cost.dollars.unwrap().expected, 1.2);
        assert_eq!(cost.most_dollars, Some(3.0));
        assert_eq!(cost.hours.unwrap().expected, 10.0);
        let unknown = super::cost(&total, &Terms::default());
        assert_eq!((unknown.dollars, unknown.hours), (None, None));
    }
}
