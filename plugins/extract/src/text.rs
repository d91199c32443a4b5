//! Text as the next stages want it: paragraphs and other blocks apart by one blank line, list items, rows and broken
//! lines on lines of their own, code as it was written, and no blanks at the end of a line.
//!
//! It knows nothing of how a page is parsed or which part of it matters.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of sixty tags those that are not named are all alike here"
)]

mod write;

use crate::blocks::Block;
use crate::dom::{Kind, Tag, Tree};
use write::{Gap, Writer};

/// The text of the blocks of a page that are kept.
pub(crate) fn of_blocks(tree: &Tree, blocks: &[Block], keep: &[bool]) -> String {
    let mut writer = Writer::default();
    let mut kept = blocks.iter().zip(keep).filter(|(_, keep)| **keep).map(|(block, _)| block).peekable();
    // The elements that are open, each with the place where it ends.
    let mut stack: Vec<(u32, Tag)> = Vec::new();
    let mut at = 0;
    while let Some(node) = tree.nodes.get(at as usize) {
        while let Some((_, tag)) = stack.pop_if(|(end, _)| *end <= at) {
            close(&mut writer, tag);
        }
        while kept.next_if(|block| block.last <= at).is_some() {}
        let Some(block) = kept.peek() else { break };
        match node.kind {
            Kind::Text { from, to, .. } => {
                if block.first <= at {
                    writer.text(tree.text(from, to));
                }
            }
            Kind::Element { tag, .. } if tag.is_silent() => {
                at = node.end;
                continue;
            }
            Kind::Element { tag, .. } => {
                open(&mut writer, tag);
                if at + 1 < node.end {
                    stack.push((node.end, tag));
                } else {
                    close(&mut writer, tag);
                }
            }
        }
        at += 1;
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

fn open(writer: &mut Writer, tag: Tag) {
    match tag {
        Tag::Br => writer.break_line(),
        Tag::Ul => writer.open_list(None),
        Tag::Ol => writer.open_list(Some(0)),
        Tag::Li => writer.open_item(),
        Tag::Pre => writer.open_pre(),
        Tag::Tr => writer.open_row(),
        Tag::Td | Tag::Th => writer.open_cell(),
        _ => gap(writer, tag),
    }
}

fn close(writer: &mut Writer, tag: Tag) {
    match tag {
        Tag::Ul | Tag::Ol => writer.close_list(),
        Tag::Li => writer.close_item(),
        Tag::Pre => writer.close_pre(),
        Tag::Tr => writer.gap(Gap::Line),
        Tag::Td | Tag::Th => writer.close_cell(),
        Tag::Table => writer.close_table(),
        _ => gap(writer, tag),
    }
}

fn gap(writer: &mut Writer, tag: Tag) {
    match tag {
        Tag::Caption | Tag::Dd | Tag::Dt | Tag::Figcaption | Tag::Summary | Tag::Tbody => {
            writer.gap(Gap::Line);
        }
        _ if tag.is_block() => writer.gap(Gap::Blank),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::blocks;
    use crate::dom::{self, marks::Finder};

    use super::*;

    fn written(html: &str) -> String {
        let tree = dom::build(html, &Finder::new());
        let blocks = blocks::split(&tree);
        of_blocks(&tree, &blocks, &vec![true; blocks.len()])
    }

    #[track_caller]
    fn check(html: &str, text: &str) {
        assert_eq!(written(html), text);
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
        check("a<noscript><p>b</p></noscript>", "a\n\nb");
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
            written(html);
        }
    }
}
