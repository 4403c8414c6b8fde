//! What others are told of a host.

use std::time::Duration;

use apiqueue_fleet::Reply;
use apiqueue_fleet::host::{Away, Config, Host};

use crate::{MS, SECOND, alone, away, brisk, config, holding, lease, lose, one_of_four, reserves};

#[test]
fn hosts_that_seem_to_be_gone_all_at_once_are_not_believed_to_be_at_once() {
    let mut host = Host::new(config());
    let mut seen = Vec::new();
    let mut at = SECOND;
    for hosts in [8, 1, 1, 9] {
        let (id, _) = reserves(&host.step(at, 4));
        let reply = Reply {
            hosts,
            ..lease(0, at, at + SECOND)
        };
        host.answered(at, id, Ok(reply));
        seen.push(host.hosts());
        at = host.step(at, 4).wake.unwrap();
    }
    assert_eq!(seen, [8, 6, 4, 9]);
}

#[test]
fn an_estimate_is_the_slot_that_is_held_or_as_many_intervals_later_as_all_hosts_take() {
    let host = holding(config(), 8, SECOND, 20);
    for ahead in 0..8 {
        let slot = SECOND + ahead * 10 * MS;
        assert_eq!(host.estimate(SECOND, ahead), Some(slot));
    }
    // Of four hosts.
    for further in 0..3 {
        let at = SECOND + 80 * MS + further * 40 * MS;
        assert_eq!(host.estimate(SECOND, 8 + further), Some(at));
    }
    assert!(host.estimate(SECOND, u64::MAX).unwrap() > SECOND);
    assert_eq!(Host::new(config()).estimate(SECOND, 0), Some(SECOND));
}

#[test]
fn nobody_is_expected_to_go_in_a_hold_or_while_the_backend_learns() {
    let mut host = holding(config(), 8, SECOND, 20);
    host.hold(5 * SECOND);
    for ahead in [0, 3, 20] {
        assert!(host.estimate(SECOND, ahead).unwrap() >= 5 * SECOND);
    }
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(SECOND, 4));
    let mut reply = lease(0, SECOND, 4 * SECOND);
    reply.learning_until = reply.next;
    host.answered(SECOND, id, Ok(reply));
    assert_eq!(host.learning_until(), 4 * SECOND);
    assert_eq!(host.estimate(SECOND, 0), Some(4 * SECOND));
}

#[test]
fn an_estimate_without_the_backend_is_by_its_own_schedule_and_none_once_that_ends() {
    let (mut host, at) = one_of_four(Config {
        away: Away::Share {
            at_most: Duration::from_secs(4),
        },
        ..brisk()
    });
    let lost = lose(&mut host, at + 100 * MS, 1_000);
    let first = host.estimate(lost, 0).unwrap();
    assert_eq!(host.estimate(lost, 5), Some(first + 200 * MS));
    assert_eq!(host.estimate(lost, 120), None, "nobody after 4 s");
    let (releases, _) = alone(&mut host, lost, lost + SECOND, 1_000);
    assert_eq!(releases[0], first);
}

/// While a new state learns, this host's part goes on.
#[test]
fn an_estimate_while_the_backend_learns_is_by_its_own_schedule() {
    let (mut host, at) = one_of_four(brisk());
    let from = at + 500 * MS;
    let (id, _) = reserves(&host.step(from, 1_000));
    let mut reply = lease(0, from, from + 800 * MS);
    (reply.born, reply.learning_until) = (reply.now, reply.next);
    host.answered(from, id, Ok(reply));
    let expected = host.estimate(from, 0).unwrap();
    assert!(expected <= from + 80 * MS, "{} ms", (expected - from) / MS);
}

#[test]
fn counts_tell_of_the_time_without_the_backend_while_it_lasts() {
    let mut host = Host::new(config());
    let lost = lose(&mut host, SECOND, 4);
    assert_eq!(host.away_since(), Some(lost));
    assert_eq!(host.counts(lost + SECOND).away, SECOND);
    assert_eq!(host.counts(lost + SECOND).times_away, 1);
    let mut at = lost + SECOND;
    let id = loop {
        let step = host.step(at, 4);
        if let Some((id, _)) = step.call {
            break id;
        }
        at += MS;
    };
    host.answered(at, id, Ok(lease(0, at, at)));
    let counts = host.counts(at + 60 * SECOND);
    assert_eq!((counts.away, counts.times_away), (at - lost, 1));
    assert_eq!(
        host.last_error().map(|(why, at)| (why.clone(), *at)),
        Some((away(), lost))
    );
}

#[test]
fn a_host_is_idle_when_it_owes_nobody_anything() {
    let mut host = Host::new(config());
    assert!(host.is_idle() && !host.has_left());
    let (id, _) = reserves(&host.step(SECOND, 1));
    assert!(!host.is_idle(), "it waits for an answer");
    host.answered(SECOND, id, Ok(lease(1, SECOND, SECOND)));
    assert!(!host.is_idle(), "it holds a slot");
    assert_eq!(host.step(SECOND, 1).grant, 1);
    assert!(host.is_idle());
    host.resume();
    assert!(!host.is_idle(), "it has something to tell");
}
