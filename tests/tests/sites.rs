//! One program for all pages of a host: asked for once, tried on pages that the model was not shown, free for the rest.

use flate2::Compression;
use palimpsest_tests::archive::Record;
use palimpsest_tests::provider::{Ask, Ledger, Provider, Replies, Settings};

use crate::dice::Dice;
use crate::harness::{Place, Ran, palimpsest, same_bytes};

const HOSTS: usize = 3;
const PAGES: usize = 60;
/// Four that the model is shown and three to try the program on: none of them is cleaned by it.
const LEARNING: usize = 4 + 3;

/// What stands on every page of a host.
fn around(host: usize) -> (Vec<String>, Vec<String>) {
    let said = |what: &str, number: usize| format!("{what} {number} of host {host}");
    ((0..6).map(|n| said("Menu entry", n)).collect(), (0..5).map(|n| said("Footer line", n)).collect())
}

/// Paragraphs of 30 words that no other page has.
fn own(host: usize, page: usize) -> Vec<String> {
    let mut dice = Dice::of((host * PAGES + page) as u64 + 1);
    (0..6)
        .map(|_| (0..30).map(|_| format!("w{:x}", dice.below(1 << 24))).collect::<Vec<_>>().join(" "))
        .collect()
}

fn crawl(place: &Place) {
    let mut bytes = Vec::new();
    for page in 0..PAGES {
        for host in 0..HOSTS {
            let (before, after) = around(host);
            let text = [before, own(host, page), after].concat().join("\n");
            let record = Record::new("conversion", &format!("{host}-{page}"), 1)
                .field("WARC-Target-URI", &format!("https://host-{host}.example/{page}"))
                .block("text/plain", text.into_bytes());
            bytes.extend(record.member(Compression::fast()));
        }
    }
    std::fs::write(place.path("crawl.warc.gz"), bytes).unwrap();
}

fn place(endpoint: &str) -> Place {
    let place = Place::new(&format!(
        "name = \"sites\"\n[source]\narchives = [\"crawl.warc.gz\"]\nrecords = [\"conversion\"]\n\
         [models.cleaner]\nendpoint = \"{endpoint}\"\nmodel = \"m\"\n[[stages]]\nplugin = \"extract\"\n\
         [[stages]]\nplugin = \"cleanup\"\nsettings = {{ model = \"cleaner\", site = {{}} }}\n\
         [sink]\npath = \"out\"\n[run]\nworkers = 2\njournal = \"journal.sqlite\"\n"
    ));
    crawl(&place);
    place
}

/// A model that knows what recurs: asked about a site, it removes the lines that it is shown with their counts; asked
/// about a page, it keeps all. `spoilt` makes its programs take the text as well.
fn model(spoilt: bool) -> Replies {
    Replies::by(move |ask: &Ask| {
        let user = ask.user();
        let Some((_, listed)) = user.split_once("Lines of several pages") else {
            return "keep_chunk()".to_owned();
        };
        if spoilt {
            return "remove_line(text=\"w*\")\nremove_after(text=\"Menu entry *\")".to_owned();
        }
        let numbered = listed.lines().skip(1).map_while(|line| line.split_once(": (")?.0.parse::<u32>().ok());
        let calls = numbered.map(|number| format!("remove_lines(line_start={number}, line_end={number})"));
        calls.collect::<Vec<_>>().join("\n")
    })
}

fn scopes(ran: &Ran, scope: &str) -> usize {
    ran.rows().iter().filter(|row| row["cleanup_scope"] == scope).count()
}

#[test]
fn a_site_is_asked_about_once_and_its_pages_are_cleaned_for_nothing() {
    let provider = Provider::start(Settings { replies: model(false), ..Settings::default() }).unwrap();
    let place = place(&provider.endpoint());
    let ran = place.run(&[]).exits(0);
    assert_eq!(provider.ledger(Ledger::requests), (HOSTS * (LEARNING + 1)) as u64);
    assert_eq!((scopes(&ran, "site"), ran.rows().len()), (HOSTS * (PAGES - LEARNING), HOSTS * PAGES));
    for row in ran.rows() {
        let text = row["text"].as_str().unwrap();
        let (host, page) =
            row["url"].as_str().unwrap().split_once("host-").unwrap().1.split_once(".example/").unwrap();
        let (host, page): (usize, usize) = (host.parse().unwrap(), page.parse().unwrap());
        assert!(own(host, page).iter().all(|line| text.contains(line.as_str())), "{text}");
        let is_clean = !text.contains("Menu entry") && !text.contains("Footer line");
        assert_eq!(is_clean, row["cleanup_scope"] == "site", "{text}");
    }
    let replayed = place.run(&["--replay", "--out", "replayed"]).exits(0);
    same_bytes(&ran, &replayed);
    let page = place.path("report.html");
    let told = palimpsest().arg("report").arg(&ran.sink).arg("--html").arg(&page).output().unwrap();
    let said = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success() && said.contains("site            159 pages"), "{said}");
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.contains("Model tokens per page") && html.contains("<polyline"), "{html}");
}

#[test]
fn a_program_that_takes_the_text_is_not_used() {
    let provider = Provider::start(Settings { replies: model(true), ..Settings::default() }).unwrap();
    let place = place(&provider.endpoint());
    let ran = place.run(&[]).exits(0);
    assert_eq!(scopes(&ran, "site"), 0);
    for row in ran.rows() {
        let text = row["text"].as_str().unwrap();
        assert!(text.contains("Menu entry 0") && text.contains("Footer line 4"), "{text}");
    }
    let calls = ran
        .rows()
        .iter()
        .flat_map(|row| row["cleanup_calls"].as_array().unwrap().clone())
        .collect::<Vec<_>>();
    assert!(
        calls.iter().any(|call| call.as_str().unwrap().starts_with("site: ") && call != "site: learning"),
        "{calls:?}"
    );
}
