//! Which blocks of a page are its main text, by what each is likely to be.
//!
//! A page is judged as a whole: the blocks that are kept are those for which precision and recall, taken together, are
//! expected to be best. Where nothing is certain, more is kept than where much is.

use crate::features::Page;
use crate::model::Model;

/// How much weight recall has, that of precision being one: the β of an F-measure. An article is one text with others
/// around it; on other pages the text is in many places, and what is left out is seldom something else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beta {
    /// For pages that call themselves articles.
    pub(crate) article: f32,
    pub(crate) other: f32,
}

/// For each block whether it is kept.
pub(crate) fn choose(page: &Page<'_>, model: &Model, beta: Beta) -> Vec<bool> {
    let mut numbers = Vec::new();
    let likely: Vec<f32> = (0..page.len())
        .map(|at| {
            numbers.clear();
            page.describe(at, &mut numbers);
            model.probability(&mut numbers, |numbers| page.describe_further(at, numbers))
        })
        .collect();
    let words: Vec<f32> = page.words().collect();
    let beta = if page.is_article() { beta.article } else { beta.other };
    let mut keep = best(&likely, &words, beta);
    page.drop_copies(&mut keep);
    keep
}

/// The blocks with which the expected F-measure is largest. They are the most likely ones, however many.
fn best(likely: &[f32], words: &[f32], beta: f32) -> Vec<bool> {
    let mut order: Vec<usize> = (0..likely.len()).collect();
    let of = |values: &[f32], at: usize| values.get(at).copied().unwrap_or_default();
    order.sort_by(|&a, &b| of(likely, b).total_cmp(&of(likely, a)));
    let all: f32 = likely.iter().zip(words).map(|(likely, words)| likely * words).sum();
    let (mut right, mut kept, mut top) = (0.0, 0.0, (0.0, 0));
    for (count, &at) in (1..).zip(&order) {
        right += of(likely, at) * of(words, at);
        kept += of(words, at);
        let measure = right / (kept + beta * beta * all + f32::MIN_POSITIVE);
        if top.0 < measure {
            top = (measure, count);
        }
    }
    let mut keep = vec![false; likely.len()];
    for at in order.into_iter().take(top.1) {
        if let Some(keep) = keep.get_mut(at) {
            *keep = true;
        }
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(likely: &[f32], beta: f32, keep: &[bool]) {
        assert_eq!(best(likely, &vec![10.0; likely.len()], beta), keep);
    }

    #[test]
    fn a_page_is_judged_as_a_whole() {
        check(&[], 1.0, &[]);
        check(&[0.9, 0.1, 0.9], 1.0, &[true, false, true]);
        // Where nothing is likely, the likeliest is kept all the same.
        check(&[0.3, 0.25, 0.3], 1.0, &[true, true, true]);
        check(&[0.9, 0.9, 0.9, 0.4], 1.0, &[true, true, true, false]);
    }

    #[test]
    fn beta_is_the_weight_of_recall() {
        let likely = [0.95, 0.6, 0.3, 0.05];
        check(&likely, 0.3, &[true, false, false, false]);
        check(&likely, 1.0, &[true, true, false, false]);
        check(&likely, 2.0, &[true, true, true, false]);
    }
}
