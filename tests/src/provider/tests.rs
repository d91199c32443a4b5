//! The double at work, as a raw TCP client and as the gateway's own HTTP library see it.

mod batches;
mod client;
mod measured;
mod misbehaviour;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use super::*;
use client::{Client, Told};

const PATIENCE: Duration = Duration::from_secs(20);
const MILLI: Duration = Duration::from_millis(1);

fn start(settings: Settings) -> Provider {
    Provider::start(settings).unwrap()
}

fn behaving(act: Act) -> Provider {
    start(Settings { conduct: Conduct::always(act), ..Settings::default() })
}

/// A chat request's body.
fn chat(user: &str, max_tokens: u64) -> String {
    let messages = json!([{ "role": "system", "content": "be brief" }, { "role": "user", "content": user }]);
    json!({ "model": "m", "messages": messages, "max_tokens": max_tokens, "seed": 7 }).to_string()
}

fn call(provider: &Provider, method: &str, path: &str, headers: &str, body: &[u8]) -> Told {
    let mut client = Client::new(provider);
    client.send(method, path, headers, body);
    client.told()
}

fn ask(provider: &Provider, body: &str) -> Told {
    let mut client = Client::new(provider);
    client.ask(body);
    client.told()
}

/// Asks at the same time on connections of their own.
fn crowd(provider: &Provider, bodies: &[String]) -> Vec<Told> {
    let mut clients: Vec<_> = bodies.iter().map(|_| Client::new(provider)).collect();
    for (client, body) in clients.iter_mut().zip(bodies) {
        client.ask(body);
    }
    clients.iter_mut().map(Client::told).collect()
}

fn bodies(count: usize) -> Vec<String> {
    (0..count).map(|number| chat(&format!("page {number}"), 50)).collect()
}

#[track_caller]
fn settled(provider: &Provider) {
    assert!(provider.wait(PATIENCE, |ledger| ledger.open().0 == 0));
}

fn last(provider: &Provider) -> Entry {
    provider.ledger(|ledger| ledger.entries().last().unwrap().clone())
}

#[test]
fn a_reply_is_repeatable_priced_and_entered() {
    let settings = Settings { replies: Replies::words(20, 20), ..Settings::default() };
    let provider =
        start(Settings { price: Price { input: 0.1, cached_input: 0.1, output: 0.4 }, ..settings });
    let mut client = Client::new(&provider);
    let body = chat("page", 50);
    let told = [(); 2].map(|()| {
        client.ask(&body);
        client.told()
    });
    assert_eq!(told[0].body, told[1].body);
    assert_eq!(told[0].status, 200);
    // "be brief" and "page", and four for each message.
    assert_eq!(
        told[0].json()["usage"],
        json!({ "prompt_tokens": 11, "completion_tokens": 20, "total_tokens": 31 })
    );
    assert_eq!(told[0].text().split(' ').count(), 20);
    settled(&provider);
    let entry = last(&provider);
    assert_eq!((entry.attempt, entry.status, entry.delivery), (1, Some(200), Delivery::Complete));
    assert_eq!((entry.body, entry.key), (Digest::of(body.as_bytes()), Some(Digest::of(b"key"))));
    assert_eq!((entry.user.as_str(), entry.reserved, entry.price), ("page", 61, 11 * 100_000 + 20 * 400_000));
    assert_eq!(provider.ledger(Ledger::charge), 2 * entry.price);
    assert_eq!(provider.ledger(|ledger| ledger.requests()), 2);
    assert!(!format!("{:?}", provider.ledger(|ledger| ledger.entries().to_vec())).contains("Bearer"));
}

#[test]
fn limits_let_in_what_they_hold_and_say_what_is_left() {
    let limits = Limits {
        requests_per_minute: Some(30),
        tokens_per_minute: Some(100_000),
        retry_after: RetryAfter::Milliseconds,
        ..Limits::default()
    };
    let provider = start(Settings { limits, ..Settings::default() });
    let told = crowd(&provider, &bodies(60));
    let passed = told.iter().filter(|told| told.status == 200).count();
    // One every two seconds flows in; the crowd needs far less than that.
    assert!((30..=31).contains(&passed), "{passed}");
    let refused = told.iter().find(|told| told.status == 429).unwrap();
    assert_eq!(refused.header("x-ratelimit-limit-requests"), "30");
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
    assert!(refused.header("x-ratelimit-reset-requests").ends_with('s'));
    assert!((1..=2000).contains(&refused.header("retry-after-ms").parse::<u32>().unwrap()));
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    let first = told.iter().find(|told| told.status == 200).unwrap();
    assert_eq!(first.header("x-ratelimit-limit-tokens"), "100000");
    let minute = Duration::from_secs(60);
    let (accepted, arrived) = provider
        .ledger(|ledger| (ledger.most_in_any_window(minute), ledger.most_arrivals_in_any_window(minute)));
    assert_eq!((accepted.requests, arrived.requests), (passed as u64, 60));
    assert!(accepted.used < accepted.reserved);
    assert_eq!(provider.ledger(|ledger| ledger.answered(429)), 60 - passed as u64);
}

#[test]
fn a_request_too_large_for_any_minute_is_told_so() {
    let limits = Limits { tokens_per_minute: Some(1000), ..Limits::default() };
    let provider = start(Settings { limits, ..Settings::default() });
    let told = ask(&provider, &chat("page", 2000));
    assert_eq!((told.status, told.header("retry-after")), (429, ""));
    assert!(told.json()["error"]["message"].as_str().unwrap().starts_with("Request too large"));
}

#[test]
fn keys_models_and_contexts_are_checked() {
    let settings =
        Settings { key: Some("key".to_owned()), models: vec!["m".to_owned()], ..Settings::default() };
    let provider = start(Settings { context: Some(100), dialect: Dialect::LlamaCpp, ..settings });
    assert_eq!(ask(&provider, &chat("page", 50)).status, 200);
    assert_eq!(ask(&provider, &chat("page", 95)).json()["error"]["n_ctx"], 100);
    assert_eq!(ask(&provider, &chat("page", 50).replace("\"m\"", "\"n\"")).status, 404);
    assert_eq!(ask(&provider, "{").status, 400);
    let path = "/v1/chat/completions";
    assert_eq!(call(&provider, "POST", path, "", chat("page", 50).as_bytes()).status, 401);
    assert_eq!(call(&provider, "POST", path, "authorization: Bearer kex\r\n", b"{}").status, 401);
    assert_eq!(call(&provider, "GET", "/v1/models", "", b"").status, 401);
    let models = call(&provider, "GET", "/v1/models?x", "authorization: Bearer key\r\n", b"");
    assert_eq!(models.json()["data"][0]["id"], "m");
    assert_eq!(call(&provider, "GET", "/health", "", b"").json()["status"], "ok");
    assert_eq!(call(&provider, "GET", "/v2", "authorization: Bearer key\r\n", b"").status, 404);
    let keys = provider.ledger(Ledger::keys);
    assert_eq!(keys.len(), 3);
}

#[test]
fn a_crowd_is_turned_away_above_the_most() {
    for status in [429, 503, 529] {
        let concurrency =
            Some(Concurrency { retry_after: RetryAfter::Seconds, ..Concurrency::new(2, status) });
        let conduct = Conduct::by(|seen| if seen.number < 2 { Act::Late(PATIENCE) } else { Act::Answer });
        let provider = start(Settings { concurrency, conduct, ..Settings::default() });
        let mut under_way = [(); 2].map(|()| Client::new(&provider));
        for (number, client) in under_way.iter_mut().enumerate() {
            client.ask(&chat("page", 50));
            assert!(provider.wait(PATIENCE, |ledger| ledger.open().0 == number + 1));
        }
        let told = ask(&provider, &chat("page", 50));
        assert_eq!((told.status, told.header("retry-after")), (status, "1"));
        assert_eq!(provider.load(), (2, 0));
        drop(under_way);
        settled(&provider);
        // One after another they all find a place.
        let mut client = Client::new(&provider);
        for _ in 0..100 {
            client.ask(&chat("page", 50));
            assert_eq!(client.told().status, 200);
        }
    }
}

#[test]
fn a_queue_serves_all_at_the_speed_of_its_slots() {
    // Four words at 400 tokens a second and slot: 10 ms each, five of them one after another in each of two slots.
    let engine = Some(Engine::new(2, Curve::linear(400.0)));
    let provider = start(Settings { engine, replies: Replies::words(4, 4), ..Settings::default() });
    let begun = Instant::now();
    assert!(crowd(&provider, &bodies(10)).iter().all(|told| told.status == 200));
    let elapsed = begun.elapsed();
    assert!((50 * MILLI..PATIENCE).contains(&elapsed), "{elapsed:?}");
    assert_eq!(provider.load(), (0, 0));
}

#[test]
fn the_queue_shows_in_the_metrics_and_has_an_end() {
    let engine = Some(Engine { queue: Some(3), ..Engine::new(2, Curve::flat(1.0)) });
    for (dialect, running, waiting) in [
        (
            Dialect::Vllm,
            "vllm:num_requests_running{engine=\"0\",model_name=\"double\"} 2.0",
            "_waiting{engine=\"0\",model_name=\"double\"} 3.0",
        ),
        (Dialect::LlamaCpp, "llamacpp:requests_processing 2", "llamacpp:requests_deferred 3"),
    ] {
        let provider = start(Settings { dialect, engine: engine.clone(), ..Settings::default() });
        let mut clients: Vec<_> = (0..5).map(|_| Client::new(&provider)).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.ask(&chat("page", 50));
            assert!(provider.wait(PATIENCE, |ledger| ledger.open().0 == number + 1));
        }
        assert_eq!(ask(&provider, &chat("page", 50)).status, 503);
        let text = String::from_utf8(call(&provider, "GET", "/metrics", "", b"").body).unwrap();
        assert!(text.contains(running) && text.contains(waiting), "{text}");
        // Who waited pays nothing, who ran pays.
        while let Some(client) = clients.pop() {
            drop(client);
            assert!(provider.wait(PATIENCE, |ledger| ledger.open().0 == clients.len()));
        }
        let paid = provider
            .ledger(|ledger| ledger.entries().iter().map(|entry| 0 < entry.price).collect::<Vec<_>>());
        assert_eq!(paid[..5], [true, true, false, false, false]);
        assert_eq!(provider.load(), (0, 0));
    }
    let provider = start(Settings::default());
    assert_eq!(call(&provider, "GET", "/metrics", "", b"").status, 404);
}

#[test]
fn a_server_dies_and_is_revived_on_its_port_with_its_ledger() {
    let conduct = Conduct::by(|seen| if seen.number == 1 { Act::Late(PATIENCE) } else { Act::Answer });
    let provider = start(Settings { conduct, ..Settings::default() });
    let first = ask(&provider, &chat("page", 50)).body;
    let mut caught = Client::new(&provider);
    caught.ask(&chat("page", 50));
    assert!(provider.wait(PATIENCE, |ledger| ledger.requests() == 2 && 0 < ledger.entries()[1].price));
    provider.die();
    assert_eq!(caught.rest().0, b"");
    assert_eq!(provider.ledger(Ledger::open).0, 0);
    for _ in 0..2000 {
        let refused = TcpStream::connect(("127.0.0.1", provider.port()));
        assert_eq!(refused.map_err(|error| error.kind()).unwrap_err(), ErrorKind::ConnectionRefused);
    }
    let mark = provider.ledger(Ledger::mark);
    provider.revive().unwrap();
    provider.revive().unwrap();
    assert_eq!(ask(&provider, &chat("page", 50)).body, first);
    settled(&provider);
    let deliveries =
        provider.ledger(|ledger| ledger.entries().iter().map(|entry| entry.delivery).collect::<Vec<_>>());
    assert_eq!(deliveries, [Delivery::Complete, Delivery::Gone, Delivery::Complete]);
    assert_eq!(provider.ledger(|ledger| ledger.since(mark).len()), 1);
    let port = provider.port();
    drop(provider);
    let next = start(Settings { port, ..Settings::default() });
    assert_eq!((next.port(), ask(&next, &chat("page", 50)).status), (port, 200));
    assert!(Provider::start(Settings { port, ..Settings::default() }).is_err());
}

#[test]
fn bodies_come_in_every_coding_that_http_has() {
    let provider = start(Settings::default());
    let mut client = Client::new(&provider);
    let body = chat("page", 50);
    client.ask(&body);
    let expected = client.told().body;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n";
    let chunks = http::chunked(body.as_bytes(), 10);
    client.stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    client.stream.write_all(&chunks).unwrap();
    assert_eq!(client.told().body, expected);
    client
        .stream
        .write_all(format!("{head}expect: 100-continue\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes())
        .unwrap();
    assert_eq!(client.told().status, 100);
    client.stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(client.told().body, expected);
    client.send("POST", "/v1/chat/completions", "connection: close\r\n", body.as_bytes());
    assert!(client.rest().0.ends_with(&expected));
    let mut client = Client::new(&provider);
    client.stream.write_all(format!("{head}content-length: {}\r\n\r\n", 1_u64 << 40).as_bytes()).unwrap();
    assert_eq!(client.told().status, 413);
    assert_eq!(provider.ledger(|ledger| ledger.per_body().values().copied().collect::<Vec<_>>()), [4]);
}

/// What the library that the gateway uses makes of it.
#[test]
fn an_http_library_understands_it() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let provider = start(Settings::default());
    let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    let url = format!("{}/chat/completions", provider.endpoint());
    let ask = || {
        runtime.block_on(async {
            let response = client.post(&url).body(chat("page", 50)).send().await?;
            response.error_for_status()?.bytes().await
        })
    };
    let whole = ask().unwrap();
    for odd in [Odd::Chunked(7), Odd::Usage(Value::Null)] {
        provider.behave(Conduct::always(Act::Odd(odd)));
        ask().unwrap();
    }
    provider.behave(Conduct::good());
    for _ in 0..50 {
        assert_eq!(ask().unwrap(), whole);
    }
    assert_eq!(provider.connections(), 1);
    provider.behave(Conduct::always(Act::Reset(At::BeforeHead)));
    assert!(ask().unwrap_err().is_request());
    for act in [Act::Reset(At::InBody), Act::Close(At::InBody), Act::Odd(Odd::LongLength)] {
        provider.behave(Conduct::always(act));
        assert!(ask().unwrap_err().is_decode());
    }
    provider.behave(Conduct::always(Act::Odd(Odd::TwoLengths)));
    assert!(ask().unwrap_err().is_request());
    provider.die();
    assert!(ask().unwrap_err().is_connect());
}
