//! Guests that break the rules of the border: each costs the documents that it misbehaves on, under a fixed word, and
//! nothing else.

use crate::harness::{Place, Ran, archive, hostile};

const PAGES: [&str; 5] =
    ["a good page", "hostile one", "another good page", "hostile two", "the last good page"];

fn run(does: &str, stage: &str) -> Ran {
    let plugin = hostile();
    let place = Place::new(&format!(
        "name = \"hostile\"\nsource.archives = [\"pages.warc\"]\n\
         [[stages]]\nplugin = \"extract\"\nsettings = {{ min_chars = 0 }}\n\
         [[stages]]\nplugin = {plugin:?}\nsettings = {{ does = \"{does}\" }}\n{stage}\nmax_failed = 1.0\n\
         [sink]\npath = \"out\"\n"
    ));
    std::fs::write(place.path("pages.warc"), archive(&PAGES)).unwrap();
    place.into_run(&[])
}

/// The two hostile documents fail under this word; the three others become rows.
#[track_caller]
fn costs_its_own(does: &str, stage: &str, reason: &str) {
    let ran = run(does, stage).exits(1);
    let flow = ran.flow("palimpsest_hostile");
    assert_eq!(flow["failed"], serde_json::json!({ reason: 2 }), "{flow}\n{}", ran.stderr);
    let texts: Vec<_> = ran.rows().iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts, [PAGES[0], PAGES[2], PAGES[4]]);
    let rejects = ran.rejects();
    assert_eq!(rejects.len(), 2);
    assert!(
        rejects.iter().all(|it| it["reason"] == reason && it["text"].as_str().unwrap().contains("hostile"))
    );
}

#[test]
fn a_trap_costs_its_document() {
    costs_its_own("panic", "", "trap");
    costs_its_own("exit", "", "trap");
    costs_its_own("sleep", "", "trap");
}

#[test]
fn computing_for_ever_ends_at_the_time_limit() {
    costs_its_own("loop_forever", "timeout_ms = 1000", "timeout");
}

#[test]
fn recursion_ends_at_the_stack_s_limit() {
    costs_its_own("recurse", "", "stack_overflow");
}

#[test]
fn memory_ends_at_the_limit_of_the_instance() {
    costs_its_own("take_memory", "memory_mb = 64", "out_of_memory");
}

#[test]
fn what_is_returned_is_limited() {
    costs_its_own("return_too_much", "", "return_too_large");
    costs_its_own("return_many_drafts", "", "too_many_drafts");
    costs_its_own("emit_nothing", "", "no_drafts");
}

#[test]
fn a_draft_that_breaks_the_contract_is_refused() {
    costs_its_own("undeclared_field", "", "undeclared_field");
    costs_its_own("wrong_kind", "", "wrong_kind");
    costs_its_own("not_finite", "", "not_finite");
    costs_its_own("bad_span", "", "bad_span");
}

#[test]
fn asking_is_limited_and_granted() {
    costs_its_own("ask_too_many", "", "too_many_prompts");
    costs_its_own("ask_for_nothing", "", "plugin_error");
    costs_its_own("ask_ungranted", "", "denied");
    costs_its_own("count_ungranted", "", "denied");
    costs_its_own("classify", "", "denied");
    costs_its_own("post_too_much", "", "denied");
    costs_its_own("post_many_times", "", "denied");
    costs_its_own("post_for_nobody", "", "denied");
    costs_its_own("fail", "", "plugin_error");
}

#[test]
fn a_file_that_was_not_granted_is_refused_with_the_cure() {
    let ran = run("read_ungranted", "").exits(0);
    let seen: Vec<_> = ran.rows().iter().filter_map(|row| row["seen"].as_str().map(str::to_owned)).collect();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].contains("files.secrets = { path = "), "{seen:?}");
}

#[test]
fn a_file_that_was_granted_is_read() {
    let ran = run("read_ungranted", "files.secrets = { path = \"pages.warc\" }").exits(0);
    let flow = ran.flow("palimpsest_hostile");
    assert_eq!(flow["dropped"], serde_json::json!({ "read_it": 2 }));
}

#[test]
fn made_up_reasons_and_a_flooded_log_do_no_harm() {
    let ran = run("make_up_reasons", "").exits(0);
    assert_eq!(ran.flow("palimpsest_hostile")["passed"], 3);
    let ran = run("flood_log", "").exits(0);
    assert!(ran.stderr.len() < 100_000, "{}", ran.stderr.len());
    assert_eq!(ran.rows().len(), 5);
}

#[test]
fn the_sandbox_has_nothing_in_it_and_its_clock_stands_at_the_capture() {
    let ran = run("look_around", "").exits(0);
    let seen: Vec<_> = ran.rows().iter().filter_map(|row| row["seen"].as_str().map(str::to_owned)).collect();
    let expected = "seconds 1790856000 arguments 0 variables 0 files false seed ";
    assert!(seen.len() == 2 && seen.iter().all(|it| it.starts_with(expected)), "{seen:?}");
    // In a fresh instance even the seeds of hash tables are the same; in a reused one Rust counts them up.
    let again = run("look_around", "isolation = \"fresh\"").exits(0);
    let fresh: Vec<_> =
        again.rows().iter().filter_map(|row| row["seen"].as_str().map(str::to_owned)).collect();
    assert_eq!(fresh, [seen[0].clone(), seen[0].clone()]);
}

#[test]
fn fresh_isolation_forgets_and_reuse_does_not() {
    let seen = |stage: &str| -> Vec<String> {
        let ran = run("remember", stage).exits(0);
        ran.rows().iter().filter_map(|row| row["seen"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(seen("isolation = \"fresh\""), ["0", "0"]);
    // With several workers each has its own instance, so only that some call was remembered or none can be told.
    assert_eq!(seen("").len(), 2);
}

#[test]
fn a_stage_that_fails_on_nearly_everything_stops_the_run() {
    let plugin = hostile();
    let place = Place::new(&format!(
        "name = \"broken\"\nsource.archives = [\"pages.warc\"]\n[[stages]]\nplugin = \"extract\"\n\
         settings = {{ min_chars = 0 }}\n[[stages]]\nplugin = {plugin:?}\nsettings = {{ does = \"fail\" }}\n\
         [sink]\npath = \"out\"\n"
    ));
    std::fs::write(place.path("pages.warc"), archive(&["hostile"; 300])).unwrap();
    place.run(&[]).exits(3).says(&["the stage `palimpsest_hostile` failed on", "max_failed"]);
}

#[test]
fn components_that_are_no_plugins_stop_before_any_work() {
    let check = |bytes: &[u8], words: &[&str]| {
        let place = Place::new(
            "name = \"x\"\nsource.archives = [\"pages.warc\"]\n[[stages]]\nplugin = \"it.wasm\"\n[sink]\npath = \"out\"\n",
        );
        std::fs::write(place.path("pages.warc"), archive(&PAGES)).unwrap();
        std::fs::write(place.path("it.wasm"), bytes).unwrap();
        let ran = place.run(&[]).exits(2).says(words);
        assert!(!ran.sink.join("data").exists());
    };
    check(b"not wasm at all", &["cannot use the plugin `it.wasm`", "no WebAssembly component"]);
    // A core module of eight bytes, and a component of eight bytes.
    check(b"\0asm\x01\0\0\0", &["no WebAssembly component", "wasm-tools component new"]);
    check(b"\0asm\x0d\0\x01\0", &["no plugin of the world"]);
}

#[test]
fn settings_that_a_plugin_does_not_accept_stop_before_any_work() {
    let plugin = hostile();
    let place = Place::new(&format!(
        "name = \"x\"\nsource.archives = [\"pages.warc\"]\n[[stages]]\nplugin = {plugin:?}\nsettings = {{ dose = 1 }}\n\
         [sink]\npath = \"out\"\n"
    ));
    std::fs::write(place.path("pages.warc"), archive(&PAGES)).unwrap();
    place.run(&[]).exits(2).says(&["does not accept its settings", "unknown field `dose`", "JSON Schema"]);
}
