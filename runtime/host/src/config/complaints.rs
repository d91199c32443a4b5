//! What is wrong with a pipeline file, all of it, with the places where it is wrong.
//!
//! It knows texts, places and names, and nothing of what a pipeline is.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

/// How far a name may be from a known one to be taken for it: a typing mistake for every so many letters.
const LETTERS_PER_MISTAKE: usize = 3;
/// Nobody mends more in one go; each costs a look through the file for its line.
const MAX_COMPLAINTS: usize = 100;
/// Stands in the shown line for a letter that must not be shown.
const HIDDEN: char = '…';

/// Everything that is wrong with a file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaints {
    pub file: PathBuf,
    pub complaints: Vec<Complaint>,
    /// How many there are beyond those.
    pub more: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// From 1.
    pub line: usize,
    /// From 1, in letters.
    pub column: usize,
    /// The keys that lead to the place, such as `stages[1].settings.model`; empty for the file as a whole.
    pub key: String,
    pub says: String,
    /// What would have been accepted, or what the missing key is for.
    pub help: Option<String>,
    /// The line of the file with whatever could be a key blotted out; none where the complaint is about what is missing
    /// from the file as a whole.
    pub shown: Option<String>,
    /// How many letters of the line are meant, from `column` on.
    pub width: usize,
}

impl std::error::Error for Complaints {}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, complaint) in self.complaints.iter().enumerate() {
            if 0 < number {
                f.write_str("\n\n")?;
            }
            write!(f, "{}:{}:{}: ", self.file.display(), complaint.line, complaint.column)?;
            complaint.fmt(f)?;
        }
        if 0 < self.more {
            write!(f, "\n\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.says)?;
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        if let Some(shown) = &self.shown {
            // Tabs stay tabs, so that the mark stands under its word whatever a terminal makes of them.
            let before: String =
                shown.chars().take(self.column - 1).map(|it| if it == '\t' { it } else { ' ' }).collect();
            let mark = "^".repeat(self.width.max(1));
            write!(f, "\n{margin} |\n{number} | {shown}\n{margin} | {before}{mark}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = {help}")?;
        }
        Ok(())
    }
}

/// A place in the file: what stands there, or the nearest table around where it should stand.
#[derive(Debug, Clone)]
pub(super) struct Spot<'a> {
    pub(super) path: String,
    pub(super) span: Range<usize>,
    pub(super) value: Option<&'a DeValue<'a>>,
}

impl<'a> Spot<'a> {
    pub(super) fn root(value: &'a DeValue<'a>) -> Self {
        Self { path: String::new(), span: 0..0, value: Some(value) }
    }

    /// What stands under the key, or the place where it is missing.
    pub(super) fn key(&self, key: &str) -> Self {
        self.child(self.path_of(key), self.table().and_then(|table| table.get(key)))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        let array = self.value.and_then(DeValue::as_array);
        self.child(format!("{}[{index}]", self.path), array.and_then(|array| array.get(index)))
    }

    /// The key itself instead of what stands under it.
    pub(super) fn name(&self, key: &str) -> Self {
        let named = self.table().and_then(|table| table.get_key_value(key));
        let span = named.map_or(self.span.clone(), |(name, _)| name.span());
        Self { path: self.path_of(key), span, value: None }
    }

    pub(super) fn table(&self) -> Option<&'a toml::de::DeTable<'a>> {
        self.value.and_then(DeValue::as_table)
    }

    pub(super) fn keys(&self) -> Vec<&'a str> {
        self.table().into_iter().flatten().map(|(key, _)| key.get_ref().as_ref()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.value.and_then(DeValue::as_array).map_or(0, |array| array.len())
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.and_then(DeValue::as_str)
    }

    fn child(&self, path: String, found: Option<&'a toml::Spanned<DeValue<'a>>>) -> Self {
        let span = found.map_or(self.span.clone(), toml::Spanned::span);
        Self { path, span, value: found.map(toml::Spanned::get_ref) }
    }

    fn path_of(&self, key: &str) -> String {
        let bare = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
        let key = if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { format!("{key:?}") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

/// Collects complaints about one text.
#[derive(Debug)]
pub(super) struct Notes<'a> {
    text: &'a str,
    hidden: Vec<Range<usize>>,
    noted: Vec<(usize, Complaint)>,
    more: usize,
}

impl<'a> Notes<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, hidden: Vec::new(), noted: Vec::new(), more: 0 }
    }

    /// From here on no complaint shows these bytes.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }

    /// Whether there is a complaint about the place of that path or about something in it.
    pub(super) fn any_under(&self, path: &str) -> bool {
        let within = |key: &str| {
            key.strip_prefix(path)
                .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.noted.iter().any(|(_, complaint)| within(&complaint.key))
    }

    pub(super) fn note(&mut self, spot: &Spot<'_>, says: impl Into<String>) {
        self.add(spot, says.into(), None);
    }

    /// With what would be accepted.
    pub(super) fn refuse(&mut self, spot: &Spot<'_>, says: impl Into<String>, accepted: impl Into<String>) {
        self.add(spot, says.into(), Some(format!("accepted: {}", accepted.into())));
    }

    /// With what the place is for.
    pub(super) fn explain(&mut self, spot: &Spot<'_>, says: impl Into<String>, about: &str) {
        self.add(spot, says.into(), Some(about.replace('\n', " ")));
    }

    pub(super) fn into_complaints(self, file: &Path) -> Complaints {
        let mut noted = self.noted;
        noted.sort_by_key(|(offset, _)| *offset);
        let complaints = noted.into_iter().map(|(_, complaint)| complaint).collect();
        Complaints { file: file.to_owned(), complaints, more: self.more }
    }

    fn add(&mut self, spot: &Spot<'_>, says: String, help: Option<String>) {
        if self.noted.len() == MAX_COMPLAINTS {
            self.more += 1;
            return;
        }
        let offset = spot.span.start.min(self.text.len());
        let (before, after) = self.text.split_at_checked(offset).unwrap_or((self.text, ""));
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(self.text.len(), |newline| offset + newline);
        let letters = |from: usize, to: usize| self.text.get(from..to).map_or(0, |it| it.chars().count());
        let of_the_whole = spot.span.is_empty() && spot.span.start == 0;
        let complaint = Complaint {
            line: before.matches('\n').count() + 1,
            column: letters(start, offset) + 1,
            key: spot.path.clone(),
            says,
            help,
            shown: (!of_the_whole).then(|| self.show(start, end)),
            width: letters(offset, spot.span.end.min(end)),
        };
        self.noted.push((offset, complaint));
    }

    fn show(&self, start: usize, end: usize) -> String {
        let line = self.text.get(start..end).unwrap_or_default().trim_end_matches('\r');
        let hidden = |offset: usize| self.hidden.iter().any(|span| span.contains(&offset));
        line.char_indices().map(|(at, letter)| if hidden(start + at) { HIDDEN } else { letter }).collect()
    }
}

/// "; did you mean `archives`?", or nothing where no known name is near.
pub(super) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = known
        .into_iter()
        .map(|known| (mistakes(name, known), known))
        .filter(|(mistakes, known)| *mistakes <= known.chars().count().div_ceil(LETTERS_PER_MISTAKE))
        .min();
    nearest.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"))
}

/// "`a`, `b`, `c`", or "none" where there is nothing to name.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Letters typed wrong, left out or added between two names (Levenshtein), whatever their case.
fn mistakes(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (typed, letter) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = typed;
        let mut left = typed + 1;
        for (cell, known) in row.iter_mut().skip(1).zip(&other) {
            let replaced = diagonal + usize::from(letter != *known);
            diagonal = *cell;
            left = replaced.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = typed + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_counted_as_letters() {
        for (one, other, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("achives", "archives", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(mistakes(one, other), count, "{one} {other}");
        }
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        assert_eq!(hint("writr", ["reader", "writer"]), "; did you mean `writer`?");
        assert_eq!(hint("Writer", ["writer"]), "; did you mean `writer`?");
        assert_eq!(hint("banana", ["reader", "writer"]), "");
    }
}
