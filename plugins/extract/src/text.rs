//! Text as the next stages want it: paragraphs and other blocks apart by one blank line, list items, rows and broken
//! lines on lines of their own, code as it was written, and no blanks at the end of a line.
//!
//! It reads HTML only as a serialiser writes it, where every `<` begins a tag, and knows nothing of how a page is
//! parsed or which part of it matters.

mod write;

use write::{Gap, Writer};

/// Elements that hold no text of the page, or a second copy of it for other programs.
const SILENT: [&str; 15] = [
    "annotation",
    "audio",
    "button",
    "canvas",
    "datalist",
    "head",
    "object",
    "rp",
    "rt",
    "select",
    "svg",
    "template",
    "textarea",
    "title",
    "video",
];

/// Silent ones whose content the serialiser does not escape.
const RAW: [&str; 7] = ["iframe", "noembed", "noframes", "plaintext", "script", "style", "xmp"];

/// Parts of a page that go around its text.
const AROUND: [&str; 5] = ["aside", "footer", "form", "nav", "dialog"];

/// Which elements of a tree become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// All that a reader would see.
    All,
    /// Not what goes around a page's text: navigation, forms and the like. But what is shown without scripts: on some
    /// pages that is all there is.
    Inner,
}

/// The text of serialised HTML.
pub(crate) fn from_html(html: &str, parts: Parts) -> String {
    let mut writer = Writer::default();
    let mut rest = html;
    // The element that is passed over, and how many of its kind are open.
    let mut silent: Option<(&str, usize)> = None;
    while let Some((text, tag)) = rest.split_once('<') {
        if silent.is_none() {
            writer.text(text);
        }
        let Some((inside, after)) = tag.split_once('>') else {
            return writer.finish();
        };
        rest = after;
        let (closes, inside) = inside.strip_prefix('/').map_or((false, inside), |inside| (true, inside));
        let name = inside.split([' ', '/']).next().unwrap_or_default();
        if !closes && RAW.contains(&name) {
            let end = format!("</{name}");
            rest = rest.split_once(end.as_str()).map_or("", |(_, after)| after);
            rest = rest.split_once('>').map_or("", |(_, after)| after);
            continue;
        }
        silent = match silent {
            Some((passed, open)) if passed == name && closes => (1 < open).then(|| (passed, open - 1)),
            Some((passed, open)) if passed == name => Some((passed, open + 1)),
            Some(other) => Some(other),
            None if !closes && is_silent(name, parts) => Some((name, 1)),
            None if closes => {
                close(&mut writer, name);
                None
            }
            None => {
                open(&mut writer, name);
                None
            }
        };
    }
    if silent.is_none() {
        writer.text(rest);
    }
    writer.finish()
}

/// The text of a source that is text already: its lines, made clean.
pub(crate) fn from_plain(text: &str) -> String {
    let mut writer = Writer::default();
    writer.verbatim(text);
    writer.finish()
}

/// One clean line, for fields.
pub(crate) fn line(text: &str) -> String {
    let mut writer = Writer::default();
    writer.words(text);
    writer.finish()
}

fn is_silent(name: &str, parts: Parts) -> bool {
    SILENT.contains(&name)
        || match parts {
            // Within an article it asks for scripts to be switched on, or repeats an image.
            Parts::All => name == "noscript",
            Parts::Inner => AROUND.contains(&name),
        }
}

fn open(writer: &mut Writer, name: &str) {
    match name {
        "br" => writer.break_line(),
        "ul" => writer.open_list(None),
        "ol" => writer.open_list(Some(0)),
        "li" => writer.open_item(),
        "pre" => writer.open_pre(),
        "tr" => writer.open_row(),
        "td" | "th" => writer.open_cell(),
        _ => gap(writer, name),
    }
}

fn close(writer: &mut Writer, name: &str) {
    match name {
        "ul" | "ol" => writer.close_list(),
        "li" => writer.close_item(),
        "pre" => writer.close_pre(),
        "tr" => writer.gap(Gap::Line),
        "td" | "th" => writer.close_cell(),
        "table" => writer.close_table(),
        _ => gap(writer, name),
    }
}

fn gap(writer: &mut Writer, name: &str) {
    match name {
        "address" | "article" | "aside" | "blockquote" | "body" | "center" | "details" | "dialog" | "div"
        | "dl" | "fieldset" | "figure" | "footer" | "form" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6"
        | "header" | "hgroup" | "hr" | "html" | "main" | "menu" | "nav" | "p" | "search" | "section"
        | "table" => {
            writer.gap(Gap::Blank);
        }
        "caption" | "dd" | "dt" | "figcaption" | "legend" | "option" | "summary" | "tbody" | "tfoot"
        | "thead" => writer.gap(Gap::Line),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, text: &str) {
        assert_eq!(from_html(html, Parts::All), text);
    }

    #[test]
    fn blocks_are_apart() {
        check("<p>one</p><p>two</p>", "one\n\ntwo");
        check("<div><div><p>one</p></div></div>  <div>two</div>", "one\n\ntwo");
        check("<h1>head</h1>text<p></p><p> </p><p>more</p>", "head\n\ntext\n\nmore");
        check("one<br>two<br><br>three<br>  <br><br>four", "one\ntwo\n\nthree\n\nfour");
        check("<dl><dt>term</dt><dd>meaning</dd></dl>", "term\nmeaning");
        check("<figure><img src=\"x\"><figcaption>below</figcaption></figure>text", "below\n\ntext");
    }

    #[test]
    fn inline_elements_do_not_part_words() {
        check("a<b>b</b><i> c</i> <span> d </span>e", "ab c d e");
        check("  a\n\t b&nbsp;&nbsp; c\u{2003}d ", "a b c d");
        check("a\u{200b}b\u{ad}c\u{feff}d\0e\u{7}f", "abcdef");
    }

    #[test]
    fn entities_are_what_they_stand_for() {
        check("a &lt;b&gt; &amp;amp; &quot;c&quot; & d &unknown; &", "a <b> &amp; \"c\" & d &unknown; &");
    }

    #[test]
    fn lists_keep_their_marks() {
        check("<ul><li>a</li><li><p>b</p></li><li> </li></ul>text", "- a\n- b\n\ntext");
        check("<ol><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ol>", "1. a\n2. b\n  - c\n3. d");
        check("<li>a</li><li>b</li>", "- a\n- b");
    }

    #[test]
    fn cells_are_told_apart() {
        let row = "<tr><th>a</th><td>b</td><td></td></tr>";
        check(&format!("<table><tbody>{row}{row}</tbody></table>text"), "a | b\na | b\n\ntext");
        check("<table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table>", "a\n\nb\n\nc");
    }

    #[test]
    fn code_stays_as_written() {
        check("x<pre><code>if a:\n    b  = 1 \n\n\n\tc</code></pre>y", "x\n\nif a:\n    b  = 1\n\n\tc\n\ny");
        check("<pre>\r\na\r\n  b</pre>", "a\n  b");
    }

    #[test]
    fn what_is_no_text_is_passed_over() {
        check(
            "a<script>if (a<b) {}</script>b<svg><title>t</title></svg>c<select><option>o</option></select>",
            "abc",
        );
        check("a<input value=\"x\">b<template><template></template>x</template>c", "abc");
        let around = "<nav>n</nav><p>text</p><footer>f</footer>";
        check(around, "n\n\ntext\n\nf");
        assert_eq!(from_html(around, Parts::Inner), "text");
        let unscripted = "a<noscript><p>Please switch on scripts.</p></noscript>b";
        check(unscripted, "ab");
        assert_eq!(from_html(unscripted, Parts::Inner), "a\n\nPlease switch on scripts.\n\nb");
    }

    #[test]
    fn plain_lines_stay() {
        let check = |plain: &str, text: &str| assert_eq!(from_plain(plain), text);
        check("a  b \r\n\r\n\r\n\r\n  c\rd\u{2028}e\u{c}f", "a  b\n\n  c\nd\ne\nf");
        check("\n\n \n", "");
        check("a &amp; <b>", "a &amp; <b>");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line(" a\n b &amp;\u{200b} c\t"), "a b &amp; c");
    }

    #[test]
    fn broken_markup_ends() {
        for html in ["<", "a<b", "<pre>", "</li></ul></pre></td>", "<script>", "a<svg>b", "&", "<td><li><tr>"]
        {
            from_html(html, Parts::All);
        }
    }
}
