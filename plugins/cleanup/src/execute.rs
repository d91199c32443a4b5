//! Runs a program on the chunk that it was written for. A program may take lines away and replace strings by shorter
//! ones, in its own chunk; whatever else it says is recorded and changes nothing.

use crate::program::{Call, Item, Quoted, parse};

/// What a program may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Caps {
    /// The fewest characters, blanks not counted, of a string to replace.
    pub min_source: usize,
    /// The most occurrences that one call may replace in a chunk.
    pub max_count: usize,
    /// So many errors, and the chunk stays as it was.
    pub max_errors: usize,
    /// A replacement may only leave characters out.
    pub deletion_only: bool,
    /// The program may ask for the whole document to be dropped.
    pub drop_doc: bool,
}

/// What became of one item of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Applied,
    /// A call that asks for no change.
    Kept,
    /// The range began in the chunk and ended past it; the part inside was applied.
    Clamped,
    /// The string to replace is not in the chunk.
    Absent,
    OutOfRange,
    /// Well formed, and not allowed.
    Refused,
    Unknown,
    Unparsable,
    /// Chatter around the program.
    Ignored,
    /// Applied, then taken back with the rest of a program that had too many errors.
    Withdrawn,
}

impl Fate {
    pub fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Kept => "kept",
            Self::Clamped => "clamped",
            Self::Absent => "absent",
            Self::OutOfRange => "out_of_range",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Unparsable => "unparsable",
            Self::Ignored => "ignored",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether it says that the model lost its way. A string that is not there and a call that the caps refuse change
    /// nothing and are no reason to distrust the rest.
    pub fn is_error(self) -> bool {
        match self {
            Self::Clamped | Self::OutOfRange | Self::Unknown | Self::Unparsable => true,
            Self::Applied | Self::Kept | Self::Absent | Self::Refused | Self::Ignored | Self::Withdrawn => {
                false
            }
        }
    }
}

/// A chunk after its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The lines that are left.
    pub lines: Vec<String>,
    /// Every item of the program and what became of it.
    pub calls: Vec<(String, Fate)>,
    /// The program asked, and may ask, for the document to be dropped.
    pub drop_doc: bool,
    /// There were too many errors: `lines` are those of the page.
    pub fell_back: bool,
}

impl Edited {
    /// A chunk that nobody looked at.
    pub fn untouched(lines: &[&str]) -> Self {
        Self {
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
            calls: Vec::new(),
            drop_doc: false,
            fell_back: false,
        }
    }
}

/// Runs `program` on the lines of a chunk, the first of which is line `first` of the document.
pub fn execute(lines: &[&str], first: usize, program: &str, caps: &Caps) -> Edited {
    let mut page = Page { first, lines: lines.iter().map(|&line| Some(line.to_owned())).collect() };
    let mut calls = Vec::new();
    let mut drop_doc = false;
    for item in parse(program) {
        let (said, fate) = match item {
            Item::Call(call) => {
                drop_doc |= call == Call::DropDoc && caps.drop_doc;
                (call.to_string(), page.apply(&call, caps))
            }
            Item::Unknown(text) => (text, Fate::Unknown),
            Item::Unparsable(text) => (text, Fate::Unparsable),
            Item::Prose(text) => (text, Fate::Ignored),
        };
        calls.push((said, fate));
    }
    let errors = calls.iter().filter(|(_, fate)| fate.is_error()).count();
    if caps.max_errors <= errors {
        for (_, fate) in &mut calls {
            if matches!(fate, Fate::Applied | Fate::Clamped) {
                *fate = Fate::Withdrawn;
            }
        }
        return Edited { calls, fell_back: true, ..Edited::untouched(lines) };
    }
    // An earlier call may have been made for lines that a later one took away, so lines go last.
    Edited { lines: page.lines.into_iter().flatten().collect(), calls, drop_doc, fell_back: false }
}

/// The chunk in work; a line that was taken away keeps its number.
struct Page {
    first: usize,
    lines: Vec<Option<String>>,
}

impl Page {
    fn apply(&mut self, call: &Call, caps: &Caps) -> Fate {
        match call {
            Call::Keep => Fate::Kept,
            // Rules for a site say what other pages have too, and this program was written for one.
            Call::Matching { .. } => Fate::Refused,
            Call::DropDoc => {
                if caps.drop_doc {
                    Fate::Applied
                } else {
                    Fate::Refused
                }
            }
            Call::RemoveAll => {
                self.lines.fill(None);
                Fate::Applied
            }
            Call::RemoveLines { start, end } => self.remove(*start, *end),
            Call::Normalize { source, target } => self.normalize(source, target, caps),
        }
    }

    /// The range is compared with the chunk before anything is built from it.
    fn remove(&mut self, start: i64, end: i64) -> Fate {
        let place = |number: i64| usize::try_from(number).ok()?.checked_sub(self.first);
        let (Some(start), Some(end)) = (place(start), place(end)) else { return Fate::OutOfRange };
        if self.lines.len() <= start || end < start {
            return Fate::OutOfRange;
        }
        let last = self.lines.len() - 1;
        for line in self.lines.iter_mut().take(end.min(last) + 1).skip(start) {
            *line = None;
        }
        if last < end { Fate::Clamped } else { Fate::Applied }
    }

    fn normalize(&mut self, source: &Quoted, target: &Quoted, caps: &Caps) -> Fate {
        let found = [(&source.text, &target.text), (&source.raw, &target.raw)]
            .into_iter()
            .map(|(source, target)| (source, target, self.count(source)))
            .find(|(_, _, count)| 0 < *count);
        let written = source.text.chars().filter(|symbol| !symbol.is_whitespace()).count();
        if written < caps.min_source || source.text.contains(['\n', '\r']) && found.is_none() {
            return Fate::Refused;
        }
        let Some((source, target, count)) = found else { return Fate::Absent };
        let grows = source.chars().count() < target.chars().count() || target.contains(['\n', '\r']);
        if grows || caps.max_count < count || caps.deletion_only && !is_subsequence(target, source) {
            return Fate::Refused;
        }
        for line in self.lines.iter_mut().flatten() {
            if line.contains(source.as_str()) {
                *line = line.replace(source.as_str(), target);
            }
        }
        Fate::Applied
    }

    fn count(&self, source: &str) -> usize {
        if source.is_empty() {
            return 0;
        }
        self.lines.iter().flatten().map(|line| line.matches(source).count()).sum()
    }
}

/// Whether `part` is `whole` with characters left out.
fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut whole = whole.chars();
    part.chars().all(|wanted| whole.any(|symbol| symbol == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps =
        Caps { min_source: 3, max_count: 5, max_errors: 2, deletion_only: false, drop_doc: true };

    /// Lines 10 to 14 of some document.
    const LINES: [&str; 5] = ["menu", "A first line.", "Share this page", "A last line.", "footer"];

    #[track_caller]
    fn check(program: &str, left: &str, fates: &[&str]) {
        let edited = execute(&LINES, 10, program, &CAPS);
        assert_eq!(edited.lines.join("|"), left, "{program}");
        let words: Vec<_> = edited.calls.iter().map(|(_, fate)| fate.word()).collect();
        assert_eq!(words, fates, "{program}");
    }

    const ALL: &str = "menu|A first line.|Share this page|A last line.|footer";

    #[test]
    fn lines_are_taken_away_by_their_number_in_the_document() {
        check("remove_lines(10,10)", "A first line.|Share this page|A last line.|footer", &["applied"]);
        check(
            "remove_lines(10,10)\nremove_lines(14,14)",
            "A first line.|Share this page|A last line.",
            &["applied"; 2],
        );
        check("remove_lines(10,12)\nremove_lines(11,13)", "footer", &["applied"; 2]);
        check("remove_lines(all=True)", "", &["applied"]);
        check("keep_chunk()", ALL, &["kept"]);
        check("remove_line('menu')", ALL, &["refused"]);
        check("", ALL, &[]);
    }

    #[test]
    fn a_range_outside_the_chunk_takes_nothing_of_others() {
        check("remove_lines(9,10)", ALL, &["out_of_range"]);
        check("remove_lines(15,16)", ALL, &["out_of_range"]);
        check("remove_lines(-1,12)", ALL, &["out_of_range"]);
        check("remove_lines(13,11)", ALL, &["out_of_range"]);
        check("remove_lines(13,9999999999)", "menu|A first line.|Share this page", &["clamped"]);
    }

    #[test]
    fn strings_are_replaced_within_the_caps() {
        check("normalize(' this page')", "menu|A first line.|Share|A last line.|footer", &["applied"]);
        check(
            "normalize('line', 'row')",
            "menu|A first row.|Share this page|A last row.|footer",
            &["applied"],
        );
        check("normalize('nowhere')", ALL, &["absent"]);
        check("normalize('e', '')", ALL, &["refused"]);
        check("normalize('  e  ', '')", ALL, &["refused"]);
        check("normalize('', 'x')", ALL, &["refused"]);
        check("normalize('menu', 'a longer menu')", ALL, &["refused"]);
        check("normalize('line', '\\n')", ALL, &["refused"]);
        check("normalize('menu\\nA')", ALL, &["refused"]);
    }

    #[test]
    fn too_many_errors_give_the_chunk_back_whole() {
        check(
            "remove_lines(10,10)\nnonsense()",
            "A first line.|Share this page|A last line.|footer",
            &["applied", "unknown"],
        );
        check("remove_lines(10,10)\nnonsense()\nremove_lines(", ALL, &["withdrawn", "unknown", "unparsable"]);
        check("drop_doc()\nnonsense()\nnonsense()", ALL, &["withdrawn", "unknown", "unknown"]);
        check("Sure.\nHere.\nThere.\nkeep_chunk()", ALL, &["ignored", "ignored", "ignored", "kept"]);
        assert!(!execute(&LINES, 10, "drop_doc()\nno()\nno()", &CAPS).drop_doc);
    }

    #[test]
    fn a_string_with_a_backslash_is_tried_both_ways() {
        let lines = [r"see C:\new\files here", "tab\there it is"];
        let edited = execute(&lines, 0, "normalize('C:\\new\\files')\nnormalize('\\there')", &CAPS);
        assert_eq!(edited.lines, ["see  here", "tab it is"]);
    }

    #[test]
    fn caps_are_counted() {
        let lines = ["spam spam spam spam spam spam", "ham ham ham ham ham"];
        let edited = execute(&lines, 0, "normalize('spam')\nnormalize('ham')", &CAPS);
        assert_eq!(edited.lines, [lines[0], "    "]);
    }

    #[test]
    fn deletion_only_takes_characters_and_gives_none() {
        let caps = Caps { deletion_only: true, ..CAPS };
        let program = "normalize('first', 'fist')\nnormalize('last', 'lost')\nnormalize('menu')";
        let edited = execute(&LINES, 10, program, &caps);
        assert_eq!(edited.lines.join("|"), "|A fist line.|Share this page|A last line.|footer");
        assert_eq!(edited.calls[1].1, Fate::Refused);
    }

    #[test]
    fn the_document_is_dropped_only_where_that_is_allowed() {
        assert!(execute(&LINES, 10, "drop_doc()", &CAPS).drop_doc);
        let refused = execute(&LINES, 10, "drop_doc()", &Caps { drop_doc: false, ..CAPS });
        assert_eq!((refused.drop_doc, refused.calls[0].1), (false, Fate::Refused));
    }

    /// Pseudo-random programs from the language's own pieces: the nearer to right, the deeper they get.
    #[test]
    fn hostile_programs_neither_panic_nor_grow_the_text() {
        const PIECES: [&str; 22] = [
            "remove_lines",
            "normalize",
            "(",
            ")",
            ",",
            "=",
            "\"",
            "'",
            "\\",
            "line_start",
            "source_str",
            "-1",
            "11",
            "99999999999999999999",
            "line",
            "é",
            "\n",
            " ",
            "#",
            "```",
            "all=True",
            "\u{202e}",
        ];
        for case in 0..20_000_u64 {
            let mut state = case;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(state >> 33).unwrap()
            };
            let program: String = (0..next() % 40).map(|_| PIECES[next() % PIECES.len()]).collect();
            let edited = execute(&LINES, 10, &program, &CAPS);
            let (before, after) = (LINES.join("\n"), edited.lines.join("\n"));
            assert!(after.chars().count() <= before.chars().count(), "{program}");
            assert!(edited.lines.len() <= LINES.len(), "{program}");
        }
    }
}
