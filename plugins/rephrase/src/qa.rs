//! Questions and answers out of a reply, and which of them are kept.

use palimpsest_plugin::seed;

/// A question and its answer, each without its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub question: String,
    pub answer: String,
    /// `easy`, `medium` or `hard`, where the style asks for it.
    pub difficulty: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Question,
    Answer,
}

/// Reads the pairs of a reply. What stands before the first question is chatter; a question without an answer is none.
/// `cut_off`: the reply ended in the middle, and so did its last answer. `most`: what comes after so many is repetition.
pub(crate) fn pairs(reply: &str, cut_off: bool, most: usize) -> Vec<Pair> {
    let mut pairs = tagged_pairs(reply);
    if pairs.is_empty() {
        pairs = bare_pairs(reply);
    }
    if cut_off {
        pairs.pop();
    }
    pairs.retain(|pair| !pair.question.is_empty() && !pair.answer.is_empty());
    pairs.truncate(most);
    pairs
}

fn opened(question: &str) -> Pair {
    Pair { question: question.to_owned(), answer: String::new(), difficulty: None }
}

fn tagged_pairs(reply: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut open = Tag::Question;
    for line in reply.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (tag, text) = tagged(line).map_or((None, line), |(tag, text)| (Some(tag), text));
        open = tag.unwrap_or(open);
        if tag == Some(Tag::Question) {
            let (question, answer) = both(text);
            pairs.push(Pair { answer: answer.to_owned(), ..opened(question) });
            if !answer.is_empty() {
                open = Tag::Answer;
            }
        } else if let Some(pair) = pairs.last_mut() {
            match open {
                Tag::Question => add(&mut pair.question, text),
                Tag::Answer => add(&mut pair.answer, text),
            }
        }
    }
    pairs
}

/// `a? Answer: b.` on the line of the question: the question, and the answer or nothing.
fn both(text: &str) -> (&str, &str) {
    let cut = ["Answer:", "**Answer:**", "A:"].into_iter().find_map(|tag| {
        let (question, answer) = text.split_once(&format!("? {tag}"))?;
        Some((text.get(..question.len() + 1)?, answer.trim()))
    });
    cut.unwrap_or((text, ""))
}

/// Pairs of a reply that has no tags: a question is a line that ends in a question mark, an answer what follows it.
fn bare_pairs(reply: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for line in reply.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let bare = undecorated(line);
        let question = bare.trim_end_matches(['*', '_', ' ']);
        if question.ends_with(['?', '？', '؟']) {
            pairs.push(opened(question));
        } else if let Some(pair) = pairs.last_mut() {
            add(&mut pair.answer, line.trim_start_matches(['-', '•']).trim_start());
        }
    }
    pairs
}

/// Choices of a question stand on lines of their own and stay there.
fn add(part: &mut String, line: &str) {
    if !part.is_empty() {
        part.push('\n');
    }
    part.push_str(line);
}

const DECORATION: [char; 7] = ['*', '#', '_', '-', '•', ' ', '>'];

/// The line without list marks, numbers and emphasis at its beginning.
fn undecorated(line: &str) -> &str {
    let numbered = line.trim_start_matches(DECORATION);
    let counted = numbered.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    if counted.len() < numbered.len() {
        counted.trim_start_matches(['.', ')', ':']).trim_start_matches(DECORATION)
    } else {
        numbered
    }
}

/// The words of the tags in lower case. Models that write in a page's language translate them.
const TAGS: [(&str, Tag); 22] = [
    ("question", Tag::Question),
    ("answer", Tag::Answer),
    ("q", Tag::Question),
    ("a", Tag::Answer),
    ("frage", Tag::Question),
    ("antwort", Tag::Answer),
    ("pregunta", Tag::Question),
    ("respuesta", Tag::Answer),
    ("réponse", Tag::Answer),
    ("domanda", Tag::Question),
    ("risposta", Tag::Answer),
    ("pergunta", Tag::Question),
    ("resposta", Tag::Answer),
    ("vraag", Tag::Question),
    ("antwoord", Tag::Answer),
    ("pytanie", Tag::Question),
    ("odpowiedź", Tag::Answer),
    ("вопрос", Tag::Question),
    ("ответ", Tag::Answer),
    ("问题", Tag::Question),
    ("答案", Tag::Answer),
    ("回答", Tag::Answer),
];

/// `Question:`, `**Q1.**`, `2) Answer -`, in any letter case: what a line is, and what follows the tag.
fn tagged(line: &str) -> Option<(Tag, &str)> {
    let bare = undecorated(line);
    TAGS.into_iter().find_map(|(word, tag)| {
        let (start, after) = bare.split_at_checked(word.len())?;
        if !start.eq_ignore_ascii_case(word) && start.to_lowercase() != word {
            return None;
        }
        let after =
            after.trim_start_matches(|symbol: char| symbol.is_ascii_digit() || " *_#".contains(symbol));
        let text = after.strip_prefix([':', '.', ')', '：'])?;
        // "A. Paris" is a choice of a question, not the answer to it.
        if word.len() == 1 && !after.starts_with(':') {
            return None;
        }
        Some((tag, text.trim_start_matches(['*', '_']).trim()))
    })
}

/// Which pairs are kept: as in Nemotron-CC from one to a number that grows with the text, ten for 150 tokens, but
/// chosen by the document and the segment's place in it, so that the same reply always gives the same text.
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

impl Pair {
    /// The pair as it stands in a document.
    pub(crate) fn shown(&self) -> String {
        format!("Question: {}\nAnswer: {}", self.question, self.answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, expected: &str) {
        let shown: Vec<_> = pairs(reply, false, 8)
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
        check("Question: a? Answer: b.\nQuestion: c?\nAnswer: d.", "a? = b. | c? = d.");
        check("Frage: a?\nAntwort: b.\n\nQuestion : c?\nRéponse : d.", "a? = b. | c? = d.");
        check("Вопрос: a?\nОтвет: b.\n问题：c？\n答案：d。", "a? = b. | c？ = d。");
    }

    #[test]
    fn questions_without_tags_end_in_question_marks() {
        check(
            "# FAQ\n\n**1. What is a?**\n\nIt is b.\nAnd c.\n\n**2. Why?**\nSo.",
            "What is a? = It is b./And c. | Why? = So.",
        );
        check("### What is a?\n- b\n- c", "What is a? = b/c");
        check("Who knows?", "");
    }

    #[test]
    fn lines_without_a_tag_belong_to_what_is_open() {
        check("Question: a?\nA. x\nB. y\nAnswer: B. y\nbecause.", "a?/A. x/B. y = B. y/because.");
        check("Question:\na?\nAnswer:\nb.", "a? = b.");
        check("Question: a?\nQuestion: c?\nAnswer: d.", "c? = d.");
        check("Answer: b.\nQuestion: a?", "");
        check("No pairs at all.", "");
        check("", "");
        assert_eq!(pairs("Question: a?\nAnswer: b.\nQuestion: c?\nAnswer: d", true, 8).len(), 1);
        assert_eq!(pairs(&"Question: a?\nAnswer: b.\n".repeat(50), false, 8).len(), 8);
    }

    fn numbered(count: usize) -> Vec<Pair> {
        (0..count).map(|number| Pair { answer: "x".to_owned(), ..opened(&number.to_string()) }).collect()
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
    fn a_pair_is_shown_with_its_tags() {
        let pair = Pair { answer: "b.".to_owned(), ..opened("a?") };
        assert_eq!(pair.shown(), "Question: a?\nAnswer: b.");
    }
}
