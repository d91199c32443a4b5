//! Words in, lines out: whitespace is held back until something follows it.

/// What stands between what was written and what comes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    #[default]
    None,
    Space,
    Line,
    Blank,
}

#[derive(Default)]
pub(super) struct Writer {
    out: String,
    gap: Gap,
    /// Blanks at the start of a line or between words of code, written once something follows them.
    blanks: String,
    /// For each open list the number of its last item, or none where items have no numbers.
    lists: Vec<Option<u32>>,
    /// The mark of an item that has no text yet.
    mark: Option<String>,
    items: usize,
    pre: usize,
    row: Row,
}

/// The row of a table that is being written.
#[derive(Default)]
struct Row {
    /// Where its text begins.
    start: usize,
    /// Whether the next text begins another cell.
    divide: bool,
}

impl Writer {
    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn gap(&mut self, gap: Gap) {
        // Inside of an item paragraphs are lines: blank ones would tear the list apart.
        let gap = if 0 < self.items { gap.min(Gap::Line) } else { gap };
        self.gap = self.gap.max(gap);
        if Gap::Line <= gap {
            self.blanks.clear();
        }
    }

    pub(super) fn break_line(&mut self) {
        self.gap(if self.gap == Gap::Line && self.pre == 0 { Gap::Blank } else { Gap::Line });
    }

    pub(super) fn open_list(&mut self, number: Option<u32>) {
        self.gap(Gap::Blank);
        self.lists.push(number);
    }

    pub(super) fn close_list(&mut self) {
        self.lists.pop();
        self.gap(Gap::Blank);
    }

    pub(super) fn open_item(&mut self) {
        self.gap(Gap::Line);
        self.items += 1;
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(8));
        self.mark = Some(match self.lists.last_mut() {
            Some(Some(number)) => {
                *number = number.saturating_add(1);
                format!("{indent}{number}. ")
            }
            Some(None) | None => format!("{indent}- "),
        });
    }

    pub(super) fn close_item(&mut self) {
        self.mark = None;
        self.gap(Gap::Line);
        self.items = self.items.saturating_sub(1);
    }

    pub(super) fn open_row(&mut self) {
        self.gap(Gap::Line);
        self.row = Row { start: self.out.len(), divide: false };
    }

    pub(super) fn open_cell(&mut self) {
        self.row.divide = true;
    }

    pub(super) fn close_cell(&mut self) {
        self.row.divide = false;
        self.gap(Gap::Space);
    }

    pub(super) fn close_table(&mut self) {
        // Where a table stands in a cell, the cells after it are no part of its last row.
        self.row = Row { start: usize::MAX, divide: false };
        self.gap(Gap::Blank);
    }

    pub(super) fn open_pre(&mut self) {
        self.gap(Gap::Blank);
        self.pre += 1;
    }

    pub(super) fn close_pre(&mut self) {
        self.pre = self.pre.saturating_sub(1);
        self.gap(Gap::Blank);
    }

    /// Text of a page.
    pub(super) fn text(&mut self, text: &str) {
        if self.pre == 0 { self.words(text) } else { self.verbatim(text) }
    }

    /// Text in which all whitespace is the same.
    pub(super) fn words(&mut self, text: &str) {
        for character in text.chars() {
            if character.is_whitespace() {
                self.gap = self.gap.max(Gap::Space);
            } else if !is_invisible(character) {
                self.push(character);
            }
        }
    }

    /// Text in which lines and the blanks inside of them mean something.
    pub(super) fn verbatim(&mut self, text: &str) {
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\r' if characters.peek() == Some(&'\n') => {}
                '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                    self.gap = if self.gap == Gap::Line { Gap::Blank } else { self.gap.max(Gap::Line) };
                    self.blanks.clear();
                }
                '\t' => self.blanks.push('\t'),
                blank if blank.is_whitespace() => self.blanks.push(' '),
                character if is_invisible(character) => {}
                character => self.push(character),
            }
        }
    }

    fn push(&mut self, character: char) {
        if self.row.divide {
            self.divide();
        }
        if !self.out.is_empty() {
            self.out.push_str(match self.gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Line => "\n",
                Gap::Blank => "\n\n",
            });
        }
        self.gap = Gap::None;
        if let Some(mark) = self.mark.take() {
            self.out.push_str(&mark);
        }
        self.out.push_str(&self.blanks);
        self.blanks.clear();
        self.out.push(character);
    }

    /// Begins a cell. Cells of one line each make a row; larger ones are the columns of a page's layout.
    fn divide(&mut self) {
        self.row.divide = false;
        let row = self.out.get(self.row.start..).unwrap_or_default().trim_start();
        if row.contains('\n') {
            self.gap(Gap::Line);
        } else if !row.is_empty() {
            self.gap = Gap::None;
            self.blanks.clear();
            self.out.push_str(" | ");
        }
    }
}

/// Controls, places where a word may be broken, changes of direction, and the private codes of icon fonts. Joiners
/// stay: Persian, Indic scripts and emoji are spelt with them.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fffe}'
                | '\u{ffff}'
                | '\u{f0000}'..='\u{10ffff}'
        )
}
