//! When the number of hosts that a backend tells counts.

use std::time::Duration;

use apiqueue_fleet::host::{Away, Config, Host};
use apiqueue_fleet::{Calendar, Reply};

use crate::{AHEAD, MS, SECOND, alone, apart, brisk, contacts, lease, lose, one_of_four};

/// In how many parts the host divides the rate when the backend is lost at `at`: none if it releases nobody.
fn parts(host: &mut Host, at: u64) -> Option<u64> {
    let lost = lose(host, at, 1_000);
    let (releases, _) = alone(host, lost, lost + 4 * SECOND, 1_000);
    (releases.len() > 1).then(|| apart(&releases) / (10 * MS))
}

fn told(hosts: u32) -> impl Fn(u64) -> Reply {
    move |at| Reply {
        hosts,
        ..lease(1, at, at)
    }
}

/// By another state.
fn by(state: u64, hosts: u32) -> impl Fn(u64) -> Reply {
    move |at| Reply {
        born: AHEAD + state,
        ..told(hosts)(at)
    }
}

#[test]
fn a_number_counts_after_twice_the_contact_time() {
    for (asked, expected) in [
        (500, None),
        (4_500, None),
        (5_000, Some(4)),
        (9_000, Some(4)),
    ] {
        let mut host = Host::new(brisk());
        let last = SECOND + asked * MS;
        contacts(&mut host, SECOND, last, told(4));
        assert_eq!(parts(&mut host, last + 50 * MS), expected, "{asked} ms");
    }
}

#[test]
fn the_clock_of_a_host_may_begin_anywhere() {
    for from in [0, 1, 100 * SECOND, u64::MAX / 4] {
        let mut host = Host::new(brisk());
        contacts(&mut host, from, from + 4_500 * MS, |at| lease(1, at, at));
        assert_eq!(parts(&mut host, from + 4_550 * MS), None, "{from}");
    }
}

#[test]
fn a_number_counts_for_the_contact_time_after_the_last_answer() {
    for (silent, expected) in [(2_400, Some(4)), (2_600, None), (60_000, None)] {
        let (mut host, at) = one_of_four(brisk());
        assert_eq!(parts(&mut host, at + silent * MS), expected, "{silent} ms");
    }
}

/// Who comes back after a while can't know who has come meanwhile.
#[test]
fn whoever_was_silent_for_longer_than_the_contact_time_begins_anew() {
    for (silent, again, expected) in [
        (2_500, 0, Some(4)),
        (2_501, 0, None),
        (2_501, 4_500, None),
        (2_501, 5_000, Some(4)),
        (3_600_000, 1_000, None),
    ] {
        let (mut host, at) = one_of_four(brisk());
        let back = at + silent * MS;
        contacts(&mut host, back, back + again * MS, told(4));
        let at = back + again * MS + 50 * MS;
        assert_eq!(parts(&mut host, at), expected, "{silent} ms, {again} ms");
    }
}

#[test]
fn a_number_outlives_a_state_that_is_lost_and_only_grows_until_another_counts() {
    for (hosts, asked, expected) in [
        (1, 500, 4),
        (1, 4_500, 4),
        (6, 500, 6),
        (1, 5_500, 1),
        (3, 5_500, 3),
    ] {
        let (mut host, at) = one_of_four(brisk());
        let from = at + 500 * MS;
        contacts(&mut host, from, from + asked * MS, by(7, hosts));
        let at = from + asked * MS + 50 * MS;
        assert_eq!(
            parts(&mut host, at),
            Some(expected),
            "{hosts} for {asked} ms"
        );
    }
}

#[test]
fn states_that_are_lost_again_and_again_give_nobody_a_number_and_take_it_from_nobody() {
    let often = |at: u64| by(at / SECOND, 1)(at);
    let mut host = Host::new(brisk());
    contacts(&mut host, SECOND, 60 * SECOND, often);
    assert_eq!(parts(&mut host, 60 * SECOND + 50 * MS), None);

    let (mut host, at) = one_of_four(brisk());
    contacts(&mut host, at + 500 * MS, at + 60 * SECOND, often);
    assert_eq!(parts(&mut host, at + 60 * SECOND + 50 * MS), Some(4));
}

/// A backend whose clock has stepped has forgotten who was there, or counts who is gone.
#[test]
fn a_step_of_the_backend_s_clock_is_as_a_state_that_was_lost() {
    for step in [
        3600 * SECOND as i64,
        -(3600 * SECOND as i64),
        2 * SECOND as i64,
    ] {
        let stepped = move |at: u64| {
            let mut reply = told(1)(at);
            reply.learning_until = 0;
            reply.now = reply.now.checked_add_signed(step).unwrap();
            for slots in &mut reply.slots {
                slots.first = slots.first.checked_add_signed(step).unwrap();
            }
            reply
        };
        for (asked, expected) in [(500, 4), (4_500, 4), (5_500, 1)] {
            let (mut host, at) = one_of_four(brisk());
            let from = at + 500 * MS;
            contacts(&mut host, from, from + asked * MS, stepped);
            let at = from + asked * MS + 50 * MS;
            assert_eq!(parts(&mut host, at), Some(expected), "{step}, {asked} ms");
        }
        let mut host = Host::new(brisk());
        contacts(&mut host, SECOND, 5 * SECOND, told(4));
        contacts(&mut host, 5_500 * MS, 10 * SECOND, stepped);
        assert_eq!(parts(&mut host, 10_050 * MS), None, "{step}");
    }
}

#[test]
fn hosts_that_come_count_at_once() {
    let (mut host, at) = one_of_four(brisk());
    contacts(&mut host, at + 500 * MS, at + 500 * MS, told(9));
    assert_eq!(parts(&mut host, at + 550 * MS), Some(9));
}

/// With the time between asks longer than usual, so is the contact time: a slot an hour is asked for once a minute.
#[test]
fn a_slow_limit_has_a_longer_contact_time() {
    let slow = |at| {
        let mut reply = lease(1, at, at);
        reply.terms.interval = 4 * SECOND;
        reply.slots[0].step = 4 * SECOND;
        reply
    };
    let config = Config {
        interval: 4 * SECOND,
        ..brisk()
    };
    for (to, expected) in [(63, None), (67, Some(4))] {
        let mut host = Host::new(config.clone());
        contacts(&mut host, SECOND, to * SECOND, slow);
        // In contact for 32 s after the last answer.
        let lost = lose(&mut host, (to + 28) * SECOND, 1_000);
        let (releases, _) = alone(&mut host, lost, lost + 50 * SECOND, 1_000);
        let parts = (releases.len() > 1).then(|| apart(&releases) / (4 * SECOND));
        assert_eq!(parts, expected, "{to}");
    }
}

fn patient() -> Config {
    Config {
        away: Away::Share {
            at_most: Duration::from_secs(36_000),
        },
        ..brisk()
    }
}

/// Hosts on one calendar that ask from 1 s until `until`, each with a caller at each `every`; then how many parts each divides the rate in
/// where the backend is gone.
fn fleet(hosts: Vec<(Config, u64)>, until: u64) -> Vec<Option<u64>> {
    let mut calendar = Calendar::default();
    let mut hosts: Vec<_> = hosts
        .into_iter()
        .map(|(config, every)| (Host::new(config), every, 0))
        .collect();
    for at in (SECOND..until).step_by(5_000) {
        for (host, every, line) in &mut hosts {
            if at % *every == 0 && *line < 3 {
                *line += 1;
            }
            let mut step = host.step(at, *line);
            *line -= step.grant;
            if step.call.is_none() {
                step = host.step(at, *line);
                *line -= step.grant;
            }
            if let Some((id, call)) = step.call {
                host.answered(at, id, Ok(calendar.apply(AHEAD + at, &call)));
            }
        }
    }
    let parts = |(mut host, _, _): (Host, u64, usize)| {
        let interval = host.interval();
        let lost = lose(&mut host, until, 1_000);
        let most = lost + 400 * interval.max(40 * MS);
        let (releases, _) = alone(&mut host, lost, most, 1_000);
        // Slots that it holds come first.
        let own = &releases[releases.len().saturating_sub(3)..];
        (own.len() > 2).then(|| apart(own) / interval)
    };
    hosts.into_iter().map(parts).collect()
}

/// Each host is in contact as often as its own configuration has it.
#[test]
fn hosts_of_other_horizons_count_one_another() {
    let far = Config {
        host: 1,
        horizon: 20 * SECOND,
        ..patient()
    };
    let near = Config {
        host: 2,
        ..patient()
    };
    // The contact time of the first is 41 s.
    let parts = fleet(
        vec![(far, 30 * SECOND), (near, 100 * MS)],
        200 * SECOND + 50 * MS,
    );
    let sum: f64 = parts
        .iter()
        .flatten()
        .map(|parts| 1.0 / *parts as f64)
        .sum();
    assert!(sum <= 1.0, "{parts:?}");
}

/// Hosts that are busy all the time ask at least as often as their contact time says, or they could never go on without the backend.
#[test]
fn busy_hosts_have_a_number_whatever_the_rate_and_however_many_they_are() {
    let mut bad = Vec::new();
    for (interval, count, seconds) in [
        (100 * MS, 8, 60),
        (SECOND, 8, 120),
        (10 * SECOND, 8, 300),
        (100 * MS, 100, 60),
    ] {
        let config = |host| Config {
            host,
            interval,
            ..patient()
        };
        let hosts = (1..=count).map(|host| (config(host), 20 * MS)).collect();
        let parts = fleet(hosts, seconds * SECOND);
        let known = parts.iter().flatten().count() as u64;
        let what = format!("{known} of {count} at {} ms", interval / MS);
        println!("{what}");
        if known * 10 < count * 9 {
            bad.push(what);
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}
