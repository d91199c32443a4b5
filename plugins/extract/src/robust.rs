//! Whatever the bytes, the stage ends, says the same twice, and says no more than it was given.

use proptest::prelude::*;

use palimpsest_plugin::Stage;
use palimpsest_plugin::testing::{self, Verdict, html};

use crate::{Extract, Settings};

/// A page with most of what pages have.
const PAGE: &str = "<!DOCTYPE html><html lang=en><head><title>A &amp; b</title><meta name=date content=2019-11-19>\
    <script type='application/ld+json'>{\"datePublished\": \"2019-11-19\"}</script><style>p > a {}</style></head>\
    <body class='home'><nav><ul><li><a href='/'>Home</a><li><a href=/x>About</a></ul></nav><!-- c --><main>\
    <article id=post><h1>A heading</h1><p>The river had been rising since the morning, and by noon the lower fields \
    were gone.<br>People carried <b>what <i>they</b> could</i> up to the church.<table><tr><th>a<td>b<tr><td>1<td>2\
    </table><pre>if x:\n  y()</pre><math><mi>x</mi><annotation encoding='application/x-tex'>x</annotation></math>\
    <svg><path d='M0'/></svg><dl><dt>t<dd>d</dl><ol><li>one<ul><li>two</ul></ol>中文内容，很好。</article></main>\
    <form><select><option>1<option>2</select><textarea>t</textarea><button>go</button></form><footer>&copy; 2019\
    </footer><script>if (a < b) { '</p>' }</script></body></html>";

fn said(page: &str) -> Verdict {
    let stage = Extract::configure(Settings { min_chars: 0, ..Settings::default() }).unwrap();
    testing::run(&stage, &html(page), &[]).unwrap()
}

fn check(page: &str) -> Result<(), TestCaseError> {
    let (first, again) = (said(page), said(page));
    prop_assert_eq!(format!("{first:?}"), format!("{again:?}"));
    if let Verdict::Emit(drafts) = first {
        let text = drafts[0].text.as_deref().unwrap_or_default();
        // A list's marks, a row's bars and blank lines are all that is added.
        prop_assert!(text.len() <= 20 * page.len().max(1), "{} from {}", text.len(), page.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn cut_and_flipped_markup_ends(
        cuts in prop::collection::vec((0..PAGE.len(), 0..80_usize), 0..4),
        flips in prop::collection::vec((0..PAGE.len(), any::<u8>()), 0..8),
    ) {
        let mut bytes = PAGE.as_bytes().to_vec();
        for (at, byte) in flips {
            bytes[at] = byte;
        }
        for (at, len) in cuts {
            let at = at.min(bytes.len());
            bytes.drain(at..bytes.len().min(at + len));
        }
        check(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn shuffled_tags_end(
        parts in prop::collection::vec(
            prop::sample::select(PAGE.split_inclusive('>').collect::<Vec<_>>()), 0..120
        ),
    ) {
        check(&parts.concat())?;
    }

    #[test]
    fn any_text_ends(page in "\\PC{0,300}") {
        check(&page)?;
    }
}
