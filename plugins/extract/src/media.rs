//! What a capture claims to be, and what it is where it claims nothing.

/// How a page's text is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Html,
    Plain,
}

/// What a `Content-Type` header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    Is(Media),
    /// XML is HTML or not; and servers that do not know a file send these types or none.
    Unclear,
    Other,
}

/// What the header says of the page.
pub(crate) fn claimed(content_type: Option<&str>) -> Claim {
    let essence = content_type.and_then(|value| value.split([';', ',']).next()).unwrap_or_default();
    match essence.trim().to_ascii_lowercase().as_str() {
        "text/html" | "application/xhtml+xml" => Claim::Is(Media::Html),
        "text/plain" => Claim::Is(Media::Plain),
        ""
        | "application/octet-stream"
        | "application/unknown"
        | "unknown/unknown"
        | "*/*"
        | "application/xml"
        | "text/xml" => Claim::Unclear,
        _ => Claim::Other,
    }
}

/// How far into a page its first tags are looked for: browsers look at 1445.
const PROLOGUE: usize = 1_500;

/// Tags that only HTML begins with.
const FIRST_TAGS: [&str; 16] = [
    "!doctype html",
    "html",
    "head",
    "body",
    "script",
    "iframe",
    "h1",
    "div",
    "font",
    "table",
    "style",
    "title",
    "p",
    "br",
    "b",
    "a",
];

/// What the page looks like. None: neither of the two.
pub(crate) fn sniffed(page: &str) -> Option<Media> {
    let start = page.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let prologue = start.chars().take(PROLOGUE).collect::<String>().to_ascii_lowercase();
    if prologue.starts_with("%pdf-") || prologue.starts_with("{\\rtf") {
        return None;
    }
    let Some(tag) = prologue.strip_prefix('<') else { return Some(Media::Plain) };
    let begins = |name: &str| {
        tag.strip_prefix(name).is_some_and(|after| after.starts_with([' ', '>', '\t', '\n', '\r', '\u{c}']))
    };
    let html = FIRST_TAGS.iter().any(|name| begins(name))
        || prologue.contains("<html")
        || prologue.contains("<!doctype html");
    html.then_some(Media::Html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_claim() {
        let check = |header, claim| assert_eq!(claimed(header), claim, "{header:?}");
        check(Some("text/html"), Claim::Is(Media::Html));
        check(Some(" Text/HTML ;charset=utf-8"), Claim::Is(Media::Html));
        check(Some("text/html, text/html"), Claim::Is(Media::Html));
        check(Some("application/xhtml+xml"), Claim::Is(Media::Html));
        check(Some("text/plain; charset=x"), Claim::Is(Media::Plain));
        check(Some("text/xml"), Claim::Unclear);
        check(Some("application/octet-stream"), Claim::Unclear);
        check(Some(""), Claim::Unclear);
        check(None, Claim::Unclear);
        check(Some("image/png"), Claim::Other);
        check(Some("application/pdf"), Claim::Other);
        check(Some("text/htmlx"), Claim::Other);
    }

    #[test]
    fn pages_are_told_by_their_start() {
        let check = |page: &str, media| assert_eq!(sniffed(page), media, "{page:?}");
        check("<!DOCTYPE html><p>x", Some(Media::Html));
        check("\u{feff}\n <HTML lang=en>", Some(Media::Html));
        check("<!-- c --><html>", Some(Media::Html));
        check("<?xml version=\"1.0\"?>\n<html xmlns=\"x\">", Some(Media::Html));
        check("<a href=x>", Some(Media::Html));
        check("<article>", None);
        check("<?xml version=\"1.0\"?><rss>", None);
        check("<svg>", None);
        check("%PDF-1.4", None);
        check("Once upon a time", Some(Media::Plain));
        check("a < b <html>", Some(Media::Plain));
        check("", Some(Media::Plain));
    }
}
