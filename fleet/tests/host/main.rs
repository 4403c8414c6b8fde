//! The host's state machine, step by step, with a calendar beside it and no time but that which the test tells.
#![allow(clippy::unwrap_used, clippy::panic)]

mod alone;

use std::time::Duration;

use apiqueue_fleet::calendar::Calendar;
use apiqueue_fleet::host::{Away, Call, Host, Reply, Step, Terms};
use apiqueue_fleet::{BackendError, Lease};

pub(crate) const MS: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000_000;
/// What the server's clock is ahead of the host's.
const AHEAD: u64 = 1_760_000_000 * SECOND;

pub(crate) fn terms() -> Terms {
    Terms {
        host: 7,
        interval: 10 * MS,
        horizon: 2 * SECOND,
        timeout: 500 * MS,
        late: 10 * MS,
        max_lease: 256,
        away: Away::default(),
    }
}

pub(crate) fn with(away: Away) -> Host {
    Host::new(Terms { away, ..terms() })
}

pub(crate) fn lease(count: u32, now: u64, start: u64) -> Lease {
    Lease {
        count,
        now: AHEAD + now,
        start: AHEAD + start,
        interval: 10 * MS,
        hosts: 4,
        epoch: 1,
    }
}

pub(crate) fn away() -> BackendError {
    BackendError::Away("connection refused".to_owned())
}

/// The number of the call that the step makes, which has to be a reserve.
pub(crate) fn reserves(step: &Step) -> (u64, u32) {
    match step.call {
        Some((id, Call::Reserve(ask))) => (id, ask.want),
        ref other => panic!("{other:?}"),
    }
}

/// A host that got `lease` at `at`, for so many callers.
fn holding(count: u32, at: u64, line: usize) -> Host {
    let mut host = Host::new(terms());
    let (id, _) = reserves(&host.step(at, line));
    host.answered(at, id, Ok(Reply::Lease(lease(count, at, at))));
    host
}

#[test]
fn with_nobody_in_line_it_does_nothing_at_all() {
    let mut host = Host::new(terms());
    let step = host.step(SECOND, 0);
    assert_eq!((step.grant, step.call, step.wake), (0, None, None));
    assert!(step.news.is_none());
}

#[test]
fn slots_count_from_when_the_answer_arrived_so_that_none_is_early() {
    let mut host = Host::new(terms());
    let (id, want) = reserves(&host.step(SECOND, 3));
    assert_eq!(want, 3);
    // Given 40 ms ago, for 5 ms later.
    let arrived = SECOND + 80 * MS;
    host.answered(arrived, id, Ok(Reply::Lease(lease(3, 0, 5 * MS))));
    let step = host.step(arrived, 3);
    assert_eq!((step.grant, step.wake), (0, Some(arrived + 5 * MS)));
    assert_eq!(host.step(arrived + 5 * MS - 1, 3).grant, 0);
    let first = host.step(arrived + 5 * MS, 3);
    assert_eq!((first.grant, first.wake), (1, Some(arrived + 15 * MS)));
    assert_eq!(host.step(arrived + 15 * MS, 2).grant, 1);
    assert_eq!(host.step(arrived + 25 * MS, 1).grant, 1);
}

#[test]
fn a_slot_missed_by_more_than_the_lateness_is_gone() {
    let mut host = holding(6, SECOND, 6);
    // Held up for 35 ms: the slots at 0, 10 and 20 ms are too old, 30 is not.
    assert_eq!(host.step(SECOND + 35 * MS, 6).grant, 1);
    assert_eq!(host.counts(0).lost, 3);
    assert_eq!(host.counts(0).used, 1);
}

#[test]
fn the_next_lease_is_asked_for_before_the_end_and_only_once_the_last_has_begun() {
    let mut host = holding(8, SECOND, 20);
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
    host.answered(at, id, Ok(Reply::Lease(lease(want, at, at + 300 * MS))));
    for ahead in [0, 100, 299] {
        assert!(
            host.step(at + ahead * MS, 12).call.is_none(),
            "one is outstanding"
        );
    }
}

/// A host whose round trip is 40 ms, when it asks for the next lease: the call, and how long after the arrival of `count` slots
/// that begin 100 ms later.
fn asks_again(count: u32) -> (Host, u64, u64) {
    let mut host = Host::new(terms());
    let mut line = 60;
    let (id, _) = reserves(&host.step(SECOND, line));
    let arrived = SECOND + 40 * MS;
    host.answered(arrived, id, Ok(Reply::Lease(lease(count, 0, 100 * MS))));
    let mut at = arrived;
    loop {
        let step = host.step(at, line);
        if step.call.is_some() {
            let (id, _) = reserves(&step);
            return (host, id, at - arrived);
        }
        line -= step.grant;
        at = step.wake.unwrap();
    }
}

#[test]
fn a_far_backend_is_asked_a_round_trip_and_its_swings_before_the_end_of_the_lease() {
    // 40 ms, four times the deviation of 20 ms, and 2 ms for two wake-ups before 300 ms.
    assert_eq!(asks_again(20).2, 178 * MS);
    // That would be before the lease begins: at most one is outstanding.
    assert_eq!(asks_again(4).2, 100 * MS);
}

#[test]
fn unused_slots_are_given_back_when_the_line_has_run_empty() {
    let mut host = holding(8, SECOND, 8);
    assert_eq!(host.step(SECOND, 8).grant, 1);
    // The others have left.
    let step = host.step(SECOND + MS, 0);
    assert_eq!(step.wake, Some(SECOND + 21 * MS), "callers may come back");
    let step = host.step(SECOND + 21 * MS, 0);
    let Some((id, Call::GiveBack(lease, 6))) = step.call else {
        panic!("{step:?}");
    };
    assert_eq!(lease.count, 8);
    host.answered(SECOND + 22 * MS, id, Ok(Reply::Given(true)));
    let counts = host.counts(0);
    assert_eq!((counts.given_back, counts.lost, counts.used), (6, 1, 1));
    assert_eq!(
        host.step(SECOND + 30 * MS, 1).grant,
        0,
        "they are others' now"
    );
}

#[test]
fn slots_are_kept_while_callers_come_who_need_not_stand_in_line() {
    let mut host = holding(8, SECOND, 8);
    assert_eq!(host.step(SECOND, 8).grant, 1);
    let mut at = SECOND + MS;
    for slot in 1..8 {
        while at < SECOND + slot * 10 * MS {
            let step = host.step(at, 0);
            assert!(step.call.is_none(), "{step:?}");
            at = step.wake.unwrap().min(SECOND + slot * 10 * MS);
        }
        assert!(host.take_one(at));
    }
    assert_eq!((host.counts(0).used, host.counts(0).lost), (8, 0));
}

#[test]
fn slots_that_could_not_be_given_back_are_used_and_not_offered_again() {
    let mut host = holding(8, SECOND, 8);
    host.step(SECOND, 0);
    let step = host.step(SECOND + 20 * MS, 0);
    let Some((id, Call::GiveBack(_, 7))) = step.call else {
        panic!("{step:?}");
    };
    host.answered(SECOND + 21 * MS, id, Ok(Reply::Given(false)));
    assert!(host.step(SECOND + 60 * MS, 0).call.is_none());
    assert_eq!(host.step(SECOND + 70 * MS, 1).grant, 1);
}

#[test]
fn a_give_back_that_is_not_answered_is_never_sent_again() {
    let mut host = holding(8, SECOND, 8);
    host.step(SECOND, 0);
    assert!(matches!(
        host.step(SECOND + 20 * MS, 0).call,
        Some((_, Call::GiveBack(..)))
    ));
    for at in (520..5_000).step_by(20) {
        assert!(host.step(SECOND + at * MS, 0).call.is_none());
    }
    assert_eq!(host.counts(0).lost, 8);
}

#[test]
fn a_permit_that_came_back_goes_to_the_next_one() {
    let mut host = holding(2, SECOND, 2);
    assert_eq!(host.step(SECOND, 2).grant, 1);
    host.came_back(SECOND, 1);
    assert_eq!(host.step(SECOND + MS, 2).grant, 1);
    assert_eq!(host.step(SECOND + 2 * MS, 1).grant, 0);
    assert_eq!(host.counts(0).used, 1);
}

#[test]
fn slots_offered_back_before_a_hold_are_not_used_in_it() {
    let (mut host, id, _) = asks_again(20);
    // The line runs empty while that call is under way: there is an offer, which has to wait.
    host.step(SECOND + 300 * MS, 0);
    host.step(SECOND + 320 * MS, 0);
    host.hold(SECOND + 60 * SECOND);
    let at = SECOND + 321 * MS;
    let none = lease(0, at, at + 300 * MS);
    host.answered(at, id, Ok(Reply::Lease(none)));
    let Some((id, Call::GiveBack(..))) = host.step(at, 20).call else {
        panic!("slots are offered back");
    };
    host.answered(at, id, Ok(Reply::Given(false)));
    let Some((id, Call::Hold(_))) = host.step(at, 20).call else {
        panic!("the hold is told");
    };
    host.answered(at, id, Ok(Reply::Epoch(9)));
    assert_eq!(host.step(at + 10 * MS, 20).grant, 0);
    assert_eq!(host.held(), 0);
}

#[test]
fn slots_for_which_nobody_was_there_are_used_each_in_its_own_time() {
    let mut host = holding(6, SECOND, 6);
    // Those at 10 and 20 ms.
    assert_eq!(host.step(SECOND + 20 * MS, 6).grant, 2);
    host.unused(2);
    assert_eq!(host.next_slot(), Some(SECOND + 10 * MS));
    assert_eq!(host.step(SECOND + 25 * MS, 6).grant, 1, "10 ms is too old");
    assert_eq!(host.counts(0).used, 1);
}

#[test]
fn a_refused_host_asks_again_when_there_may_be_a_slot() {
    let mut host = Host::new(terms());
    let (id, _) = reserves(&host.step(0, 1));
    host.answered(0, id, Ok(Reply::Lease(lease(0, 0, 3 * SECOND))));
    let step = host.step(0, 1);
    assert!(step.call.is_none());
    // A horizon before, or up to four intervals after that: there are four hosts.
    let again = step.wake.unwrap();
    assert!((SECOND..=SECOND + 40 * MS).contains(&again), "{again}");
    reserves(&host.step(again, 1));
}

#[test]
fn a_refusal_until_far_away_is_looked_at_again_within_the_horizon() {
    let mut host = Host::new(terms());
    let (id, _) = reserves(&host.step(0, 1));
    host.answered(0, id, Ok(Reply::Lease(lease(0, 0, 3600 * SECOND))));
    let again = host.step(0, 1).wake.unwrap();
    assert!(
        again <= 2 * SECOND + 40 * MS,
        "a hold may have ended: {again}"
    );
}

#[test]
fn a_hold_here_acts_at_once_and_the_slots_are_offered_back_before_others_hear_of_it() {
    let mut host = holding(8, SECOND, 20);
    assert_eq!(host.step(SECOND, 20).grant, 1);
    host.hold(SECOND + 60 * SECOND);
    let step = host.step(SECOND + 10 * MS, 19);
    assert_eq!(step.grant, 0);
    let Some((id, Call::GiveBack(_, 7))) = step.call else {
        panic!("{step:?}");
    };
    host.answered(SECOND + 11 * MS, id, Ok(Reply::Given(true)));
    let step = host.step(SECOND + 11 * MS, 19);
    let Some((id, Call::Hold(left))) = step.call else {
        panic!("{step:?}");
    };
    assert_eq!(left, Duration::from_millis(59_989));
    host.answered(SECOND + 12 * MS, id, Ok(Reply::Epoch(9)));
    assert_eq!(host.epoch(), Some(9));
    // From now on the backend says when.
    reserves(&host.step(SECOND + 12 * MS, 19));
}

#[test]
fn a_lease_that_was_on_its_way_when_terms_changed_here_is_not_used() {
    let mut host = Host::new(terms());
    let (id, _) = reserves(&host.step(0, 4));
    host.retune(20 * MS);
    host.answered(MS, id, Ok(Reply::Lease(lease(4, 0, 0))));
    let step = host.step(MS, 4);
    assert_eq!(step.grant, 0);
    let Some((id, Call::GiveBack(_, 4))) = step.call else {
        panic!("{step:?}");
    };
    host.answered(2 * MS, id, Ok(Reply::Given(false)));
    assert_eq!(host.counts(0).lost, 4);
    let step = host.step(2 * MS, 4);
    assert!(
        matches!(step.call, Some((_, Call::Retune(interval))) if interval == Duration::from_millis(20))
    );
    assert_eq!(host.interval(), 20 * MS);
}

#[test]
fn other_terms_with_the_next_lease_let_the_slots_of_before_go() {
    let (mut host, id, after) = asks_again(20);
    let at = SECOND + 40 * MS + after;
    let held = host.held();
    assert!(held > 0);
    let next = Lease {
        epoch: 2,
        interval: 50 * MS,
        ..lease(4, at, at + 200 * MS)
    };
    host.answered(at, id, Ok(Reply::Lease(next)));
    assert_eq!(host.counts(0).lost, held);
    assert_eq!((host.held(), host.next_slot()), (4, Some(at + 200 * MS)));
    assert_eq!((host.interval(), host.epoch()), (50 * MS, Some(2)));
}

#[test]
fn the_same_terms_with_the_next_lease_leave_the_slots_of_before() {
    let (mut host, id, after) = asks_again(20);
    let at = SECOND + 40 * MS + after;
    let held = host.held();
    host.answered(at, id, Ok(Reply::Lease(lease(4, at, at + 200 * MS))));
    assert_eq!((host.held(), host.counts(0).lost), (held + 4, 0));
}

#[test]
fn a_call_that_takes_too_long_has_failed_and_its_answer_is_not_heard() {
    let mut host = Host::new(terms());
    let step = host.step(0, 1);
    let (id, _) = reserves(&step);
    assert_eq!(step.wake, Some(500 * MS));
    let step = host.step(500 * MS, 1);
    assert_eq!(host.in_flight(), None);
    host.answered(501 * MS, id, Ok(Reply::Lease(lease(1, 0, 0))));
    assert_eq!((host.held(), host.counts(0).failures), (0, 1));
    let again = step.wake.unwrap();
    assert!((505 * MS..=510 * MS).contains(&again), "{again}");
}

#[test]
fn an_answer_with_slots_that_were_not_asked_for_is_a_failure() {
    let good = lease(2, 0, 5 * MS);
    let bad = [
        Reply::Lease(Lease { count: 5, ..good }),
        Reply::Lease(Lease {
            interval: 0,
            ..good
        }),
        Reply::Lease(Lease {
            interval: u64::MAX,
            ..good
        }),
        Reply::Lease(Lease {
            start: good.now - 1,
            ..good
        }),
        Reply::Lease(Lease {
            start: good.now + 2 * SECOND,
            ..good
        }),
        Reply::Lease(Lease {
            count: 0,
            start: u64::MAX,
            ..good
        }),
        Reply::Given(true),
        Reply::Epoch(1),
    ];
    for reply in bad {
        let mut host = Host::new(terms());
        let (id, _) = reserves(&host.step(0, 4));
        host.answered(0, id, Ok(reply));
        assert_eq!((host.held(), host.counts(0).failures), (0, 1), "{reply:?}");
    }
}

#[test]
fn the_answer_of_a_call_that_was_given_up_is_not_taken_for_the_next_one_s() {
    let mut host = Host::new(terms());
    let (old, _) = reserves(&host.step(0, 4));
    let again = host.step(500 * MS, 4).wake.unwrap();
    let (new, _) = reserves(&host.step(again, 4));
    host.answered(again, old, Ok(Reply::Lease(lease(4, 0, 0))));
    assert_eq!((host.held(), host.in_flight()), (0, Some(new)));
}

#[test]
fn two_hosts_on_a_calendar_take_turns() {
    let mut calendar = Calendar::default();
    let mut hosts = [1, 2].map(|host| Host::new(Terms { host, ..terms() }));
    let mut releases = Vec::new();
    for at in (0..20_000 * MS).step_by(500) {
        for (id, host) in hosts.iter_mut().enumerate() {
            let step = host.step(at, 50);
            releases.extend((0..step.grant).map(|_| (at, id)));
            if let Some((number, Call::Reserve(ask))) = step.call {
                let lease = calendar.reserve(AHEAD + at, ask);
                host.answered(at, number, Ok(Reply::Lease(lease)));
            }
        }
    }
    releases.retain(|&(at, _)| at > 5 * SECOND);
    assert!(
        releases
            .windows(2)
            .all(|two| two[1].0 - two[0].0 == 10 * MS)
    );
    let first = releases.iter().filter(|&&(_, id)| id == 0).count();
    assert!((700..=800).contains(&first), "{first} of 1500");
}

#[test]
fn leaving_gives_back_at_once_and_waits_for_no_backend_that_is_away() {
    let mut host = holding(8, SECOND, 8);
    host.step(SECOND, 0);
    host.leave();
    let step = host.step(SECOND, 0);
    let Some((id, Call::GiveBack(_, 7 | 8))) = step.call else {
        panic!("{step:?}");
    };
    assert!(!host.has_left());
    host.answered(SECOND, id, Err(away()));
    host.step(SECOND, 0);
    assert!(host.has_left());
}

#[test]
fn hosts_that_seem_to_be_gone_all_at_once_are_not_believed_to_be_at_once() {
    let mut host = Host::new(terms());
    let mut seen = Vec::new();
    for hosts in [8, 1, 1, 9] {
        let (id, _) = reserves(&host.step(0, 4));
        let reply = Lease {
            hosts,
            ..lease(1, 0, 0)
        };
        host.answered(0, id, Ok(Reply::Lease(reply)));
        seen.push(host.hosts());
        assert_eq!(host.step(0, 1).grant, 1);
    }
    assert_eq!(seen, [8, 6, 4, 9]);
}
