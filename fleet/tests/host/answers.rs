//! Answers that come late, not at all, or are none.

use apiqueue_fleet::host::Host;
use apiqueue_fleet::{BackendError, Reply, Slots, Terms};

use crate::{AHEAD, MS, SECOND, away, config, lease, reserves};

#[test]
fn a_call_that_takes_too_long_has_failed_and_its_answer_is_not_heard() {
    let mut host = Host::new(config());
    let step = host.step(0, 1);
    let (id, _) = reserves(&step);
    assert_eq!(step.wake, Some(500 * MS));
    let step = host.step(500 * MS, 1);
    assert_eq!(host.in_flight(), None);
    host.answered(501 * MS, id, Ok(lease(1, 0, 0)));
    assert_eq!((host.held(), host.counts(0).failures), (0, 1));
    let again = step.wake.unwrap();
    assert!((505 * MS..=510 * MS).contains(&again), "{again}");
}

/// A process that was suspended reads an answer from long ago: its slots have passed.
#[test]
fn an_answer_that_is_read_after_its_timeout_is_not_used() {
    for (at, is_used) in [(499 * MS, true), (500 * MS, false), (60 * SECOND, false)] {
        let mut host = Host::new(config());
        let (id, _) = reserves(&host.step(0, 4));
        // No step in between.
        host.answered(at, id, Ok(lease(4, 0, 0)));
        assert_eq!(host.held() > 0, is_used, "{at}");
        assert_eq!(host.counts(0).failures, u64::from(!is_used));
        assert_eq!(host.epoch().is_some(), is_used);
        let failed = host.last_error().map(|(_, at)| *at);
        assert_eq!(failed, (!is_used).then_some(at));
    }
}

#[test]
fn the_answer_of_a_call_that_was_given_up_is_not_taken_for_the_next_one_s() {
    let mut host = Host::new(config());
    let (old, _) = reserves(&host.step(0, 4));
    let again = host.step(500 * MS, 4).wake.unwrap();
    let (new, _) = reserves(&host.step(again, 4));
    host.answered(again, old, Ok(lease(4, 0, 0)));
    assert_eq!((host.held(), host.in_flight()), (0, Some(new)));
    host.answered(again, new, Ok(lease(4, 0, 0)));
    host.answered(again, new, Ok(lease(4, 0, 0)));
    assert_eq!(host.held(), 4, "once");
}

fn bad() -> Vec<(&'static str, Reply)> {
    let good = lease(2, 0, 5 * MS);
    let slots = |slots: &[(u64, u32, u64)]| {
        let slots = slots
            .iter()
            .map(|&(first, count, step)| Slots { first, count, step });
        Reply {
            slots: slots.collect(),
            ..good.clone()
        }
    };
    let terms = |interval, hold| Reply {
        terms: Terms {
            interval,
            hold,
            epoch: 1,
        },
        ..good.clone()
    };
    let first = AHEAD + 5 * MS;
    vec![
        ("too many", slots(&[(first, 5, 10 * MS)])),
        (
            "together too many",
            slots(&[(first, 2, 10 * MS), (first + 20 * MS, 3, 10 * MS)]),
        ),
        ("past", slots(&[(AHEAD - 1, 2, 10 * MS)])),
        (
            "one is past",
            slots(&[(first, 1, 10 * MS), (AHEAD - 1, 1, 10 * MS)]),
        ),
        (
            "beyond the horizon",
            slots(&[(AHEAD + 2 * SECOND, 2, 10 * MS)]),
        ),
        ("endless", slots(&[(first, 2, u64::MAX)])),
        ("no step", slots(&[(first, 2, 0)])),
        ("empty", slots(&[(first, 0, 10 * MS)])),
        ("no interval", terms(0, 0)),
        ("endless interval", terms(u64::MAX, 0)),
        ("endless hold", terms(10 * MS, u64::MAX)),
        (
            "never",
            Reply {
                next: u64::MAX,
                ..lease(0, 0, 0)
            },
        ),
        (
            "learns for ever",
            Reply {
                learning_until: u64::MAX,
                ..lease(0, 0, 0)
            },
        ),
    ]
}

#[test]
fn an_answer_that_can_not_be_used_is_a_failure() {
    for (what, reply) in bad() {
        let mut host = Host::new(config());
        let (id, _) = reserves(&host.step(0, 4));
        host.answered(0, id, Ok(reply));
        assert_eq!((host.held(), host.counts(0).failures), (0, 1), "{what}");
        assert_eq!(host.epoch(), None, "{what}");
        let (why, _) = host.last_error().unwrap();
        assert!(matches!(why, BackendError::Refused(_)), "{what}: {why}");
    }
}

#[test]
fn slots_with_any_answer_but_that_to_a_reserve_are_a_failure() {
    let mut host = Host::new(config());
    host.resume();
    let (id, _) = host.step(0, 4).call.unwrap();
    host.answered(0, id, Ok(lease(1, 0, 0)));
    assert_eq!((host.held(), host.counts(0).failures), (0, 1));
}

#[test]
fn a_step_beyond_all_time_does_no_harm() {
    let mut host = Host::new(config());
    let (id, _) = reserves(&host.step(0, 4));
    let mut reply = lease(1, 0, 5 * MS);
    reply.slots[0].step = u64::MAX;
    host.answered(0, id, Ok(reply));
    host.step(0, 4);
    assert!(host.estimate(0, 9).is_some());
}

#[test]
fn more_hosts_than_there_can_be_do_no_harm() {
    for interval in [3 * SECOND, 100_000 * SECOND, 1 << 50] {
        let mut host = Host::new(config());
        for round in 0..20 {
            let at = round * 61 * SECOND;
            let Some((id, _)) = host.step(at, 4).call else {
                continue;
            };
            let mut reply = lease(0, at, at + 3 * SECOND);
            (reply.hosts, reply.terms.interval) = (u32::MAX, interval);
            host.answered(at, id, Ok(reply));
            host.step(at, 4);
            assert!(host.estimate(at, u64::MAX).is_some());
        }
    }
}

/// Pauses between failures in a row, without those of a single one.
fn pauses(host: &mut Host, mut at: u64, why: &BackendError, count: usize) -> Vec<u64> {
    let mut pauses = Vec::new();
    let mut failed = None;
    while pauses.len() < count {
        let mut step = host.step(at, 4);
        while step.call.is_none() && step.news.is_some() {
            step = host.step(at, 4);
        }
        if let Some((id, _)) = step.call {
            pauses.extend(failed.map(|before| at - before));
            failed = Some(at);
            host.answered(at, id, Err(why.clone()));
        }
        let step = host.step(at, 4);
        let wake = if step.news.is_some() {
            host.step(at, 4).wake
        } else {
            step.wake
        };
        at = wake.unwrap().max(at + 1);
    }
    pauses
}

/// Between half of them and all.
fn are(pauses: &[u64], longest: &[u64]) {
    for (pause, most) in pauses.iter().zip(longest) {
        assert!((most / 2..=*most).contains(pause), "{pauses:?}");
    }
    let last = longest.last().unwrap();
    let rest = &pauses[longest.len()..];
    let apart = rest.iter().max().unwrap() - rest.iter().min().unwrap();
    assert!(
        rest.iter().all(|pause| (last / 2..=*last).contains(pause)),
        "{pauses:?}"
    );
    assert!(apart > last / 10, "not all at the same moment: {pauses:?}");
}

#[test]
fn what_is_refused_is_tried_again_after_ten_seconds_at_most() {
    let refused = BackendError::Refused("NOAUTH".to_owned());
    let mut host = Host::new(config());
    let pauses = pauses(&mut host, SECOND, &refused, 30);
    let doubled: Vec<u64> = (0..10).map(|k| (10 * MS) << k).collect();
    are(&pauses, &[&doubled[..], &[10 * SECOND]].concat());
    assert_eq!(host.last_error().unwrap().0, refused);
}

#[test]
fn a_backend_that_is_away_is_tried_again_the_later_the_more_hosts_there_are_up_to_a_second() {
    for (hosts, longest) in [(1, 100 * MS), (4_000, 400 * MS), (100_000, SECOND)] {
        let mut host = Host::new(config());
        let (id, _) = reserves(&host.step(0, 4));
        let mut reply = lease(1, 0, 0);
        reply.hosts = hosts;
        host.answered(0, id, Ok(reply));
        host.step(0, 1);
        let pauses = pauses(&mut host, SECOND, &away(), 30);
        let doubled = (0..10).map(|k| (10 * MS) << k);
        let doubled = doubled.filter(|pause| *pause < longest);
        are(&pauses, &doubled.chain([longest]).collect::<Vec<_>>());
    }
}

#[test]
fn an_answer_ends_the_pauses_and_the_last_error_stays() {
    let mut host = Host::new(config());
    pauses(&mut host, SECOND, &away(), 10);
    let at = 100 * SECOND;
    let (id, _) = reserves(&host.step(at, 4));
    host.answered(at, id, Ok(lease(0, at, at)));
    let (why, when) = host.last_error().unwrap();
    assert_eq!(*why, away());
    assert!(*when < 3 * SECOND);
    let first = pauses(&mut host, 101 * SECOND, &away(), 1)[0];
    assert!((5 * MS..=10 * MS).contains(&first), "{first}");
}

/// An order is not lost with the call that was to tell it.
#[test]
fn holds_resumes_and_rates_are_told_until_they_are_answered() {
    let orders: [fn(&mut Host); 3] = [
        |host| host.hold(3600 * SECOND),
        Host::resume,
        |host| host.retune(20 * MS),
    ];
    for order in orders {
        let mut host = Host::new(config());
        order(&mut host);
        let (id, first) = crate::does(&host.step(SECOND, 0));
        host.answered(SECOND, id, Err(away()));
        let at = host.step(SECOND, 0).wake.unwrap();
        // Nobody answers.
        let (_, second) = crate::does(&host.step(at, 0));
        assert_eq!(
            std::mem::discriminant(&first),
            std::mem::discriminant(&second)
        );
        let mut at = at + 500 * MS;
        while host.step(at, 0).call.is_none() {
            at += MS;
        }
        assert!(host.in_flight().is_some() && !host.is_idle());
    }
}
