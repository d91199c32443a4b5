//! MinHash signatures, how alike two of them are, and the bands under which documents find each other.
//!
//! Everything here is fixed by figures that can be written down, so that a signature that was made here can be compared
//! with one that another program made of another crawl:
//!
//! - a shingle is hashed to x by XXH3-64 (seed 0) of its UTF-8 bytes, words joined by one blank;
//! - permutation k of `bands × rows` is a·x + b modulo 2^64, where a (its lowest bit set) and b are outputs 2k and 2k + 1 of
//!   SplitMix64 that started from the seed. The modulus is a machine word: x is mixed already, and a prime modulus would
//!   cost a multiplication of 128 bits for each value, which wasm does not have;
//! - value k of the signature is the upper 32 bits of the least value that permutation k takes. Two texts of 500 shingles
//!   that have none in common agree on a value by accident once in some ten million, and on a band of eight never;
//! - band i is made of the values `i × rows` to `i × rows + rows − 1`;
//! - written out, a signature is the base64 (RFC 4648, with padding) of its values in little-endian order.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Permutations that are taken through a text together: their values stay in registers.
const TOGETHER: usize = 4;

/// The values of a document, `bands × rows` of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature(Vec<u32>);

/// A family of permutations.
#[derive(Debug, Clone)]
pub(crate) struct Permutations {
    factors: Vec<[u64; TOGETHER]>,
    summands: Vec<[u64; TOGETHER]>,
    count: usize,
}

impl Permutations {
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        let mut random = SplitMix64(seed);
        let groups = count.div_ceil(TOGETHER);
        let mut factors = vec![[1; TOGETHER]; groups];
        let mut summands = vec![[0; TOGETHER]; groups];
        let places = factors.iter_mut().flatten().zip(summands.iter_mut().flatten());
        for (factor, summand) in places.take(count) {
            *factor = random.next() | 1;
            *summand = random.next();
        }
        Self { factors, summands, count }
    }

    /// The signature of a set of shingles, which may be given more than once; none of no shingles.
    pub(crate) fn signature<'a>(&self, shingles: impl Iterator<Item = &'a str>) -> Option<Signature> {
        let hashes: Vec<u64> = shingles.map(|shingle| xxh3_64(shingle.as_bytes())).collect();
        self.signature_of_hashes(&hashes)
    }

    fn signature_of_hashes(&self, hashes: &[u64]) -> Option<Signature> {
        if hashes.is_empty() {
            return None;
        }
        let mut values = Vec::with_capacity(self.factors.len() * TOGETHER);
        for (factors, summands) in self.factors.iter().zip(&self.summands) {
            let mut least = [u64::MAX; TOGETHER];
            for hash in hashes {
                for ((least, factor), summand) in least.iter_mut().zip(factors).zip(summands) {
                    *least = (*least).min(hash.wrapping_mul(*factor).wrapping_add(*summand));
                }
            }
            values.extend(least.map(upper_half));
        }
        values.truncate(self.count);
        Some(Signature(values))
    }
}

impl Signature {
    /// The share of the shingles that two documents have in common (Jaccard), estimated: of n values within ±2/√n at the
    /// worst, which is what a share of one half has as its double deviation.
    pub(crate) fn similarity(&self, other: &Self) -> f64 {
        if self.0.len() != other.0.len() || self.0.is_empty() {
            return 0.0;
        }
        let equal = self.0.iter().zip(&other.0).filter(|(own, other)| own == other).count();
        equal as f64 / self.0.len() as f64
    }

    /// One key for each band: documents that share one are candidates.
    pub(crate) fn band_keys(&self, rows: usize) -> Vec<String> {
        let bands = self.0.chunks_exact(rows).enumerate();
        bands.map(|(band, values)| format!("{band}:{:032x}", xxh3_128(&bytes(values)))).collect()
    }

    pub(crate) fn encode(&self) -> String {
        STANDARD.encode(bytes(&self.0))
    }

    /// None of what no signature was written as.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let (values, rest) = bytes.as_chunks::<4>();
        (rest.is_empty() && !values.is_empty())
            .then(|| Self(values.iter().copied().map(u32::from_le_bytes).collect()))
    }
}

fn bytes(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn upper_half(value: u64) -> u32 {
    let [.., a, b, c, d] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANDS: usize = 14;
    const ROWS: usize = 8;
    const COUNT: usize = BANDS * ROWS;

    /// Pairs of sets of 400 whose Jaccard index is `common / 400`, and what their signatures say of them.
    fn pairs(count: usize, common: u64) -> Vec<(Signature, Signature)> {
        let permutations = Permutations::new(COUNT, 1);
        // Two sets of `each` elements with `common` in both have 2 · each − common = 400 together.
        let each = u64::midpoint(400, common);
        let set = |pair: usize, elements: std::ops::Range<u64>| {
            let hashes: Vec<u64> =
                elements.map(|element| xxh3_64(format!("{pair} {element}").as_bytes())).collect();
            permutations.signature_of_hashes(&hashes).unwrap()
        };
        (0..count).map(|pair| (set(pair, 0..each), set(pair, each - common..2 * each - common))).collect()
    }

    #[test]
    fn similarity_is_estimated_without_bias_and_with_the_deviation_of_so_many_coins() {
        for common in [100, 200, 300, 360, 398] {
            let jaccard = common as f64 / 400.0;
            let told: Vec<f64> = pairs(500, common).iter().map(|(a, b)| a.similarity(b)).collect();
            let mean = told.iter().sum::<f64>() / 500.0;
            let variance = told.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / 499.0;
            let predicted = jaccard * (1.0 - jaccard) / COUNT as f64;
            assert!((mean - jaccard).abs() < 4.0 * (predicted / 500.0).sqrt(), "{jaccard}: {mean}");
            assert!((0.7..1.4).contains(&(variance / predicted)), "{jaccard}: {variance} {predicted}");
            println!(
                "Jaccard {jaccard:.3}: mean {mean:.4}, deviation {:.4}, predicted {:.4}",
                variance.sqrt(),
                predicted.sqrt()
            );
        }
    }

    #[test]
    fn bands_find_pairs_as_often_as_the_s_curve_says() {
        for common in [200_u32, 240, 280, 300, 320, 360] {
            let jaccard = f64::from(common) / 400.0;
            let pairs = pairs(1000, common.into());
            let found = pairs.iter().filter(|(a, b)| {
                let theirs = b.band_keys(ROWS);
                a.band_keys(ROWS).iter().any(|key| theirs.contains(key))
            });
            let share = found.count() as f64 / 1000.0;
            let predicted = 1.0 - (1.0 - jaccard.powi(8)).powi(14);
            let deviation = (predicted * (1.0 - predicted) / 1000.0).sqrt();
            assert!((share - predicted).abs() < 4.0 * deviation + 1e-9, "{jaccard}: {share} not {predicted}");
            println!("Jaccard {jaccard:.2}: found {share:.3}, predicted {predicted:.3}");
        }
    }

    #[test]
    fn a_signature_is_what_the_module_says_it_is() {
        // Worked out apart from this code, from the figures in the module's documentation.
        let permutations = Permutations::new(3, 1);
        let signature = permutations.signature(["a b c d e", "b c d e f"].into_iter()).unwrap();
        assert_eq!(signature.encode(), "B0HJFyV0r7VHLn4+");
        assert_eq!(Signature::decode(&signature.encode()), Some(signature));
    }

    #[test]
    fn what_is_no_signature_is_not_read_as_one() {
        for text in ["", "?", "AAA=", "AAAAAAA="] {
            assert_eq!(Signature::decode(text), None, "{text}");
        }
        let (one, other) = (Permutations::new(8, 1), Permutations::new(9, 1));
        let signed = |family: &Permutations| family.signature(["a"].into_iter()).unwrap();
        assert!(signed(&one).similarity(&signed(&other)).abs() < f64::EPSILON);
        assert_eq!(one.signature(std::iter::empty()), None);
    }

    #[test]
    fn another_seed_is_another_family() {
        let signed = |seed| Permutations::new(COUNT, seed).signature(["a"].into_iter()).unwrap();
        assert_eq!(signed(1), signed(1));
        assert!(signed(1).similarity(&signed(2)) < 0.05);
    }
}
