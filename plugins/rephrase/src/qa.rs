//! Questions and answers out of a reply, and which of them are kept.

use palimpsest_plugin::seed;

/// A question and its answer, each without its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub question: String,
    pub answer: String,
}

/// So many pairs are asked for; what comes after is repetition.
const MAX_PAIRS: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Question,
    Answer,
}

/// Reads the pairs of a reply. What stands before the first question is chatter; a question without an answer is none.
/// `cut_off`: the reply ended in the middle, and so did its last answer.
pub(crate) fn pairs(reply: &str, cut_off: bool) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut open = Tag::Question;
    for line in reply.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (tag, text) = tagged(line).map_or((None, line), |(tag, text)| (Some(tag), text));
        open = tag.unwrap_or(open);
        if tag == Some(Tag::Question) {
            pairs.push(Pair { question: text.to_owned(), answer: String::new() });
        } else if let Some(pair) = pairs.last_mut() {
            match open {
                Tag::Question => add(&mut pair.question, text),
                Tag::Answer => add(&mut pair.answer, text),
            }
        }
    }
    if cut_off {
        pairs.pop();
    }
    pairs.retain(|pair| !pair.question.is_empty() && !pair.answer.is_empty());
    pairs.truncate(MAX_PAIRS);
    pairs
}

/// Choices of a question stand on lines of their own and stay there.
fn add(part: &mut String, line: &str) {
    if !part.is_empty() {
        part.push('\n');
    }
    part.push_str(line);
}

/// `Question:`, `**Q1.**`, `2) Answer -`, in any letter case: what a line is, and what follows the tag.
fn tagged(line: &str) -> Option<(Tag, &str)> {
    const DECORATION: [char; 6] = ['*', '#', '_', '-', '•', ' '];
    let numbered = line.trim_start_matches(DECORATION);
    let counted = numbered.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    let bare = if counted.len() < numbered.len() {
        counted.trim_start_matches(['.', ')', ':']).trim_start_matches(DECORATION)
    } else {
        numbered
    };
    [("question", Tag::Question), ("answer", Tag::Answer), ("q", Tag::Question), ("a", Tag::Answer)]
        .into_iter()
        .find_map(|(word, tag)| {
            let (start, after) = bare.split_at_checked(word.len())?;
            if !start.eq_ignore_ascii_case(word) {
                return None;
            }
            let after =
                after.trim_start_matches(|symbol: char| symbol.is_ascii_digit() || " *_#".contains(symbol));
            let text = after.strip_prefix([':', '.', ')'])?;
            // "A. Paris" is a choice of a question, not the answer to it.
            if word.len() == 1 && !after.starts_with(':') {
                return None;
            }
            Some((tag, text.trim_start_matches(['*', '_']).trim()))
        })
}

/// Which pairs are kept: as in Nemotron-CC from one to a number that grows with the text, ten for 150 tokens, but
/// chosen by the document and the segment, so that the same reply always gives the same text.
pub(crate) fn chosen(mut pairs: Vec<Pair>, tokens: u32, document: &str, segment: usize) -> Vec<Pair> {
    let most = u64::from(10 * tokens.min(10_000) / 150).max(1);
    let draw = |purpose: &str, below: u64| seed(&[document, &segment.to_string(), purpose]) % below.max(1);
    let kept = usize::try_from(1 + draw("number", most)).unwrap_or(usize::MAX);
    // Fisher and Yates, from the end.
    for place in (1..pairs.len()).rev() {
        let below = u64::try_from(place).unwrap_or(u64::MAX).saturating_add(1);
        let other = usize::try_from(draw(&format!("place {place}"), below)).unwrap_or(0);
        pairs.swap(place, other);
    }
    pairs.truncate(kept);
    pairs
}

/// The segment with its pairs below.
pub(crate) fn appended(segment: &str, pairs: &[Pair]) -> String {
    let mut text = segment.trim().to_owned();
    for Pair { question, answer } in pairs {
        text.push_str("\n\nQuestion: ");
        text.push_str(question);
        text.push_str("\nAnswer: ");
        text.push_str(answer);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, expected: &str) {
        let shown: Vec<_> = pairs(reply, false)
            .into_iter()
            .map(|pair| format!("{} = {}", pair.question, pair.answer))
            .collect();
        assert_eq!(shown.join(" | ").replace('\n', "/"), expected, "{reply}");
    }

    #[test]
    fn tags_in_many_forms() {
        check("Question: a?\nAnswer: b.", "a? = b.");
        check(
            "Here are the pairs:\n\nQuestion: a?\nAnswer: b.\n\nQuestion: c?\nAnswer: d.",
            "a? = b. | c? = d.",
        );
        check("- Question: a?\n  Answer: b.", "a? = b.");
        check("**Question 1:** a?\n**Answer:** b.", "a? = b.");
        check("1. Question: a?\n   Answer: b.\n2. Question: c?\n   Answer: d.", "a? = b. | c? = d.");
        check("Q: a?\nA: b.\nQ2: c?\nA2: d.", "a? = b. | c? = d.");
        check("question: a?\nANSWER: b.", "a? = b.");
        check("### Question 3\nno colon", "");
    }

    #[test]
    fn lines_without_a_tag_belong_to_what_is_open() {
        check("Question: a?\nA. x\nB. y\nAnswer: B. y\nbecause.", "a?/A. x/B. y = B. y/because.");
        check("Question:\na?\nAnswer:\nb.", "a? = b.");
        check("Question: a?\nQuestion: c?\nAnswer: d.", "c? = d.");
        check("Answer: b.\nQuestion: a?", "");
        check("No pairs at all.", "");
        check("", "");
        assert_eq!(pairs("Question: a?\nAnswer: b.\nQuestion: c?\nAnswer: d", true).len(), 1);
        assert_eq!(pairs(&"Question: a?\nAnswer: b.\n".repeat(50), false).len(), MAX_PAIRS);
    }

    fn numbered(count: usize) -> Vec<Pair> {
        (0..count).map(|number| Pair { question: number.to_string(), answer: "x".to_owned() }).collect()
    }

    #[test]
    fn the_choice_is_decided_by_document_and_segment() {
        let choose = |document: &str, segment| chosen(numbered(8), 120, document, segment);
        assert_eq!(choose("a", 0), choose("a", 0));
        let different = (0..50).filter(|&segment| choose("a", segment) != choose("b", segment)).count();
        assert!(40 < different, "{different}");
    }

    #[test]
    fn the_number_grows_with_the_text() {
        let mean = |tokens| {
            let kept: usize =
                (0..500).map(|segment| chosen(numbered(8), tokens, "document", segment).len()).sum();
            kept as f64 / 500.0
        };
        assert!((mean(10) - 1.0).abs() < f64::EPSILON);
        assert!((mean(75) - 3.0).abs() < 0.3, "one to five: {}", mean(75));
        assert!((mean(120) - 4.5).abs() < 0.4, "one to eight: {}", mean(120));
        assert!(7.0 < mean(100_000));
        assert!(chosen(Vec::new(), 120, "document", 0).is_empty());
    }

    #[test]
    fn pairs_stand_below_the_segment() {
        let pair = Pair { question: "a?".to_owned(), answer: "b.".to_owned() };
        assert_eq!(appended("Text.\n", &[pair]), "Text.\n\nQuestion: a?\nAnswer: b.");
    }
}
