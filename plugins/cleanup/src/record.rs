//! What the stage says of a page beside its text.

use palimpsest_plugin::{Column, Draft, Kind, Outcome, column};

use crate::prox::share;

/// Which program cleaned the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Scope {
    #[default]
    None,
    Page,
    Site,
}

impl Scope {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Page => "page",
            Self::Site => "site",
        }
    }
}

/// How many calls came to what, so that pages can be chosen by it.
const COUNTS: [(&str, &[&str]); 5] = [
    ("cleanup_applied", &["applied"]),
    ("cleanup_refused", &["refused"]),
    ("cleanup_absent", &["absent"]),
    ("cleanup_out_of_range", &["out_of_range", "clamped"]),
    // The last is the reference's word for what it could not read.
    ("cleanup_unreadable", &["unknown", "unparsable", "error"]),
];

/// The record of one page, as it grows.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub templates: Vec<&'static str>,
    /// What came of the question about the document.
    pub document: Option<&'static str>,
    pub scope: Scope,
    /// The digest of the site's program.
    pub site: Option<String>,
    pub programs: Vec<String>,
    calls: Vec<(String, &'static str)>,
}

pub(crate) fn columns() -> Vec<Column> {
    let mut columns = vec![
        column("cleanup_template", Kind::Text),
        column("cleanup_document", Kind::Text),
        column("cleanup_scope", Kind::Text),
        column("cleanup_site", Kind::Text),
        column("cleanup_programs", Kind::Texts),
        column("cleanup_calls", Kind::Texts),
        column("cleanup_removed", Kind::Number),
    ];
    columns.extend(COUNTS.map(|(name, _)| column(name, Kind::Integer)));
    columns
}

impl Record {
    /// A call, or a part of the page, and the word for what became of it.
    pub(crate) fn call(&mut self, call: String, word: &'static str) {
        self.calls.push((call, word));
    }

    pub(crate) fn outcome(self, before: &str, after: String) -> Outcome {
        let (kept, all) = (after.chars().count(), before.chars().count());
        // The reference executor may make a text longer; nothing has been removed then.
        let removed = share(all.saturating_sub(kept), all);
        let mut draft = if after == before { Draft::new() } else { Draft::new().text(after) };
        for (name, words) in COUNTS {
            let count = self.calls.iter().filter(|(_, word)| words.contains(word)).count();
            draft = draft.with(name, i64::try_from(count).unwrap_or(i64::MAX));
        }
        for (name, said) in [("cleanup_document", self.document), ("cleanup_site", self.site.as_deref())] {
            if let Some(said) = said {
                draft = draft.with(name, said);
            }
        }
        let calls: Vec<String> = self.calls.iter().map(|(call, word)| format!("{call}: {word}")).collect();
        Outcome::keep(
            draft
                .with("cleanup_template", self.templates.join(" "))
                .with("cleanup_scope", self.scope.word())
                .with("cleanup_programs", self.programs)
                .with("cleanup_calls", calls)
                .with("cleanup_removed", removed),
        )
    }
}
