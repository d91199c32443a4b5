use server::{Dice, Lengths, Server, World};

use super::*;

mod server;

const CEILING: usize = 512;
const SECOND: Duration = Duration::from_secs(1);

const QUEUES: Server = Server {
    slots: 4,
    cap: usize::MAX,
    curve: f64::sqrt,
    prompt: 0.0,
    lengths: Lengths::Even,
    shared: false,
    speaks: false,
};

fn refuses(cap: usize) -> Server {
    Server { slots: usize::MAX, cap, curve: |calls| calls, ..QUEUES }
}

/// Nears nine times the rate of one call.
fn bounded(calls: f64) -> f64 {
    9.0 * calls / (calls + 8.0)
}

/// Hardly any faster with many calls than with one.
fn flat(calls: f64) -> f64 {
    3.0 * calls / (calls + 2.0)
}

/// Tokens per second of 2,000 prompts from the first to the last.
fn of_a_run(adaptive: Adaptive, server: Server, seed: u64) -> f64 {
    let mut world = World::new(adaptive, server, seed);
    world.prompts = 2_000;
    world.replies(2_000).rate()
}

/// Tokens per second after the first 2,000 replies, and the highest limit then.
fn later(adaptive: Adaptive, server: Server, seed: u64) -> (f64, usize) {
    let mut world = World::new(adaptive, server, seed);
    world.replies(2_000);
    let seen = world.replies(6_000);
    (seen.rate(), seen.highest)
}

/// What the best fixed number of calls under way reaches, found by trying them all.
fn best(rate: impl Fn(Adaptive) -> f64) -> f64 {
    let limits = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
    limits.into_iter().map(|limit| rate(Adaptive::fixed(limit))).fold(0.0, f64::max)
}

/// Asserts that a server that is not known is used as well as if it were.
#[track_caller]
fn check_queue(server: Server, least_of_a_run: f64, least_later: f64) {
    let best_run = best(|adaptive| of_a_run(adaptive, server, 1));
    let best_later = best(|adaptive| later(adaptive, server, 1).0);
    for seed in 1..=2 {
        let run = of_a_run(Adaptive::new(CEILING), server, seed) / best_run;
        assert!(least_of_a_run <= run, "{run:.3} of the best from the start: {server:?}, seed {seed}");
        let (rate, highest) = later(Adaptive::new(CEILING), server, seed);
        let later = rate / best_later;
        assert!(least_later <= later, "{later:.3} of the best later on: {server:?}, seed {seed}");
        assert!(!server.speaks || highest <= 2 * server.slots, "up to {highest}: {server:?}");
    }
}

#[test]
fn a_queue_that_speaks_is_kept_short_and_never_empty() {
    for slots in [1, 2, 4, 16, 64, 256] {
        check_queue(Server { slots, speaks: true, ..QUEUES }, 0.95, 0.98);
        check_queue(Server { slots, speaks: true, curve: bounded, ..QUEUES }, 0.95, 0.98);
    }
}

#[test]
fn the_room_of_a_silent_queue_is_found() {
    for slots in [1, 2, 4, 16, 64, 256] {
        check_queue(Server { slots, ..QUEUES }, 0.9, 0.97);
        check_queue(Server { slots, curve: bounded, ..QUEUES }, 0.95, 0.97);
        check_queue(Server { slots, curve: flat, ..QUEUES }, 0.95, 0.97);
    }
}

#[test]
fn long_prompts_and_replies_of_every_length_do_not_hide_it() {
    for slots in [1, 2, 4, 16, 64, 256] {
        check_queue(Server { slots, prompt: 100.0, ..QUEUES }, 0.9, 0.95);
        // Half of the replies take ten times as long for each token as the others.
        let mixed = Server { slots, prompt: 100.0, lengths: Lengths::Mixed, ..QUEUES };
        check_queue(mixed, 0.6, 0.95);
    }
}

#[test]
fn nor_does_a_machine_that_others_use() {
    for slots in [1, 4, 16, 64] {
        check_queue(Server { slots, shared: true, ..QUEUES }, 0.75, 0.9);
    }
}

#[test]
fn a_silent_queue_does_not_grow_without_end() {
    for slots in [1, 4, 16] {
        let mut world = World::new(Adaptive::new(CEILING), Server { slots, ..QUEUES }, 3);
        world.replies(20_000);
        let limits: usize = (0..200).map(|_| world.replies(100).highest).sum();
        assert!(limits / 200 <= 4 * slots, "{} calls for {slots} slots", limits / 200);
    }
}

#[test]
fn a_server_that_gets_more_machines_gets_more_calls_and_the_other_way_round() {
    for speaks in [true, false] {
        let mut world = World::new(Adaptive::new(CEILING), Server { speaks, ..QUEUES }, 1);
        world.replies(2_000);
        world.server.slots = 64;
        world.replies(3_000);
        let share = world.replies(2_000).under_way() / 64.0;
        assert!(0.95 < share, "{share:.2} of the slots are in use");
        world.server.slots = 4;
        world.replies(20_000);
        assert!(world.adaptive.limit() < 48, "{} calls for 4 slots", world.adaptive.limit());
    }
}

#[test]
fn a_server_that_refuses_is_used_to_its_limit_and_hardly_ever_refuses() {
    for cap in [1, 5, 50, 400] {
        let mut world = World::new(Adaptive::new(CEILING), refuses(cap), 1);
        world.seconds(300);
        let seen = world.seconds(3_000);
        let share = seen.under_way() / cap as f64;
        assert!(0.95 <= share, "{share:.3} of {cap}");
        assert!(seen.refused * 66 < seen.sent, "{} of {} refused by {cap}", seen.refused, seen.sent);
    }
}

#[test]
fn a_limit_that_changes_is_followed() {
    let mut world = World::new(Adaptive::new(CEILING), refuses(50), 1);
    for (cap, seconds) in [(50, 60), (10, 60), (200, 180)] {
        world.server.cap = cap;
        world.seconds(seconds);
        let seen = world.seconds(300);
        let share = seen.under_way() / cap as f64;
        assert!(0.9 <= share, "{share:.3} of {cap} in use after {seconds} s");
        assert!(seen.refused * 66 < seen.sent, "{} of {} refused by {cap}", seen.refused, seen.sent);
    }
}

/// The limit that learned to be `limit`, with nothing under way.
fn learned(limit: usize) -> Adaptive {
    Adaptive { limit, ..Adaptive::new(CEILING) }
}

fn begin(adaptive: &mut Adaptive, calls: usize, now: Instant) -> Vec<Begun> {
    (0..calls).map(|_| adaptive.begin(now)).collect()
}

#[test]
fn a_burst_of_refusals_is_one_cut() {
    let now = Instant::now();
    let mut adaptive = learned(8);
    for begun in begin(&mut adaptive, 5, now) {
        adaptive.overload(begun, None, now);
    }
    assert_eq!(adaptive.limit(), 6);

    let mut adaptive = learned(100);
    let calls = begin(&mut adaptive, 100, now);
    for &begun in &calls[..5] {
        adaptive.overload(begun, None, now);
    }
    assert_eq!(adaptive.limit(), 75);
    // They took 95; it grows back to nine tenths of that at once.
    for &begun in &calls[5..] {
        adaptive.success(begun, 100, true, now + 2 * SECOND);
    }
    assert_eq!(adaptive.limit(), 89);
    let begun = adaptive.begin(now + 3 * SECOND);
    adaptive.overload(begun, None, now + 3 * SECOND);
    assert_eq!(adaptive.limit(), 66);
}

#[test]
fn a_refusal_that_has_nothing_to_do_with_the_number_is_not_remembered() {
    let now = Instant::now();
    let mut adaptive = learned(100);
    for begun in begin(&mut adaptive, 5, now) {
        adaptive.overload(begun, None, now);
    }
    assert_eq!((adaptive.limit(), adaptive.ceiling.as_ref().map(|ceiling| ceiling.at)), (75, None));

    let calls = begin(&mut adaptive, 75, now);
    adaptive.overload(calls[0], None, now);
    assert_eq!((adaptive.limit(), adaptive.ceiling.as_ref().map(|ceiling| ceiling.at)), (56, Some(74)));
    calls.into_iter().skip(1).for_each(|begun| adaptive.abandon(begun));
    for begun in begin(&mut adaptive, 5, now) {
        adaptive.overload(begun, None, now);
    }
    assert_eq!((adaptive.limit(), adaptive.ceiling.as_ref().map(|ceiling| ceiling.at)), (42, Some(74)));
}

#[test]
fn nothing_grows_while_a_server_wants_to_be_left_alone() {
    #[track_caller]
    fn check(retry_after: Option<Duration>, cooldown: Duration) {
        let now = Instant::now();
        let mut adaptive = learned(100);
        let calls = begin(&mut adaptive, 100, now);
        adaptive.overload(calls[0], retry_after, now);
        adaptive.success(calls[1], 100, true, now + cooldown - SECOND / 10);
        assert_eq!(adaptive.limit(), 75);
        adaptive.success(calls[2], 100, true, now + cooldown);
        assert_eq!(adaptive.limit(), 76);
    }
    check(None, COOLDOWN);
    check(Some(Duration::ZERO), COOLDOWN);
    check(Some(20 * SECOND), 20 * SECOND);
    check(Some(Duration::MAX), MAX_COOLDOWN);
}

#[test]
fn a_server_that_is_starting_is_not_taken_for_a_small_one() {
    let mut world = World::new(Adaptive::new(CEILING), refuses(0), 1);
    world.seconds(5);
    assert_eq!(world.adaptive.limit(), 1);
    world.server.cap = 50;
    world.seconds(60);
    assert!(45 <= world.adaptive.limit(), "{} of 50", world.adaptive.limit());
}

#[test]
fn a_limit_that_nobody_waits_for_stays() {
    let now = Instant::now();
    let ends = |adaptive: &mut Adaptive| {
        for second in 0..1_000 {
            let now = now + second * SECOND;
            for begun in begin(adaptive, 40, now) {
                adaptive.success(begun, 100, false, now + SECOND);
            }
        }
        adaptive.limit()
    };
    assert_eq!(ends(&mut learned(40)), 40);
    let mut said = learned(40);
    said.metrics(10, 0, now);
    assert_eq!(ends(&mut said), 40);
    let mut refused = learned(40);
    let calls = begin(&mut refused, 40, now);
    refused.overload(calls[0], None, now);
    assert_eq!(ends(&mut refused), 30);
}

#[test]
fn what_a_server_says_of_its_queue_decides() {
    #[track_caller]
    fn check(running: u64, waiting: u64, limit: usize) {
        let now = Instant::now();
        let mut adaptive = learned(64);
        let calls = begin(&mut adaptive, 64, now);
        adaptive.metrics(running, waiting, now);
        adaptive.success(calls[0], 100, true, now + SECOND);
        assert_eq!(adaptive.limit(), limit, "{running} running, {waiting} waiting");
    }
    check(64, 0, 128);
    check(60, 4, 64);
    check(43, 21, 64);
    // Half of the way to one and a half times what runs.
    check(32, 32, (64 + 48) / 2);
    check(4, 60, (64 + 6) / 2);
    // Others send it calls as well.
    check(64, 1_000, 64);
    // One of two servers behind a balancer.
    check(16, 16, (64 + 48) / 2);
    check(8, 24, (64 + 24) / 2);
    // It is starting; and it is mad.
    check(0, 64, 64);
    check(0, 0, 128);
    check(u64::MAX, u64::MAX, 64);
    check(1, u64::MAX, (64 + 2) / 2);
}

#[test]
fn what_a_server_said_once_is_not_believed_for_ever() {
    let mut world = World::new(Adaptive::new(CEILING), Server { slots: 64, speaks: true, ..QUEUES }, 1);
    world.replies(1_000);
    assert_eq!(world.adaptive.queue(world.now()), Some(Queue::Short));
    world.server.speaks = false;
    world.server.slots = 256;
    world.replies(5_000);
    let share = world.replies(2_000).under_way() / 256.0;
    assert!(0.95 < share, "{share:.2} of the slots are in use");
}

#[test]
fn a_limit_that_is_known_stays() {
    let now = Instant::now();
    let mut adaptive = Adaptive::fixed(4);
    for _ in 0..100 {
        let calls = begin(&mut adaptive, 4, now);
        adaptive.overload(calls[0], None, now);
        adaptive.metrics(1, 100, now);
        adaptive.success(calls[1], 100, true, now + SECOND);
        adaptive.success(calls[2], 100, true, now + SECOND);
        adaptive.abandon(calls[3]);
    }
    assert_eq!((adaptive.limit(), adaptive.under_way), (4, 0));
    assert_eq!(Adaptive::fixed(0).limit(), 1);
    assert_eq!(Adaptive::new(0).limit(), 1);
    assert_eq!(Adaptive::new(3).limit(), 3);
}

#[test]
fn whatever_happens_the_limit_stays_within_its_bounds() {
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let mut roll = |sides: f64| (dice.roll() * sides) as u64;
        let ceiling = 1 + usize::try_from(roll(40.0)).unwrap();
        let mut adaptive = Adaptive::new(ceiling);
        let mut calls = Vec::new();
        let mut now = Instant::now();
        for _ in 0..2_000 {
            now += Duration::from_millis(roll(500.0));
            match roll(12.0) {
                0 => adaptive.metrics(roll(100.0), roll(100.0), now),
                1..6 => calls.push(adaptive.begin(now)),
                kind if !calls.is_empty() => {
                    let begun = calls.swap_remove(usize::try_from(roll(calls.len() as f64)).unwrap());
                    match kind {
                        6 => adaptive.overload(begun, Some(Duration::from_secs(roll(9.0))), now),
                        7 => adaptive.abandon(begun),
                        _ => adaptive.success(begun, u32::try_from(roll(3.0)).unwrap(), roll(4.0) > 0, now),
                    }
                }
                _ => {}
            }
            assert!((1..=ceiling).contains(&adaptive.limit()), "{} of {ceiling}", adaptive.limit());
            assert_eq!(adaptive.under_way, calls.len());
        }
    }
}
