//! The calendar: what a backend keeps of one limit.
#![allow(clippy::unwrap_used)]

mod burst;
mod extremes;
mod oracle;
mod priorities;
mod terms;

use apiqueue_fleet::calendar::MAX_RUNS;
use apiqueue_fleet::{Action, Calendar, Call, Reply, Slots, Terms};

pub(crate) const MS: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000_000;
/// The server's clock at the start of a test: of today.
pub(crate) const NOW: u64 = 1_760_000_000 * SECOND;

pub(crate) fn call(host: u64, action: Action) -> Call {
    Call {
        host,
        label: "host".into(),
        priority: 0,
        known: Terms {
            interval: 10 * MS,
            ..Terms::default()
        },
        grace: 2_510 * MS,
        window: 10 * SECOND,
        action,
    }
}

pub(crate) fn ask(host: u64, want: u32) -> Call {
    spaced(host, want, 0, 0)
}

pub(crate) fn spaced(host: u64, want: u32, spacing: u64, after: u64) -> Call {
    let action = Action::Reserve {
        want,
        spacing,
        after,
        horizon: 2 * SECOND,
        burst: 1,
        gathered: 0,
    };
    call(host, action)
}

pub(crate) fn back(lease: &Reply, slots: Vec<Slots>) -> Call {
    let action = Action::GiveBack {
        born: lease.born,
        epoch: lease.terms.epoch,
        slots,
    };
    call(1, action)
}

/// A calendar that is past its grace, and when.
pub(crate) fn rested() -> (Calendar, u64) {
    let mut calendar = Calendar::default();
    calendar.apply(NOW, &ask(0, 0));
    (calendar, NOW + 10 * SECOND)
}

pub(crate) fn run(first: u64, count: u32, step: u64) -> Slots {
    Slots { first, count, step }
}

pub(crate) fn each(slots: &[Slots]) -> Vec<u64> {
    let one_by_one = |slots: &Slots| {
        let slots = *slots;
        (0..u64::from(slots.count)).map(move |k| slots.first + k * slots.step)
    };
    slots.iter().flat_map(one_by_one).collect()
}

/// When the slots of an answer are, in milliseconds after `now`.
fn ms(now: u64, reply: &Reply) -> Vec<u64> {
    let slots = each(&reply.slots);
    slots.into_iter().map(|slot| (slot - now) / MS).collect()
}

#[test]
fn slots_are_consecutive_and_go_on_where_the_last_lease_ended() {
    let (mut calendar, now) = rested();
    let first = calendar.apply(now, &ask(1, 3));
    assert_eq!(first.slots, [run(now, 3, 10 * MS)]);
    assert_eq!((first.now, first.terms.interval), (now, 10 * MS));
    let second = calendar.apply(now + 5 * MS, &ask(2, 2));
    assert_eq!(second.slots, [run(now + 30 * MS, 2, 10 * MS)]);
    assert_eq!(second.hosts, 2);
    assert_eq!(first.terms, second.terms);
}

#[test]
fn slots_that_nobody_asked_for_in_time_are_gone() {
    let (mut calendar, now) = rested();
    calendar.apply(now, &ask(1, 1));
    let late = calendar.apply(now + SECOND, &ask(1, 2));
    assert_eq!(late.slots, [run(now + SECOND, 2, 10 * MS)]);
}

/// A bug of the prototype: the value put in for a missing `tat` was not stored, so that each call saw its own grace before it, and
/// all hosts stalled for ever.
#[test]
fn the_grace_of_an_unknown_limit_begins_once_and_ends() {
    let mut calendar = Calendar::default();
    let first = calendar.apply(NOW, &ask(1, 4));
    let quiet = NOW + 2_510 * MS;
    assert_eq!((first.granted(), first.next), (0, quiet));
    assert_eq!((first.born, first.learning_until), (NOW, quiet));
    let again = calendar.apply(NOW + 400 * MS, &ask(1, 4));
    assert_eq!((again.granted(), again.next), (0, quiet));
    let granted = calendar.apply(NOW + 510 * MS, &ask(1, 4));
    assert_eq!(granted.slots, [run(quiet, 1, 10 * MS)]);
    assert_eq!((granted.born, granted.learning_until), (NOW, quiet));
}

#[test]
fn a_call_of_any_kind_begins_the_grace() {
    for action in [
        Action::Hold(0),
        Action::Resume,
        Action::Retune(10 * MS),
        Action::GiveBack {
            born: 0,
            epoch: 0,
            slots: vec![run(NOW, 3, 10 * MS)],
        },
    ] {
        let mut calendar = Calendar::default();
        let first = calendar.apply(NOW, &call(1, action.clone()));
        assert_eq!(first.learning_until, NOW + 2_510 * MS, "{action:?}");
        assert_eq!((first.taken_back, first.hosts), (0, 0), "{action:?}");
        let later = calendar.apply(NOW + 400 * MS, &ask(1, 1));
        assert_eq!(later.next, NOW + 2_510 * MS, "{action:?}");
    }
}

#[test]
fn no_slot_is_beyond_the_horizon() {
    let (mut calendar, now) = rested();
    let lease = calendar.apply(now, &ask(1, 1_000));
    assert_eq!(lease.granted(), 201, "now and 200 in two seconds");
    let refused = calendar.apply(now, &ask(2, 1));
    assert_eq!((refused.granted(), refused.next), (0, now + 2_010 * MS));
    let next = calendar.apply(now + 10 * MS, &ask(2, 5));
    assert_eq!(next.slots, [run(now + 2_010 * MS, 1, 10 * MS)]);
}

#[test]
fn an_ask_for_none_takes_none() {
    let (mut calendar, now) = rested();
    let look = calendar.apply(now, &ask(1, 0));
    assert_eq!((look.granted(), look.next), (0, now));
    assert_eq!(ms(now, &calendar.apply(now, &ask(1, 1))), [0]);
}

#[test]
fn any_slots_of_a_lease_can_be_given_back_once_and_go_to_whoever_asks_next() {
    let (mut calendar, now) = rested();
    let lease = calendar.apply(now, &ask(1, 8));
    calendar.apply(now, &ask(2, 2));
    // 20 and 30, and 60: others were granted slots behind them.
    let some = vec![
        run(now + 20 * MS, 2, 10 * MS),
        run(now + 60 * MS, 1, 10 * MS),
    ];
    assert_eq!(
        calendar.apply(now, &back(&lease, some.clone())).taken_back,
        3
    );
    assert_eq!(calendar.apply(now, &back(&lease, some)).taken_back, 0);
    let next = calendar.apply(now, &ask(3, 5));
    assert_eq!(ms(now, &next), [20, 30, 60, 100, 110]);
}

#[test]
fn slots_at_the_end_that_are_given_back_in_any_order_leave_no_gap() {
    for order in [[40, 50, 60, 70], [70, 60, 50, 40], [50, 70, 40, 60]] {
        let (mut calendar, now) = rested();
        let lease = calendar.apply(now, &ask(1, 8));
        for at in order {
            let one = vec![run(now + at * MS, 1, 10 * MS)];
            assert_eq!(calendar.apply(now, &back(&lease, one)).taken_back, 1);
        }
        let state = calendar.state.as_ref().unwrap();
        assert_eq!((state.tat, state.free.runs().len()), (now + 40 * MS, 0));
    }
}

#[test]
fn slots_that_are_past_are_not_taken_back_and_the_rest_is() {
    let (mut calendar, now) = rested();
    let lease = calendar.apply(now, &ask(1, 8));
    calendar.apply(now, &ask(2, 1));
    let later = now + 35 * MS;
    let all = vec![run(now, 8, 10 * MS)];
    assert_eq!(calendar.apply(later, &back(&lease, all)).taken_back, 4);
    let next = calendar.apply(later, &ask(3, 5));
    assert_eq!(ms(now, &next), [40, 50, 60, 70, 90]);
    let past = vec![run(now, 4, 10 * MS)];
    assert_eq!(calendar.apply(later, &back(&lease, past)).taken_back, 0);
}

#[test]
fn free_slots_that_nobody_asked_for_in_time_are_gone() {
    let (mut calendar, now) = rested();
    let lease = calendar.apply(now, &ask(1, 8));
    let some = vec![run(now + 20 * MS, 3, 10 * MS)];
    calendar.apply(now, &back(&lease, some));
    let next = calendar.apply(now + 31 * MS, &ask(2, 2));
    assert_eq!(ms(now, &next), [40, 80]);
}

#[test]
fn slots_that_are_free_or_were_never_granted_are_not_taken_back() {
    let (mut calendar, now) = rested();
    let lease = calendar.apply(now, &ask(1, 8));
    calendar.apply(now, &back(&lease, vec![run(now + 20 * MS, 2, 10 * MS)]));
    for (what, slots) in [
        ("two of these are free", run(now + 10 * MS, 4, 10 * MS)),
        ("not granted", run(now + 80 * MS, 1, 10 * MS)),
        ("the last was not granted", run(now + 70 * MS, 2, 10 * MS)),
        ("of a free one and another", run(now + 20 * MS, 2, 20 * MS)),
        ("none", run(now + 50 * MS, 0, 10 * MS)),
        ("no step", run(now + 50 * MS, 2, 0)),
        ("endless", run(now + 50 * MS, u32::MAX, u64::MAX)),
        ("more than there is time", run(0, u32::MAX, 10 * MS)),
        ("the end of time", run(u64::MAX, 1, 10 * MS)),
        ("the beginning", run(0, 1, 10 * MS)),
    ] {
        let before = calendar.clone();
        let taken = calendar.apply(now, &back(&lease, vec![slots])).taken_back;
        assert!(taken <= u32::from(what.starts_with("of a free")), "{what}");
        if taken == 0 {
            assert_eq!(calendar.state, before.state, "{what}");
        }
    }
}

#[test]
fn what_is_not_of_this_state_or_of_these_terms_can_not_be_given_back() {
    let (mut calendar, now) = rested();
    let lease = calendar.apply(now, &ask(1, 8));
    let all = || vec![run(now, 8, 10 * MS)];
    for born in [0, lease.born - 1, lease.born + 1, u64::MAX] {
        let other = Reply {
            born,
            ..lease.clone()
        };
        assert_eq!(calendar.apply(now, &back(&other, all())).taken_back, 0);
    }
    calendar.apply(now, &call(1, Action::Retune(20 * MS)));
    calendar.apply(now, &call(1, Action::Retune(10 * MS)));
    let taken = calendar.apply(now, &back(&lease, all())).taken_back;
    assert_eq!(taken, 0, "of a time before the interval was another");
    let unknown = Calendar::default().apply(now, &back(&lease, all()));
    assert_eq!(unknown.taken_back, 0);
}

#[test]
fn a_hold_keeps_nobody_from_giving_back_what_he_has() {
    let (mut calendar, now) = rested();
    let lease = calendar.apply(now, &ask(1, 8));
    calendar.apply(now, &call(2, Action::Hold(45 * MS)));
    let all = vec![run(now, 8, 10 * MS)];
    assert_eq!(calendar.apply(now, &back(&lease, all)).taken_back, 8);
    assert_eq!(ms(now, &calendar.apply(now, &ask(2, 3))), [45, 55, 65]);
}

#[test]
fn spaced_slots_leave_those_between_to_others() {
    let (mut calendar, now) = rested();
    let lone = calendar.apply(now, &spaced(1, 4, 25 * MS, 0));
    assert_eq!(ms(now, &lone), [0, 30, 50, 80], "25 apart on average");
    let dense = calendar.apply(now, &ask(2, 8));
    assert_eq!(ms(now, &dense), [10, 20, 40, 60, 70, 90, 100, 110]);
}

#[test]
fn two_lone_hosts_take_their_slots_from_between_each_other_s() {
    let (mut calendar, now) = rested();
    let mut all = Vec::new();
    for host in 1..=3 {
        let lease = calendar.apply(now, &spaced(host, 5, 30 * MS, 0));
        assert!(ms(now, &lease).windows(2).all(|two| two[1] - two[0] > 20));
        all.extend(ms(now, &lease));
    }
    all.sort_unstable();
    assert_eq!(all, (0..15).map(|k| 10 * k).collect::<Vec<_>>());
}

#[test]
fn slots_after_a_time_leave_those_before_to_others() {
    let (mut calendar, now) = rested();
    let later = calendar.apply(now, &spaced(1, 2, 0, 35 * MS));
    assert_eq!(ms(now, &later), [40, 50]);
    assert_eq!(
        ms(now, &calendar.apply(now, &spaced(2, 1, 0, 15 * MS))),
        [20]
    );
    assert_eq!(
        ms(now, &calendar.apply(now, &ask(3, 5))),
        [0, 10, 30, 60, 70]
    );
    let beyond = calendar.apply(now, &spaced(4, 1, 0, 2_001 * MS));
    assert_eq!(beyond.granted(), 0);
    assert!(beyond.next >= now + 2_001 * MS);
    assert_eq!(
        ms(now, &calendar.apply(now, &ask(3, 1))),
        [80],
        "nothing was passed over"
    );
}

#[test]
fn a_spacing_of_no_more_than_the_interval_is_none() {
    let (mut calendar, now) = rested();
    for spacing in [1, 10 * MS - 1, 10 * MS] {
        let lease = calendar.apply(now, &spaced(1, 3, spacing, 0));
        assert_eq!(lease.slots.len(), 1);
        assert_eq!(lease.slots[0].step, 10 * MS);
    }
    assert_eq!(ms(now, &calendar.apply(now, &ask(2, 1))), [90]);
}

#[test]
fn spaced_slots_can_be_given_back() {
    let (mut calendar, now) = rested();
    let lone = calendar.apply(now, &spaced(1, 4, 30 * MS, 0));
    assert_eq!(lone.slots, [run(now, 4, 30 * MS)]);
    let taken = calendar.apply(now + MS, &back(&lone, lone.slots.clone()));
    assert_eq!(taken.taken_back, 3, "one is past");
    let state = calendar.state.as_ref().unwrap();
    assert_eq!((state.tat, state.free.runs().len()), (now + 10 * MS, 0));
}

/// Whoever asks for slots far apart can't make a backend keep more and more of it.
#[test]
fn however_far_apart_slots_are_asked_for_the_runs_between_are_few() {
    let (mut calendar, now) = rested();
    let mut out = 0;
    for host in 1..50 {
        let lease = calendar.apply(now, &spaced(host, 1_000, 20 * MS + host * MS, 0));
        out += lease.granted();
        let free = &calendar.state.as_ref().unwrap().free;
        assert!(free.runs().len() <= MAX_RUNS);
    }
    let rest = calendar.apply(now, &ask(99, 1_000));
    assert_eq!(out + rest.granted(), 201, "none of them is lost");
}

#[test]
fn hosts_that_have_not_asked_for_a_while_are_not_counted() {
    let (mut calendar, now) = rested();
    for host in 1..=5 {
        calendar.apply(now + host * SECOND, &ask(host, 1));
    }
    let lease = calendar.apply(now + 13 * SECOND, &ask(5, 1));
    assert_eq!(lease.hosts, 3, "3, 4 and 5");
    assert_eq!(calendar.seen.until(5), Some(now + 23 * SECOND));
    assert_eq!(calendar.seen.until(2), None);
    // Who gives back or holds, but asks for nothing, does not count.
    calendar.apply(now + 13 * SECOND, &call(8, Action::Hold(MS)));
    calendar.apply(now + 13 * SECOND, &call(9, Action::Resume));
    assert_eq!(calendar.apply(now + 14 * SECOND, &ask(5, 0)).hosts, 2);
}

#[test]
fn a_look_changes_nothing_and_tells_what_is() {
    assert_eq!(Calendar::default().look(NOW), None);
    let (mut calendar, now) = rested();
    calendar.apply(now, &ask(0, 5));
    calendar.apply(now, &call(2, Action::Hold(SECOND)));
    let before = calendar.clone();
    let seen = calendar.look(now + 20 * MS).unwrap();
    assert_eq!(calendar, before);
    assert_eq!((seen.terms.interval, seen.terms.hold), (10 * MS, 980 * MS));
    assert_eq!((seen.next, seen.learning), (980 * MS, 0));
    assert_eq!(seen.hosts.len(), 1, "{:?}", seen.hosts);
    assert_eq!(
        (seen.hosts[0].host, seen.hosts[0].counts_for),
        (0, 10 * SECOND - 20 * MS)
    );
    // Who has gone is not shown, though no call has come that would forget him.
    assert_eq!(calendar.look(now + 10 * SECOND).unwrap().hosts.len(), 1);
    assert_eq!(calendar.look(now + 10 * SECOND + 1).unwrap().hosts, []);
    let fresh = {
        let mut calendar = Calendar::default();
        calendar.apply(NOW, &ask(1, 0));
        calendar.look(NOW + SECOND).unwrap()
    };
    assert_eq!(fresh.learning, 1_510 * MS);
}
