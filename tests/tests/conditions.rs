//! Stages that are for some documents only.

use crate::harness::{Place, archive};

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
