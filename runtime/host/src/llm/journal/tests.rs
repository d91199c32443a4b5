//! The journal on a real disk, also a full one.

use rusqlite::Connection;

use super::*;
use crate::prompt::Finish;

fn entry(number: u8, outcome: Result<Reply, Failure>) -> Entry {
    Entry {
        key: [number; 32],
        model: "writer".to_owned(),
        served: "big".to_owned(),
        prompt: "{}".to_owned(),
        outcome,
        usage: Usage { prompt: 3, cached: 1, completion: 4 },
        usage_estimated: false,
        picodollars: Some(250),
        seconds: 1.5,
        answered: 1_800_000_000,
    }
}

fn reply(text: &str) -> Result<Reply, Failure> {
    Ok(Reply { text: text.to_owned(), finish: Finish::Length, prompt_tokens: 3, completion_tokens: 4 })
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("journal.sqlite");
    (folder, path)
}

/// What is ordered of the store to keep these.
fn keep(store: &mut Store, entries: &[Entry]) -> Result<(), JournalError> {
    let order = |entry: &Entry| Order::Keep(Box::new(entry.clone()), None, oneshot::channel().0);
    store.write(&entries.iter().map(order).collect::<Vec<_>>()).map(|_numbers| ())
}

/// A long text that no compression makes shorter than half of it.
fn noise() -> String {
    (0..16_384_u32).map(|number| blake3::hash(&number.to_le_bytes()).to_hex().to_string()).collect()
}

#[track_caller]
fn refuses(path: &Path, mode: Mode, expected: &str) {
    let error = Store::open(path, mode, 0).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn every_outcome_is_found_again_by_the_next_run() {
    let (_folder, path) = folder();
    let outcomes = [
        reply("für"),
        Err(Failure::Refused("no".to_owned())),
        Err(Failure::TooLong(8192)),
        Err(Failure::GaveUp("reset".to_owned())),
    ];
    let entries: Vec<_> = (0..).zip(outcomes).map(|(number, outcome)| entry(number, outcome)).collect();
    let mut first = Store::open(&path, Mode::Live, 1).unwrap();
    keep(&mut first, &entries).unwrap();
    assert!(first.find(&entries[0].key).unwrap().unwrap().this_run);
    drop(first);
    for mode in [Mode::Live, Mode::Replay] {
        let mut store = Store::open(&path, mode, 2).unwrap();
        for entry in &entries {
            let found = Found { outcome: entry.outcome.clone(), this_run: false };
            assert_eq!(store.find(&entry.key).unwrap(), Some(found));
        }
        assert_eq!(store.find(&[99; 32]).unwrap(), None);
    }
}

#[test]
fn a_failure_gives_way_to_a_reply() {
    let (_folder, path) = folder();
    let mut store = Store::open(&path, Mode::Live, 1).unwrap();
    keep(&mut store, &[entry(1, Err(Failure::GaveUp("reset".to_owned())))]).unwrap();
    keep(&mut store, &[entry(1, reply("at last"))]).unwrap();
    assert_eq!(store.find(&[1; 32]).unwrap().unwrap().outcome, reply("at last"));
}

#[tokio::test]
async fn a_kept_reply_outlives_a_kill() {
    let (folder, path) = folder();
    let journal = Journal::open(&path, Mode::Live, 1).await.unwrap();
    journal.keep(entry(1, reply("paid")), None).await.unwrap();
    // What a killed process leaves behind is the files as they are at this moment.
    let copy = folder.path().join("copy.sqlite");
    for suffix in ["", "-wal"] {
        let file = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        std::fs::copy(file(&path), file(&copy)).unwrap();
    }
    let mut store = Store::open(&copy, Mode::Replay, 2).unwrap();
    assert_eq!(store.find(&[1; 32]).unwrap().unwrap().outcome, reply("paid"));
    drop(journal);
}

#[tokio::test]
async fn many_at_once_share_commits_and_are_all_kept() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path, Mode::Live, 1).await.unwrap();
    let kept = (0..200).map(|number| journal.keep(entry(number, reply("x")), None));
    for kept in futures::future::join_all(kept).await {
        kept.unwrap();
    }
    drop(journal);
    let store = Store::open(&path, Mode::Replay, 2).unwrap();
    let count: i64 =
        store.connection.query_row("SELECT count(*) FROM answers", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 200);
}

#[test]
fn two_runs_cannot_share_a_journal() {
    let (_folder, path) = folder();
    let first = Store::open(&path, Mode::Live, 1).unwrap();
    refuses(&path, Mode::Live, "in use by another run");
    refuses(&path, Mode::Replay, "in use by another run");
    drop(first);
    Store::open(&path, Mode::Live, 2).unwrap();
}

#[test]
fn two_replays_can() {
    let (_folder, path) = folder();
    drop(Store::open(&path, Mode::Live, 1).unwrap());
    let _one = Store::open(&path, Mode::Replay, 2).unwrap();
    let _two = Store::open(&path, Mode::Replay, 2).unwrap();
}

#[test]
fn other_files_are_left_alone() {
    let (folder, missing) = folder();
    refuses(&missing, Mode::Replay, "there is no journal");
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "dear diary ".repeat(1000)).unwrap();
    refuses(&text, Mode::Live, "something else");
    assert_eq!(std::fs::read_to_string(&text).unwrap(), "dear diary ".repeat(1000));
    let other = folder.path().join("other.sqlite");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE bills (sum REAL)").unwrap();
    let before = std::fs::read(&other).unwrap();
    refuses(&other, Mode::Live, "something else");
    assert_eq!(std::fs::read(&other).unwrap(), before);
}

#[test]
fn a_journal_of_another_format_says_so() {
    let (_folder, path) = folder();
    let store = Store::open(&path, Mode::Live, 1).unwrap();
    store.connection.pragma_update(None, "user_version", 7).unwrap();
    drop(store);
    refuses(&path, Mode::Live, "has format 7");
    refuses(&path, Mode::Replay, "has format 7");
}

#[test]
fn a_full_disk_stops_the_journal_and_harms_nothing_in_it() {
    let (_folder, path) = folder();
    let mut store = Store::open(&path, Mode::Live, 1).unwrap();
    keep(&mut store, &[entry(1, reply("kept"))]).unwrap();
    store.connection.pragma_update(None, "max_page_count", 8).unwrap();
    let large = [entry(2, reply("small")), entry(3, reply(&noise()))];
    let error = keep(&mut store, &large).unwrap_err();
    assert!(matches!(error, JournalError::DiskFull { .. }), "{error:?}");
    drop(store);
    let mut store = Store::open(&path, Mode::Live, 2).unwrap();
    assert_eq!(store.find(&[1; 32]).unwrap().unwrap().outcome, reply("kept"));
    assert_eq!(store.find(&[2; 32]).unwrap(), None);
    let whole: String = store.connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}

#[tokio::test]
async fn after_an_error_nothing_more_is_accepted() {
    let (_folder, path) = folder();
    let store = Store::open(&path, Mode::Live, 1).unwrap();
    store.connection.pragma_update(None, "max_page_count", 8).unwrap();
    let (orders, received) = mpsc::channel(QUEUE);
    let owner = std::thread::spawn(move || serve(store, received));
    let journal = Journal { path, spent: Spent::default(), orders: Some(orders), owner: Some(owner) };
    let error = journal.keep(entry(1, reply(&noise())), None).await.unwrap_err();
    assert!(matches!(error, JournalError::DiskFull { .. }), "{error:?}");
    let error = journal.keep(entry(2, reply("small")), None).await.unwrap_err();
    assert!(matches!(error, JournalError::Stopped { .. }), "{error:?}");
}

#[test]
fn people_see_what_was_spent_and_take_away_what_nobody_uses() {
    let (_folder, path) = folder();
    let long = "a long text that is compressed in the file ".repeat(10);
    let mut first = Store::open(&path, Mode::Live, 1).unwrap();
    keep(&mut first, &[entry(1, reply(&long)), entry(2, reply("two")), entry(3, Err(Failure::TooLong(9)))])
        .unwrap();
    let attempt = Attempt {
        key: [4; 32],
        model: "writer".to_owned(),
        worst: Cost { requests: 1, tokens: 99, picodollars: 5_000_000_000 },
    };
    first.write(&[Order::Begin(attempt, oneshot::channel().0)]).unwrap();
    drop(first);
    // The second run uses one of them, and the third none.
    let mut second = Store::open(&path, Mode::Live, 2).unwrap();
    assert!(second.find(&[2; 32]).unwrap().is_some());
    second.close();
    drop(Store::open(&path, Mode::Live, 3).unwrap());

    let stats = admin::stats(&path).unwrap();
    let model = &stats.models["writer"];
    assert_eq!((stats.runs, model.replies, model.failures, model.used), (3, 2, 1, 0));
    assert_eq!((model.requests, model.prompt_tokens, model.completion_tokens), (3, 9, 12));
    assert_eq!(model.reply_tokens, 4.0);
    assert_eq!((model.unsure, model.dollars_unsure), (1, 0.005));
    let lines = || {
        let mut lines = Vec::new();
        admin::export(&path, |line| {
            lines.push(line);
            true
        })
        .unwrap();
        lines
    };
    assert_eq!(lines()[0].reply.as_deref(), Some(long.as_str()));
    assert_eq!(lines()[0].answered, "2027-01-15T08:00:00Z");
    assert!(lines()[2].failure.as_deref().unwrap().contains("9 tokens"), "{:?}", lines()[2]);

    assert_eq!(admin::gc(&path, 2, true).unwrap().answers, 0);
    assert_eq!(admin::gc(&path, 1, true).unwrap().answers, 2);
    // The fourth uses what the second used: neither has used the others.
    let mut fourth = Store::open(&path, Mode::Live, 4).unwrap();
    assert!(fourth.find(&[2; 32]).unwrap().is_some());
    fourth.close();
    assert_eq!(admin::gc(&path, 2, true).unwrap().answers, 2);
    assert_eq!(admin::gc(&path, 3, true).unwrap().answers, 0);
    assert_eq!(lines().len(), 3);
    assert_eq!(admin::gc(&path, 1, false).unwrap().answers, 2);
    assert_eq!(lines().len(), 1);
    let left = admin::stats(&path).unwrap().models["writer"].clone();
    assert_eq!((left.replies, left.requests, left.prompt_tokens, left.reply_tokens), (1, 3, 9, 4.0));
}
