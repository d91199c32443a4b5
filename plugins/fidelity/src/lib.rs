//! fidelity
mod align;
#[doc(hidden)]
pub mod inject;
mod measure;
mod negation;
mod read;
mod swaps;

#[doc(hidden)]
pub fn values(source: &str, rewrite: &str) -> Vec<(&'static str, f64, String)> {
    let m = measure::of(source, rewrite);
    vec![
        ("new_number", m.new_number.value, m.new_number.problem),
        ("number_swap", m.number_swap.value, m.number_swap.problem),
        ("new_name", m.new_name.value, m.new_name.problem),
        ("name_swap", m.name_swap.value, m.name_swap.problem),
        ("negation", m.negation.value, m.negation.problem),
        ("addition", m.addition.value, m.addition.problem),
        ("novelty", m.novelty, String::new()),
        ("coverage", m.coverage, String::new()),
        ("sentence_coverage", m.sentence_coverage, String::new()),
        ("length", m.length, String::new()),
        ("copied", m.copied, String::new()),
        ("copied_words", align::count(m.copied_words), String::new()),
        ("repeated", m.repeated, String::new()),
    ]
}
