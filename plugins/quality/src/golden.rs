//! Every value beside datatrove's own, on texts of real pages.
//!
//! Two things may be missing, and each is told in a line that begins with `skipped:`. Where datatrove is, the run may
//! insist on it (`PALIMPSEST_NO_SKIP`), since `make test` installs it. The texts are development data that nobody can
//! install; a machine without them passes in any case, having compared nothing.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use palimpsest_plugin::Stage as _;
use serde_json::{Value, json};

use crate::sets::Set;
use crate::words::{Segmentation, Segmenter};
use crate::{Action, Quality, Settings};

const MAX_BYTES: u64 = 64 << 20;

/// So many pages of at most so many bytes: datatrove takes a second for 25 of them.
const PAGES: usize = 250;
const PAGE_BYTES: usize = 12_000;

/// For what `make test` installs.
fn skip(why: &str) {
    assert!(std::env::var_os("PALIMPSEST_NO_SKIP").is_none(), "not to be skipped: {why}");
    println!("skipped: {why}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder with datatrove: the one named, or the one that `make test` fills.
fn tools() -> Option<PathBuf> {
    let named = std::env::var_os("PALIMPSEST_TEST_TOOLS").map(PathBuf::from);
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let tools = named.or_else(|| Some(caches.or_else(home)?.join("palimpsest/test-tools")))?;
    if tools.join("datatrove").is_dir() && tools.join("spacy").is_dir() {
        return Some(tools);
    }
    skip(&format!("no datatrove and spacy in {}", tools.display()));
    None
}

/// The lines of a file of the development data; none, with a word about it, where the data are not there.
fn rows(name: &str) -> Option<Vec<Value>> {
    let data =
        std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = data.join(name);
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no {}; PALIMPSEST_DATA names the folder", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).take(MAX_BYTES).read_to_string(&mut text).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Pages, paragraphs in some 150 languages, and rated sentences ten at a time: text and language.
fn documents() -> Option<Vec<(String, String)>> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let pages = rows("extraction/dev.jsonl.gz")?;
    let pages = pages.iter().map(|row| (text(row, "gold_text"), "en".to_owned()));
    let mut all: Vec<_> =
        pages.filter(|(page, _)| !page.trim().is_empty() && page.len() <= PAGE_BYTES).take(PAGES).collect();
    let paragraphs = rows("langid/dev.jsonl.gz")?;
    let paragraphs = paragraphs.iter().filter(|row| row["level"] == "paragraph");
    all.extend(paragraphs.map(|row| (text(row, "text"), text(row, "lang_iso639_3"))));
    let mut sentences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows("quality/readmepp.jsonl.gz")? {
        sentences.entry(text(&row, "lang")).or_default().push(text(&row, "text"));
    }
    for (language, sentences) in sentences {
        all.extend(sentences.chunks(10).map(|ten| (ten.join("\n"), language.clone())));
    }
    for (_, language) in &mut all {
        if language == "eng" {
            "en".clone_into(language);
        }
    }
    Some(all)
}

fn datatrove(tools: &Path, documents: &[(String, String)]) -> Vec<Value> {
    let mut python = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/datatrove_values.py"))
        .env("PYTHONPATH", tools)
        // Nothing is fetched.
        .env("HF_HUB_OFFLINE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    let lines: String = documents
        .iter()
        .map(|(text, language)| format!("{}\n", json!({"text": text, "language": language})))
        .collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a rule's values are beside datatrove's.
#[derive(Default)]
struct Beside {
    compared: usize,
    equal: usize,
    furthest: f64,
}

#[test]
fn values_are_those_of_datatrove() {
    let (Some(tools), Some(documents)) = (tools(), documents()) else { return };
    assert!(500 <= documents.len(), "{}", documents.len());
    let theirs = datatrove(&tools, &documents);
    assert_eq!(theirs.len(), documents.len());
    // C4 comes last, because what comes after it sees the text that it leaves.
    let rules = vec![Set::GopherRepetition, Set::GopherQuality, Set::Fineweb, Set::C4Paragraph, Set::C4];
    let quality = Quality::configure(Settings { rules, action: Action::Tag, ..Settings::default() }).unwrap();
    let segmenter = Segmenter::default();
    let mut table: BTreeMap<String, Beside> = BTreeMap::new();
    let mut wrong: Vec<String> = Vec::new();
    for ((text, language), theirs) in documents.iter().zip(&theirs) {
        // datatrove is asked with spaCy's neutral rules for all but English.
        let segmentation = if language == "en" { Segmentation::English } else { Segmentation::Neutral };
        let words = segmenter.words(text, segmentation);
        let their_words: Vec<&str> =
            theirs["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let start: String = text.chars().take(40).collect();
        if words != their_words {
            let at =
                words.iter().zip(&their_words).position(|(ours, theirs)| ours != theirs).unwrap_or_default();
            let near = |words: &[&str]| {
                words.iter().skip(at.saturating_sub(2)).take(6).map(|w| (*w).to_owned()).collect::<Vec<_>>()
            };
            wrong.push(format!("{language} words {start:?}: {:?} {:?}", near(&words), near(&their_words)));
        }
        let ours = quality.judge(text, if language == "en" { "en" } else { "neutral" });
        for (rule, value) in &ours.measured {
            let Some(theirs) = theirs["values"][*rule].as_f64() else { continue };
            let beside = table.entry((*rule).to_owned()).or_default();
            beside.compared += 1;
            let apart = (value - theirs).abs();
            beside.equal += usize::from(apart <= 1e-6);
            beside.furthest = beside.furthest.max(apart);
            if 1e-6 < apart {
                wrong.push(format!("{language} {rule} {start:?}: {value} {theirs}"));
            }
        }
        let broke = |rules: &[&str]| ours.broken.iter().any(|broken| rules.contains(&broken.rule));
        if broke(&["c4_paragraphs"]) == theirs["c4_paragraphs"].as_bool().unwrap() {
            wrong.push(format!("{language} c4_paragraphs {start:?}"));
        }
        // Their filter was given no limit of sentences; where a word condemns the document both must say so.
        if broke(&["c4_lorem_ipsum", "c4_curly_bracket"]) == (theirs["c4"] == true) {
            wrong.push(format!("{language} c4 {start:?}: {} {:?}", theirs["c4"], ours.broken));
        }
        if let (Some(edited), Some(theirs)) = (&ours.text, theirs["c4_text"].as_str())
            && edited != theirs
        {
            wrong.push(format!("{language} c4 text {start:?}"));
        }
    }
    println!("{} documents\n{:32} compared  equal  furthest apart", documents.len(), "rule");
    for (rule, Beside { compared, equal, furthest }) in &table {
        println!("{rule:32} {compared:8} {equal:6}  {furthest:.1e}");
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
    // 8 of Gopher's quality, 13 of its repetition, 4 of FineWeb and C4's sentences.
    assert_eq!(table.len(), 26);
}

/// Pieces that meet every rule for marks, in every order of two and behind a word.
#[test]
fn odd_texts_are_split_as_spacy_splits_them() {
    let Some(tools) = tools() else { return };
    let pieces = "Mr. it's IT'S don’t cannot 'tis :) :-( hello:) Dr.Smith i.e., U.S.A. etc.) (e.g. 5km 5km/h 3.14% $5 US$5 5US$ \
                  10°C. °f. w/o and/or A/B 1/2 x=y a:b 3-4 3-D e-mail --- a--b a...b ...end end... …… a… a.b A.B a.B \
                  www.example.com example.com/a?b=c http://user:pw@example.org:8080/x 8.8.8.8 192.168.0.1 me@example.com \
                  ftp://x.y.z https://example.com. (https://example.com) C++ C# ©2026 ™ ½ 5' 6\" 'quoted' \"quoted\" “so” \
                  «so» ‘so’ rock'n'roll y'all o'clock 12pm 7a.m. \\n \\t <space> <b> & && +5 +x 5+ a+b 2^3 ^_^ >.< 1,000 a,b \
                  x_y __init__ 字。字 ёлка, Ёлка.Ёлка 5кг ١٢٣ naïve ALLCAPS. AB. A. é. 9. -. '. $. #tag ## * ** ¿qué? \
                  ¡sí! — – - ~ a~b ’s 's 'S s' gonna gotta Let's c'mon ma'am 'cause 🙂 a🙂b 🙂🙂 \u{200b} a\u{200b}b \
                  \u{ad} x\u{301}.Y 100,000.00 (c) [1] {x} |a| a|b @x @ #1 No.5 No.X v1.2.3 1.2.3.4:80 ಠ_ಠ (ツ) xD :P :D.";
    let pieces: Vec<&str> = pieces.split_whitespace().collect();
    let mut documents = Vec::new();
    for language in ["en", "de"] {
        for (at, piece) in pieces.iter().enumerate() {
            let others = pieces.iter().skip(at % 7).step_by(7);
            let text = others.fold(format!("{piece} word{piece} {piece}word  "), |text, other| {
                text + piece + other + "\n" + other + "\u{a0}" + piece + " "
            });
            documents.push((text, language.to_owned()));
        }
    }
    let segmenter = Segmenter::default();
    let mut wrong = Vec::new();
    for ((text, language), theirs) in documents.iter().zip(datatrove(&tools, &documents)) {
        let segmentation = if language == "en" { Segmentation::English } else { Segmentation::Neutral };
        let words = segmenter.words(text, segmentation);
        let theirs: Vec<&str> =
            theirs["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        if words == theirs {
            continue;
        }
        let at = words.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs).unwrap_or_default();
        let near = |words: &[&str]| {
            words.iter().skip(at.saturating_sub(2)).take(6).copied().collect::<Vec<_>>().join(" | ")
        };
        wrong.push(format!("{language}: {} <> {}", near(&words), near(&theirs)));
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), documents.len(), wrong.join("\n"));
    println!("{} texts are split alike", documents.len());
}
