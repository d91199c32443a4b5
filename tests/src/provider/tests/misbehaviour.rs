//! Every misbehaviour arrives as ordered.

use std::time::Instant;

use super::*;

/// What a raw client gets of an act: the bytes from the status line to the end, and the end.
fn broken(act: Act) -> (String, Result<(), ErrorKind>, Entry) {
    let provider = behaving(act);
    let mut client = Client::new(&provider);
    client.ask(&chat("page", 50));
    let (bytes, end) = client.rest();
    settled(&provider);
    (String::from_utf8(bytes).unwrap(), end, last(&provider))
}

#[test]
fn resets_and_closes_come_where_they_are_ordered() {
    for (act, expected) in
        [(Act::Reset as fn(At) -> Act, Err(ErrorKind::ConnectionReset)), (Act::Close, Ok(()))]
    {
        let (bytes, end, entry) = broken(act(At::BeforeHead));
        assert_eq!((bytes.as_str(), end, entry.price, entry.status), ("", expected, 0, None));
        let (bytes, end, entry) = broken(act(At::InHead));
        assert!(bytes.starts_with("HTTP/1.1 200") && !bytes.contains("\r\n\r\n"), "{bytes}");
        assert_eq!((end, entry.price, entry.status), (expected, 0, None));
        let (bytes, end, entry) = broken(act(At::InBody));
        assert!(bytes.contains("\r\n\r\n{") && !bytes.ends_with('}'), "{bytes}");
        assert_eq!((end, entry.status, entry.delivery), (expected, Some(200), Delivery::Cut));
        assert!(0 < entry.price);
    }
}

#[test]
fn what_was_lost_is_charged_by_order() {
    let conduct = Conduct::always(Act::Reset(At::BeforeHead));
    let provider = start(Settings { conduct, charge_lost: true, ..Settings::default() });
    let mut client = Client::new(&provider);
    client.ask(&chat("page", 50));
    client.rest().1.unwrap_err();
    assert!(0 < provider.ledger(Ledger::charge));
}

#[test]
fn lengths_lie_at_the_socket_too() {
    let (bytes, end, entry) = broken(Act::Odd(Odd::LongLength));
    assert!(bytes.ends_with('}') && end.is_ok());
    assert_eq!(entry.delivery, Delivery::Cut);
    let provider = behaving(Act::Odd(Odd::ShortLength));
    let mut client = Client::new(&provider);
    client.ask(&chat("page", 50));
    let told = client.told();
    assert!(!told.body.ends_with(b"}"));
    while client.held.len() < 20 {
        client.more().unwrap();
    }
    assert!(client.held.ends_with(b"}"));
    let (bytes, end, _) = broken(Act::Raw(b"SSH-2.0-no\r\n".to_vec()));
    assert_eq!((bytes.as_str(), end), ("SSH-2.0-no\r\n", Ok(())));
}

#[test]
fn slow_replies_are_slow_and_whole() {
    let begun = Instant::now();
    let provider = behaving(Act::Late(80 * MILLI));
    let whole = ask(&provider, &chat("page", 50)).body;
    assert!(80 * MILLI <= begun.elapsed());
    provider.behave(Conduct::always(Act::Drip { bytes: 40, pause: 3 * MILLI }));
    let mut client = Client::new(&provider);
    client.ask(&chat("page", 50));
    let mut reads = 0;
    while client.held.len() < whole.len() {
        reads += 1;
        client.more().unwrap();
    }
    assert!(5 < reads, "{reads}");
    assert_eq!(client.told().body, whole);
}

#[test]
fn who_goes_early_pays_for_work_and_for_nothing_else() {
    for (act, pays) in [(Act::Late(PATIENCE), true), (Act::Hang, false)] {
        let provider = behaving(act);
        let mut client = Client::new(&provider);
        client.ask(&chat("page", 50));
        assert!(provider.wait(PATIENCE, |ledger| ledger.requests() == 1 && ledger.entries()[0].accepted));
        drop(client);
        settled(&provider);
        let entry = last(&provider);
        assert_eq!((entry.delivery, 0 < entry.price), (Delivery::Gone, pays));
        assert_eq!(provider.ledger(Ledger::charge_of_complete), 0);
    }
}

/// An answer that is no reply: its status, one header, and something of its body.
#[track_caller]
fn refuses(refusal: Refusal, header: (&str, &str), body: &str) {
    let status = refusal.status;
    let provider = behaving(Act::Refuse(refusal));
    let mut client = Client::new(&provider);
    for _ in 0..2 {
        client.ask(&chat("page", 50));
        let told = client.told();
        assert_eq!((told.status, told.header(header.0)), (status, header.1));
        let text = String::from_utf8(told.body).unwrap();
        assert!(text.contains(body), "{text}");
    }
    assert_eq!(provider.ledger(|ledger| (ledger.charge(), ledger.answered(status))), (0, 2));
}

#[test]
fn every_refusal_arrives_as_ordered() {
    let wait = 1500 * MILLI;
    let html = ("content-type", "text/html");
    let json = ("content-type", "application/json");
    refuses(Refusal::busy(429).after(RetryAfter::Seconds, wait), ("retry-after", "2"), "rate_limit_exceeded");
    refuses(Refusal::busy(429).after(RetryAfter::Fraction, wait), ("retry-after", "1.500"), "slow down");
    refuses(Refusal::busy(429).after(RetryAfter::Milliseconds, wait), ("retry-after-ms", "1500"), "requests");
    refuses(Refusal::busy(429).after(RetryAfter::Text("1e9"), wait), ("retry-after", "1e9"), "requests");
    refuses(Refusal::busy(429), ("retry-after", ""), "requests");
    refuses(Refusal::html(429).after(RetryAfter::Seconds, wait), ("retry-after", "2"), "<html>");
    refuses(Refusal::html(502), html, "<h1>502</h1>");
    for status in [503, 529] {
        refuses(Refusal::busy(status), json, "overloaded_error");
    }
    refuses(Refusal::busy(408), json, "timeout");
    refuses(Refusal::broken(500), json, "server_error");
    for status in [401, 403] {
        refuses(Refusal::denied(status), json, "invalid_api_key");
    }
    refuses(Refusal::quota_spent(), json, "insufficient_quota");
    refuses(Refusal::filtered(), json, "content_filter");
    refuses(Refusal::peg_native(), json, "does not match the expected peg-native format");
    refuses(Refusal::too_long(Dialect::OpenAi, 8192, 9000, 1), json, "context_length_exceeded");
    refuses(Refusal::too_long(Dialect::Vllm, 8192, 9000, 1), json, "maximum context length is 8192 tokens");
    refuses(Refusal::too_long(Dialect::LlamaCpp, 8192, 9000, 1), json, "\"n_ctx\":8192");
    refuses(Refusal::huge(500, 10 << 20), json, &"x".repeat(10 << 20));
    refuses(Refusal::redirect(308, "http://127.0.0.1:1/"), ("location", "http://127.0.0.1:1/"), "");
    let provider = behaving(Act::Refuse(Refusal::busy(429).after(RetryAfter::Date, wait)));
    let told = ask(&provider, &chat("page", 50));
    let date = jiff::fmt::rfc2822::parse(told.header("retry-after")).unwrap().timestamp();
    assert!((0..3000).contains(&(date.as_millisecond() - jiff::Timestamp::now().as_millisecond())));
}

#[test]
fn odd_replies_arrive_whole() {
    let provider = behaving(Act::Odd(Odd::Padded(10 << 20)));
    let told = ask(&provider, &chat("page", 50));
    assert!(10 << 20 < told.body.len() && told.json().is_object());
    provider.behave(Conduct::always(Act::Odd(Odd::NotUtf8)));
    assert!(String::from_utf8(ask(&provider, &chat("page", 50)).body).is_err());
    provider.behave(Conduct::always(Act::Odd(Odd::Usage(json!({ "prompt_tokens": -1 })))));
    assert_eq!(ask(&provider, &chat("page", 50)).json()["usage"]["prompt_tokens"], -1);
    assert_eq!(provider.ledger(|ledger| ledger.entries().iter().filter(|entry| 0 < entry.price).count()), 3);
}

#[test]
fn conduct_follows_numbers_and_attempts() {
    let provider = start(Settings {
        conduct: Conduct::by(|seen| match (seen.number, seen.attempt) {
            (0, _) => Act::Refuse(Refusal::broken(500)),
            (_, 1) => Act::Refuse(Refusal::busy(503)),
            _ if seen.ask.user() == "bad" => Act::Refuse(Refusal::filtered()),
            _ => Act::Answer,
        }),
        ..Settings::default()
    });
    let statuses = ["a", "b", "b", "b", "bad"].map(|user| ask(&provider, &chat(user, 9)).status);
    assert_eq!(statuses, [500, 200, 503, 200, 400]);
    provider.behave(Conduct::first(vec![Act::Answer; 5]));
    assert_eq!(ask(&provider, &chat("bad", 9)).status, 200);
}
