use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn limiter(requests: u64, tokens: u64, period: Duration, enforced: Enforced) -> (Limiter, Instant) {
    let now = Instant::now();
    let limits = Limits {
        requests_per_minute: Some(requests),
        tokens_per_minute: Some(tokens),
        request_period: period,
        token_period: period,
        enforced,
        ..Limits::default()
    };
    (Limiter::new(&limits, now), now)
}

/// How many of 100 requests a second, of so many tokens each, pass in each of some seconds.
#[track_caller]
fn passes(mut limiter: (Limiter, Instant), tokens: u64, expected: &[usize]) {
    let passed = (0..expected.len() as u32).map(|second| {
        let times = (0..100).map(|tick| limiter.1 + second * SECOND + tick * SECOND / 100);
        times.filter(|now| limiter.0.admit(*now, tokens).is_ok()).count()
    });
    assert_eq!(passed.collect::<Vec<_>>(), expected);
}

#[test]
fn a_bucket_begins_full_and_is_refilled_all_the_time() {
    passes(limiter(120, 1 << 40, 60 * SECOND, Enforced::Bucket), 1, &[100, 23, 2, 2, 2]);
    passes(limiter(1 << 40, 12_000, 60 * SECOND, Enforced::Bucket), 100, &[100, 23, 2, 2, 2]);
}

#[test]
fn a_short_period_lets_no_burst_through() {
    passes(limiter(600, 1 << 40, SECOND, Enforced::Bucket), 1, &[19, 10, 10, 10]);
    passes(limiter(600, 1 << 40, SECOND, Enforced::Window), 1, &[10, 10, 10, 10]);
    passes(limiter(6, 1 << 40, SECOND, Enforced::Bucket), 1, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn a_window_never_holds_more_than_the_limit() {
    passes(limiter(150, 1 << 40, 3 * SECOND, Enforced::Window), 1, &[7, 0, 0, 7, 0, 0, 7]);
    passes(limiter(3000, 1 << 40, 3 * SECOND, Enforced::Window), 1, &[100, 50, 0, 100, 50]);
}

#[test]
fn whoever_waits_as_told_is_let_in_and_whoever_comes_earlier_is_not() {
    for enforced in [Enforced::Bucket, Enforced::Window] {
        let (mut limiter, mut now) = limiter(7, 30_000, 60 * SECOND, enforced);
        for tokens in [18_928, 11_000, 11_159, 1, 29_999, 30_000, 12, 3000, 77] {
            while let Err(Excess::Later { wait, .. }) = limiter.admit(now, tokens) {
                let early = now + wait - Duration::from_nanos(1);
                assert!(limiter.admit(early, tokens).is_err(), "{enforced:?} {tokens}");
                now += wait;
            }
        }
    }
}

#[test]
fn the_wait_is_the_one_that_openai_documents() {
    let (mut limiter, now) = limiter(100, 30_000, 60 * SECOND, Enforced::Bucket);
    limiter.admit(now, 18_928).unwrap();
    let wait = Duration::from_millis(174);
    let excess = Excess::Later { what: "tokens", limit: 30_000, used: 18_928, wait };
    assert_eq!(limiter.admit(now, 11_159), Err(excess));
    assert_eq!(limiter.admit(now, 30_001), Err(Excess::TooLarge { limit: 30_000 }));
}

#[test]
fn a_request_larger_than_the_periods_share_passes_alone() {
    for (enforced, clear) in [(Enforced::Bucket, 3), (Enforced::Window, 1)] {
        let (mut limiter, now) = limiter(6000, 6000, SECOND, enforced);
        limiter.admit(now, 300).unwrap();
        let clear = now + clear * SECOND;
        assert!(limiter.admit(clear - Duration::from_nanos(1), 100).is_err());
        assert!(limiter.admit(clear, 100).is_ok());
    }
}

#[test]
fn what_was_not_used_is_given_back_by_order_only() {
    for (enforced, settles) in [(Enforced::Bucket, true), (Enforced::Window, true), (Enforced::Bucket, false)]
    {
        let (mut limiter, now) = limiter(100, 1000, 60 * SECOND, enforced);
        limiter.settles = settles;
        let admission = limiter.admit(now, 1000).unwrap();
        limiter.settle(now, admission, 300);
        assert_eq!(limiter.admit(now, 700).is_ok(), settles, "{enforced:?}");
        assert!(limiter.admit(now, 1).is_err());
    }
}

#[test]
fn refused_requests_count_by_order_only() {
    for (enforced, counts, wait) in [
        (Enforced::Bucket, false, SECOND / 2),
        (Enforced::Bucket, true, SECOND),
        (Enforced::Window, true, 60 * SECOND - SECOND / 2),
    ] {
        let (mut limiter, now) = limiter(60, 1 << 40, 60 * SECOND, enforced);
        limiter.counts_refused = counts;
        let passed = (0..70).filter(|_| limiter.admit(now, 1).is_ok()).count();
        assert_eq!(passed, 60);
        let again = limiter.admit(now + SECOND / 2, 1);
        assert!(matches!(again, Err(Excess::Later { what: "requests", .. })));
        let again = limiter.admit(now + SECOND / 2, 1);
        assert!(
            matches!(again, Err(Excess::Later { wait: told, .. }) if told == wait),
            "{enforced:?} {again:?}"
        );
    }
}

/// Random requests at random times, and what was let in of them.
fn let_in(mut limiter: Limiter, mut now: Instant, seed: u64) -> Vec<(Instant, u64, bool)> {
    let mut dice = seed;
    let mut roll = |most: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % most
    };
    let times = (0..3000).map(|_| {
        now += Duration::from_micros(roll(400_000) * roll(2));
        let tokens = 1 + roll(90) * roll(2);
        (now, tokens, limiter.admit(now, tokens).is_ok())
    });
    times.collect()
}

#[test]
fn a_window_lets_in_exactly_what_fits() {
    for seed in 0..20 {
        let (limiter, begun) = limiter(100, 3000, 60 * SECOND, Enforced::Window);
        let asked = let_in(limiter, begun, seed);
        for (index, (now, tokens, passed)) in asked.iter().enumerate() {
            let before = asked[..index].iter().rev().take_while(|(at, ..)| *now - *at < 60 * SECOND);
            let before: Vec<_> = before.filter(|(_, _, passed)| *passed).collect();
            let used: u64 = before.iter().map(|(_, tokens, _)| tokens).sum();
            assert_eq!(*passed, before.len() < 100 && used + tokens <= 3000, "{seed} {index}");
        }
    }
}

#[test]
fn a_bucket_never_lets_in_more_than_it_held_and_got() {
    for seed in 0..20 {
        let (limiter, begun) = limiter(100, 3000, 30 * SECOND, Enforced::Bucket);
        let passed: Vec<_> =
            let_in(limiter, begun, seed).into_iter().filter(|(.., passed)| *passed).collect();
        for (first, (from, ..)) in passed.iter().enumerate() {
            let (mut requests, mut tokens) = (0, 0);
            for (now, used, _) in &passed[first..] {
                (requests, tokens) = (requests + 1, tokens + used);
                let minutes = (*now - *from).as_secs_f64() / 60.0 + 0.5;
                assert!(f64::from(requests) <= 100.0 * minutes + 1e-6, "{seed} {first}");
                assert!(tokens as f64 <= 3000.0 * minutes + 1e-6, "{seed} {first}");
            }
        }
        // A server that refuses everything would pass the above.
        let minutes = (passed.last().unwrap().0 - begun).as_secs_f64() / 60.0;
        assert!(passed.len() as f64 > 50.0 * minutes, "{}", passed.len());
    }
}

#[test]
fn headers_tell_of_both_limits() {
    let (mut limiter, now) = limiter(60, 6000, 60 * SECOND, Enforced::Bucket);
    limiter.admit(now, 150).unwrap();
    let told: Vec<_> = limiter.headers(now).into_iter().map(|(_, value)| value).collect();
    assert_eq!(told, ["60", "59", "1s", "6000", "5850", "1.5s"]);
    let told: Vec<_> = limiter.headers(now + SECOND / 2).into_iter().map(|(_, value)| value).collect();
    assert_eq!(told, ["60", "59", "500ms", "6000", "5900", "1s"]);
}

#[test]
fn durations_are_written_as_go_does() {
    let millis = [0, 20, 1000, 1500, 8640, 60_000, 360_000, 61_001, 3_600_000];
    let written = millis.map(|millis| go_duration(Duration::from_millis(millis)));
    assert_eq!(written, ["0s", "20ms", "1s", "1.5s", "8.64s", "1m0s", "6m0s", "1m1.001s", "1h0m0s"]);
    assert_eq!(go_duration(Duration::from_nanos(1)), "1ms");
}
