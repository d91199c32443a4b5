//! Stages that are for some documents only, and rows of which only so many are wanted.

use crate::harness::{Place, archive, same_bytes};

const GERMAN: &str = "Der Fluss war seit dem Morgen gestiegen, und am Mittag standen die Felder in der Ebene unter \
                      Wasser. Wer mehr wissen will, schreibt an leser@zeitung.example oder kommt selbst vorbei.";
const ENGLISH: &str = "The river had been rising since the morning, and by noon the fields in the plain were under \
                       water. If you want to know more, write to reader@paper.example or come and see for yourself.";

fn place(when: &str) -> Place {
    let place = Place::new(&format!(
        "name = \"some\"\n[source]\narchives = [\"crawl.warc.gz\"]\nrecords = [\"conversion\"]\n\
         [[stages]]\nplugin = \"extract\"\nsettings = {{ min_chars = 0 }}\n[[stages]]\nplugin = \"language\"\n\
         [[stages]]\nplugin = \"pii\"\nwhen = \"{when}\"\n[sink]\npath = \"out\"\n"
    ));
    std::fs::write(place.path("crawl.warc.gz"), archive(&[GERMAN, ENGLISH])).unwrap();
    place
}

#[test]
fn a_stage_is_for_the_documents_that_its_condition_holds_for() {
    let check = |when: &str, masked: [bool; 2]| {
        let place = place(when);
        let ran = place.run(&[]).exits(0);
        let texts: Vec<bool> =
            ran.rows().iter().map(|row| !row["text"].as_str().unwrap().contains("er@")).collect();
        assert_eq!(texts, masked, "{when}");
        let flow = ran.flow("pii");
        assert_eq!((flow["taken"].as_u64(), flow["passed"].as_u64()), (Some(2), Some(2)), "{when}: {flow}");
    };
    check("language == 'de'", [true, false]);
    check("language != 'de'", [false, true]);
    check("language_score > 2", [false, false]);
    check("size(text) / 0 == 1", [false, false]);
}

#[test]
fn a_condition_on_what_nobody_writes_is_refused_before_the_run() {
    let check = |when: &str, says: &str| {
        let place = place(when);
        let ran = place.run(&[]);
        assert!(ran.code == 2 && ran.stderr.contains(says), "{when}: {} {}", ran.code, ran.stderr);
    };
    check("langauge == 'de'", "`langauge`, which no stage before it writes");
    check("pii_emails > 0", "`pii_emails`");
    check("language ==", "stages[2].when");
    check("language > 2", "`>` does not take text and integer");
}

#[test]
fn of_a_kind_of_rows_no_more_is_written_than_its_share() {
    let place = Place::new(
        "name = \"mixed\"\n[source]\narchives = [\"crawl.warc.gz\"]\nrecords = [\"conversion\"]\n\
         [[stages]]\nplugin = \"extract\"\nsettings = { min_chars = 0 }\n[[stages]]\nplugin = \"language\"\n\
         [sink]\npath = \"out\"\n[sink.mix]\nby = \"language\"\nshares = { de = 0.25 }\n",
    );
    let texts: Vec<&str> = (0..60).map(|page| if page % 2 == 0 { GERMAN } else { ENGLISH }).collect();
    std::fs::write(place.path("crawl.warc.gz"), archive(&texts)).unwrap();
    let ran = place.run(&[]).exits(0);
    let tokens = |language: &str| -> u64 {
        let rows = ran.rows();
        let of = rows.iter().filter(|row| row["language"] == language);
        of.map(|row| row["token_count"].as_u64().unwrap()).sum()
    };
    let share = tokens("de") as f64 / (tokens("de") + tokens("en")) as f64;
    assert!((share - 0.25).abs() < 0.03, "{share}");
    let flow = ran.flow("mix");
    let (passed, dropped) =
        (flow["passed"].as_u64().unwrap(), flow["dropped"]["over_share"].as_u64().unwrap());
    assert_eq!((flow["taken"].as_u64(), passed + dropped), (Some(60), 60), "{flow}");
    assert_eq!((ran.rows().len() as u64, ran.rejects().len() as u64), (passed, dropped));
    let again = place.run(&["--out", "again"]).exits(0);
    same_bytes(&ran, &again);
    let pipeline = std::fs::read_to_string(place.path("pipeline.toml")).unwrap();
    std::fs::write(place.path("pipeline.toml"), pipeline.replace("by = \"language\"", "by = \"mood\""))
        .unwrap();
    let refused = place.run(&["--out", "refused"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("no stage writes a text under `mood`"),
        "{}",
        refused.stderr
    );
}
