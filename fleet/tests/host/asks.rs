//! When a host asks, and for what.

use apiqueue_fleet::host::{Config, Host};
use apiqueue_fleet::{Action, Calendar, Call};

use crate::{AHEAD, MS, SECOND, config, holding, lease, reserves};

#[test]
fn the_next_lease_is_asked_for_before_the_end_and_only_once_the_last_has_begun() {
    let mut host = holding(config(), 8, SECOND, 20);
    // The round trip was 0: 2 ms are reckoned for two wake-ups.
    let end = SECOND + 80 * MS;
    let mut line = 20;
    let mut at = SECOND;
    let (id, want) = loop {
        let step = host.step(at, line);
        line -= step.grant;
        if step.call.is_some() {
            break reserves(&step);
        }
        assert!(at < end, "not asked in time");
        at = step.wake.unwrap();
    };
    assert!((end - 10 * MS..end).contains(&at), "at {at}, end {end}");
    host.answered(at, id, Ok(lease(want, at, at + 300 * MS)));
    for ahead in [0, 100, 299] {
        let step = host.step(at + ahead * MS, 12);
        assert!(step.call.is_none(), "one is outstanding");
    }
}

/// When a host whose round trip is 40 ms asks for the next lease: how long after the arrival of `count` slots that begin 100 ms later.
fn asks_again(count: u32) -> u64 {
    let mut host = Host::new(config());
    let mut line = 60;
    let (id, _) = reserves(&host.step(SECOND, line));
    let arrived = SECOND + 40 * MS;
    host.answered(arrived, id, Ok(lease(count, 0, 100 * MS)));
    assert_eq!(host.round_trip(), 40 * MS);
    let mut at = arrived;
    loop {
        let step = host.step(at, line);
        if step.call.is_some() {
            reserves(&step);
            return at - arrived;
        }
        line -= step.grant;
        at = step.wake.unwrap();
    }
}

#[test]
fn a_far_backend_is_asked_a_round_trip_and_its_swings_before_the_end_of_the_lease() {
    // 40 ms, four times the deviation of 20 ms, and 2 ms for two wake-ups before 300 ms.
    assert_eq!(asks_again(20), 178 * MS);
    // That would be before the lease begins: at most one is outstanding.
    assert_eq!(asks_again(4), 100 * MS);
}

#[test]
fn a_refused_host_asks_again_when_there_may_be_a_slot() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(0, 1));
    host.answered(0, id, Ok(lease(0, 0, 3 * SECOND)));
    let step = host.step(0, 1);
    assert!(step.call.is_none());
    // A horizon before, or up to four intervals after that: there are four hosts.
    let again = step.wake.unwrap();
    assert!((SECOND..=SECOND + 40 * MS).contains(&again), "{again}");
    reserves(&host.step(again, 1));
}

#[test]
fn a_refusal_until_far_away_is_looked_at_again_within_the_horizon() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(0, 1));
    host.answered(0, id, Ok(lease(0, 0, 3600 * SECOND)));
    let again = host.step(0, 1).wake.unwrap();
    assert!(
        again <= 2 * SECOND + 40 * MS,
        "a hold may have ended: {again}"
    );
}

#[test]
fn what_a_call_knows_goes_with_it() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(SECOND, 1));
    let mut reply = lease(0, SECOND, SECOND);
    reply.terms.hold = 59 * SECOND;
    host.answered(SECOND, id, Ok(reply));
    host.retune(10 * MS);
    let (_, call) = host.step(SECOND, 1).call.unwrap();
    assert_eq!((call.host, &*call.label), (7, "seven"));
    assert_eq!((call.known.interval, call.known.epoch), (10 * MS, 1));
    assert_eq!(call.known.hold, 59 * SECOND);
    // Horizon, timeout and interval; four times the contact time of 6 s.
    assert_eq!((call.grace, call.window), (2_510 * MS, 24 * SECOND));
    let mut host = Host::new(Config {
        at_once: true,
        ..config()
    });
    assert_eq!(host.step(0, 1).call.unwrap().1.grace, 0);
}

#[test]
fn a_heavier_host_asks_for_as_many_times_more() {
    let size = |weight, max_lease| {
        let mut host = Host::new(Config {
            weight,
            max_lease,
            ..config()
        });
        let (id, first) = reserves(&host.step(SECOND, 1_000));
        host.answered(SECOND, id, Ok(lease(0, SECOND, SECOND)));
        let at = host.step(SECOND, 1_000).wake.unwrap();
        // Four hosts: 250 ms of a slot each 40.
        let (_, want) = reserves(&host.step(at, 1_000));
        assert_eq!(want, host.lease_size());
        (first, want)
    };
    assert_eq!(size(1, 256), (25, 7));
    assert_eq!(size(3, 256), (75, 21));
    assert_eq!(size(100, 256), (256, 256));
    assert_eq!(size(1, 5), (5, 5));
    assert_eq!(size(0, 256), (25, 7));
}

/// One of so many hosts, whose callers come back so long after they were released; others ask for nothing. What it asks for, and how many
/// were released.
fn callers(hosts: u32, count: usize, think: u64, until: u64) -> (Host, Vec<(u64, Call)>, u64) {
    let mut calendar = Calendar::default();
    let mut host = Host::new(Config {
        interval: 5 * MS,
        at_once: true,
        ..config()
    });
    let mut other = Host::new(config()).step(SECOND, 1).call.unwrap().1;
    let none = Action::Reserve {
        want: 0,
        spacing: 0,
        after: 0,
        horizon: SECOND,
        burst: 1,
        gathered: 0,
    };
    (other.host, other.known.interval, other.grace, other.action) = (1, 5 * MS, 0, none);
    let mut back = vec![SECOND; count];
    let (mut asks, mut released) = (Vec::new(), 0);
    for at in (SECOND..SECOND + until).step_by(500) {
        if hosts > 1 && at % SECOND == 0 {
            calendar.apply(AHEAD + at, &other);
        }
        let line = back.iter().filter(|back| **back <= at).count();
        let step = host.step(at, line);
        released += step.grant as u64;
        let ready = back.iter_mut().filter(|back| **back <= at);
        for back in ready.take(step.grant) {
            *back = at + think;
        }
        if let Some((id, call)) = step.call {
            let reply = calendar.apply(AHEAD + at, &call);
            asks.push((at, call));
            host.answered(at, id, Ok(reply));
        }
    }
    (host, asks, released)
}

fn spacings(asks: &[(u64, Call)]) -> Vec<u64> {
    let spacing = |(_, call): &(u64, Call)| match call.action {
        Action::Reserve { want, spacing, .. } if want > 0 => Some(spacing),
        _ => None,
    };
    asks.iter().filter_map(spacing).collect()
}

#[test]
fn a_lone_caller_gets_slots_as_far_apart_as_its_calls_take() {
    let (host, asks, released) = callers(2, 1, 20 * MS, 20 * SECOND);
    let spacings = spacings(&asks);
    let late = &spacings[spacings.len() / 2..];
    assert!(
        late.iter()
            .all(|spacing| (15 * MS..=22 * MS).contains(spacing)),
        "{late:?}"
    );
    // Slots are each 5 ms: one in 20 to 25.
    assert!(released >= 760, "{released} of 1,000");
    let counts = host.counts(0);
    assert!(counts.lost * 10 <= counts.used, "{counts:?}");
    assert!(asks.len() as u64 * 3 <= released, "{} asks", asks.len());
}

#[test]
fn spaced_slots_are_asked_for_behind_those_that_are_held() {
    let thinks = [12, 18, 20, 23, 33].map(|think| callers(2, 1, think * MS, 20 * SECOND).1);
    let asks = thinks.concat();
    let behind = |(_, call): &&(u64, Call)| match call.action {
        Action::Reserve { after, spacing, .. } => spacing > 0 && after > 0,
        _ => false,
    };
    let count = asks.iter().filter(behind).count();
    assert!(count > 10, "{count} of {}", asks.len());
}

#[test]
fn a_host_that_nobody_shares_with_leaves_no_slots_between() {
    let (host, asks, released) = callers(1, 1, 20 * MS, 20 * SECOND);
    assert!(spacings(&asks).iter().all(|spacing| *spacing == 0));
    assert_eq!(host.hosts(), 1);
    assert!(released >= 760, "{released} of 1,000");
}

#[test]
fn callers_who_are_in_line_all_the_time_get_slots_one_after_the_other() {
    for (count, think) in [(10, 20 * MS), (2, 0), (1, MS)] {
        let (_, asks, released) = callers(2, count, think, 20 * SECOND);
        let spacings = spacings(&asks);
        let late = &spacings[spacings.len() / 2..];
        assert!(
            late.iter().all(|spacing| *spacing == 0),
            "{count}: {late:?}"
        );
        assert!(released >= 3_900, "{count}, {think}: {released} of 4,000");
    }
}

/// Whoever has gone for a while does not call for longer.
#[test]
fn pauses_of_a_caller_are_no_part_of_its_calls() {
    let (_, asks, _) = callers(2, 1, 400 * MS, 60 * SECOND);
    assert!(spacings(&asks).iter().all(|spacing| *spacing == 0));
}

/// The asks of one of `hosts` hosts at a limit of a slot a minute, where others get all of them: when, and for how many.
fn rare(hosts: u32, until: u64) -> Vec<(u64, u32)> {
    let mut host = Host::new(Config {
        interval: 60 * SECOND,
        ..config()
    });
    let mut asks = Vec::new();
    let mut at = SECOND;
    while at < until {
        let step = host.step(at, 1);
        if step.call.is_some() {
            let (id, want) = reserves(&step);
            asks.push((at, want));
            // The next one that nobody has, two seconds after each minute.
            let next = at - at % (60 * SECOND) + 62 * SECOND;
            let mut reply = lease(0, at, next);
            (reply.hosts, reply.terms.interval) = (hosts, 60 * SECOND);
            host.answered(at, id, Ok(reply));
        } else {
            at = step.wake.unwrap().max(at + 1);
        }
    }
    asks
}

#[test]
fn where_hosts_compete_for_rare_slots_each_asks_for_the_terms_once_a_minute_at_the_least() {
    let asks = rare(100, 6 * 3600 * SECOND);
    let gaps: Vec<u64> = asks.windows(2).map(|two| two[1].0 - two[0].0).collect();
    assert!(
        gaps.iter().all(|gap| *gap <= 60 * SECOND),
        "a hold may have been made"
    );
    // 360 minutes.
    assert!(asks.len() <= 2 * 360, "{} asks", asks.len());
    let tries = asks.iter().filter(|(_, want)| *want > 0).count();
    // One of the next 50 slots each time.
    assert!((5..=50).contains(&tries), "{tries} of 360 slots");
}

/// All of them together about twice a second.
#[test]
fn the_fewer_hosts_compete_for_rare_slots_the_sooner_each_hears_of_new_terms() {
    for (hosts, most) in [(1, 2), (8, 4), (50, 25), (100, 50), (10_000, 60)] {
        let asks = rare(hosts, 3_600 * SECOND);
        let gaps = asks.windows(2).map(|two| two[1].0 - two[0].0);
        let longest = gaps.max().unwrap();
        assert!(longest <= most * SECOND, "{hosts}: {} ms", longest / MS);
    }
}

#[test]
fn a_host_by_itself_tries_for_each_rare_slot() {
    let asks = rare(1, 3600 * SECOND);
    let tries = asks.iter().filter(|(_, want)| *want > 0).count();
    assert!((50..=130).contains(&tries), "{tries}");
}

#[test]
fn a_hold_heard_while_it_competes_for_rare_slots_acts() {
    let mut host = Host::new(Config {
        interval: 60 * SECOND,
        ..config()
    });
    let (id, _) = reserves(&host.step(SECOND, 1));
    let mut reply = lease(0, SECOND, 62 * SECOND);
    (reply.hosts, reply.terms.interval) = (1_000, 60 * SECOND);
    host.answered(SECOND, id, Ok(reply.clone()));
    let at = host.step(SECOND, 1).wake.unwrap();
    assert!(at <= 61 * SECOND);
    let (id, want) = reserves(&host.step(at, 1));
    assert_eq!(want, 0, "this slot is not its");
    (reply.now, reply.next) = (AHEAD + at, AHEAD + at + 600 * SECOND);
    (reply.terms.hold, reply.terms.epoch) = (600 * SECOND, 2);
    host.answered(at, id, Ok(reply));
    assert_eq!(host.held_until(), at + 600 * SECOND);
}
