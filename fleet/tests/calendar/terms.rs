//! Holds, intervals, newer terms and steps of the clock.

use apiqueue_fleet::{Action, Calendar, Call, Reply, Terms};

use crate::{MS, NOW, SECOND, ask, back, call, each, rested, run, spaced};

fn knowing(known: Terms, action: Action) -> Call {
    Call {
        known,
        ..call(9, action)
    }
}

fn terms(interval: u64, hold: u64, epoch: u64) -> Terms {
    Terms {
        interval,
        hold,
        epoch,
    }
}

fn nothing() -> Action {
    ask(9, 0).action
}

/// A calendar with a clock that is known apart from it: what its slots are in true time.
fn truly(reply: &Reply, ahead: i64) -> Vec<u64> {
    let slots = each(&reply.slots);
    slots
        .into_iter()
        .map(|slot| slot.checked_add_signed(-ahead).unwrap())
        .collect()
}

#[test]
fn a_hold_only_extends_and_a_resume_ends_it() {
    let (mut calendar, now) = rested();
    let before = calendar.apply(now, &ask(1, 1)).terms.epoch;
    let held = calendar
        .apply(now, &call(1, Action::Hold(60 * SECOND)))
        .terms;
    assert!(held.epoch > before);
    assert_eq!(held.hold, 60 * SECOND);
    let shorter = calendar.apply(now, &call(1, Action::Hold(SECOND))).terms;
    assert_eq!(shorter, held, "changes nothing");
    let refused = calendar.apply(now, &ask(1, 1));
    assert_eq!((refused.granted(), refused.next), (0, now + 60 * SECOND));
    let ended = calendar.apply(now, &call(1, Action::Resume)).terms;
    assert!(ended.epoch > held.epoch);
    let granted = calendar.apply(now, &ask(1, 1));
    assert_eq!(granted.slots, [run(now + 10 * MS, 1, 10 * MS)]);
    assert_eq!(granted.terms, ended);
    let none = calendar.apply(now, &call(1, Action::Resume)).terms;
    assert_eq!(none, ended, "there was none");
}

#[test]
fn a_hold_that_is_over_is_none() {
    let (mut calendar, now) = rested();
    calendar.apply(now, &call(1, Action::Hold(SECOND)));
    let over = calendar.apply(now + SECOND, &ask(1, 1));
    assert_eq!((over.granted(), over.terms.hold), (1, 0));
    let epoch = over.terms.epoch;
    let resumed = calendar.apply(now + SECOND, &call(1, Action::Resume));
    assert_eq!(resumed.terms.epoch, epoch);
    let held = calendar.apply(now + SECOND, &call(1, Action::Hold(MS)));
    assert!(held.terms.epoch > epoch);
    let none = calendar.apply(now + 2 * SECOND, &call(1, Action::Hold(0)));
    assert_eq!(none.terms, terms(10 * MS, 0, held.terms.epoch));
}

#[test]
fn free_slots_inside_a_hold_are_granted_to_nobody_until_it_is_resumed() {
    let (mut calendar, now) = rested();
    calendar.apply(now, &spaced(1, 3, 50 * MS, 0));
    calendar.apply(now, &call(1, Action::Hold(60 * MS)));
    let held = calendar.clone().apply(now, &ask(2, 3));
    assert_eq!(each(&held.slots)[0], now + 60 * MS);
    calendar.apply(now, &call(1, Action::Resume));
    assert_eq!(
        each(&calendar.apply(now, &ask(2, 1)).slots),
        [now + 10 * MS]
    );
}

#[test]
fn a_new_interval_counts_from_the_last_slot_granted() {
    let (mut calendar, now) = rested();
    let old = calendar.apply(now, &ask(1, 3));
    calendar.apply(now, &call(1, Action::Retune(50 * MS)));
    let slower = calendar.apply(now, &ask(1, 1));
    assert_eq!(slower.slots, [run(now + 70 * MS, 1, 50 * MS)]);
    assert!(slower.terms.epoch > old.terms.epoch);
    calendar.apply(now, &call(1, Action::Retune(MS)));
    assert_eq!(
        each(&calendar.apply(now, &ask(1, 1)).slots),
        [now + 71 * MS]
    );
}

#[test]
fn the_same_interval_again_changes_nothing() {
    let (mut calendar, now) = rested();
    let lease = calendar.apply(now, &spaced(1, 3, 30 * MS, 0));
    let again = calendar.apply(now, &call(1, Action::Retune(10 * MS)));
    assert_eq!(again.terms, lease.terms);
    assert_eq!(
        each(&calendar.apply(now, &ask(2, 1)).slots),
        [now + 10 * MS]
    );
    let taken = calendar.apply(now, &back(&lease, lease.slots.clone()));
    assert_eq!(taken.taken_back, 3);
}

/// Free slots are an old interval apart from those that are out.
#[test]
fn with_a_new_interval_nothing_is_free() {
    let (mut calendar, now) = rested();
    calendar.apply(now, &spaced(1, 2, 50 * MS, 0));
    calendar.apply(now, &call(1, Action::Retune(40 * MS)));
    assert_eq!(
        each(&calendar.apply(now, &ask(2, 1)).slots),
        [now + 90 * MS]
    );
}

/// `learning_until`: the leases of an older state may be in use before, and no slot is granted there.
#[test]
fn a_new_interval_does_not_cut_the_grace_short() {
    let mut calendar = Calendar::default();
    let quiet = calendar.apply(NOW, &ask(1, 1)).learning_until;
    calendar.apply(NOW, &call(1, Action::Retune(1)));
    let lease = calendar.apply(NOW + SECOND, &ask(1, 1));
    assert_eq!(lease.learning_until, quiet);
    assert!(lease.granted() > 0);
    assert!(each(&lease.slots)[0] >= quiet);
}

/// Whoever asks first is a host that only knows one in an hour; the rate in force before was a hundred a second.
#[test]
fn newer_terms_than_those_of_who_asked_first_do_not_end_the_grace() {
    let mut calendar = Calendar::default();
    let hour = terms(3_600 * SECOND, 0, 0);
    let quiet = calendar
        .apply(NOW, &knowing(hour, nothing()))
        .learning_until;
    assert!(quiet > NOW + 2 * SECOND);
    let newer = terms(10 * MS, 0, NOW - SECOND);
    let lease = calendar.apply(NOW + MS, &knowing(newer, ask(9, 5).action));
    assert_eq!(lease.terms, newer);
    for slot in each(&lease.slots) {
        assert!(slot >= quiet, "{} ms too soon", (quiet - slot) / MS);
    }
}

#[test]
fn slots_of_before_the_grace_ends_are_not_taken_back() {
    let mut calendar = Calendar::default();
    let first = calendar.apply(NOW, &ask(1, 0));
    let old = vec![run(NOW + 100 * MS, 3, 10 * MS)];
    let taken = calendar.apply(NOW, &back(&first, old));
    let lease = calendar.apply(NOW, &ask(2, 5));
    for slot in each(&lease.slots) {
        assert!(slot >= first.learning_until, "{slot}");
    }
    assert_eq!(taken.taken_back, 0);
}

#[test]
fn the_newest_terms_win_in_whatever_order_they_arrive() {
    let known = [
        terms(20 * MS, 0, 5),
        terms(30 * MS, 7 * SECOND, 8),
        terms(40 * MS, 3 * SECOND, 6),
        terms(50 * MS, 0, 0),
    ];
    for first in 0..4 {
        for second in 0..4 {
            for third in 0..4 {
                let mut calendar = Calendar::default();
                let order = [first, second, third];
                for host in order {
                    calendar.apply(NOW, &knowing(known[host], nothing()));
                }
                let newest = order.iter().map(|host| known[*host]);
                let newest = newest.max_by_key(|terms| terms.epoch).unwrap();
                let now = calendar.apply(NOW, &knowing(known[3], nothing())).terms;
                assert_eq!(now, newest, "{order:?}");
            }
        }
    }
}

#[test]
fn terms_of_the_same_number_leave_what_is() {
    let (mut calendar, now) = rested();
    let before = calendar.apply(now, &call(1, Action::Hold(SECOND))).terms;
    let same = terms(77 * MS, 9 * SECOND, before.epoch);
    assert_eq!(calendar.apply(now, &knowing(same, nothing())).terms, before);
}

#[test]
fn newer_terms_end_a_hold_that_they_do_not_know() {
    let (mut calendar, now) = rested();
    let held = calendar
        .apply(now, &call(1, Action::Hold(60 * SECOND)))
        .terms;
    let newer = terms(10 * MS, 0, held.epoch + 1);
    let lease = calendar.apply(now, &knowing(newer, ask(1, 1).action));
    assert_eq!((lease.terms, lease.granted()), (newer, 1));
}

/// A state that has lost the last change takes it from whoever knows it, and a change made on it meanwhile wins.
#[test]
fn of_two_changes_of_which_a_state_knows_one_the_later_wins() {
    let (mut calendar, now) = rested();
    let lost = calendar
        .clone()
        .apply(now, &call(1, Action::Retune(20 * MS)));
    let later = calendar.apply(now + MS, &call(2, Action::Retune(30 * MS)));
    assert!(later.terms.epoch > lost.terms.epoch);
    let told = calendar.apply(now + 2 * MS, &knowing(lost.terms, nothing()));
    assert_eq!(told.terms, later.terms);
}

#[test]
fn the_terms_of_a_limit_that_was_forgotten_come_back_with_their_number() {
    let (mut calendar, now) = rested();
    calendar.apply(now, &call(1, Action::Retune(20 * MS)));
    let known = calendar
        .apply(now, &call(1, Action::Hold(60 * SECOND)))
        .terms;
    let mut fresh = Calendar::default();
    let reply = fresh.apply(now + SECOND, &knowing(known, ask(1, 1).action));
    assert_eq!((reply.terms, reply.granted()), (known, 0));
    assert_eq!(reply.born, now + SECOND);
    let mut last = known.epoch;
    for interval in 1..4 {
        let changed = fresh.apply(now, &call(1, Action::Retune(interval)));
        assert!(changed.terms.epoch > last, "whatever the clock says");
        last = changed.terms.epoch;
    }
}

#[test]
fn a_clock_that_steps_forward_goes_on_there() {
    let (mut calendar, now) = rested();
    calendar.apply(now, &ask(1, 4));
    let ahead = now + 3600 * SECOND;
    let lease = calendar.apply(ahead, &ask(1, 4));
    assert_eq!(lease.slots, [run(ahead, 4, 10 * MS)]);
    assert_eq!(lease.hosts, 1);
}

#[test]
fn a_clock_that_steps_backward_takes_the_schedule_with_it() {
    let (mut calendar, now) = rested();
    calendar.apply(now, &ask(1, 4));
    calendar.apply(now, &ask(2, 4));
    let step = 3600 * SECOND;
    let lease = calendar.apply(now - step, &ask(1, 4));
    assert_eq!(lease.slots, [run(now + 80 * MS - step, 4, 10 * MS)]);
    assert_eq!(lease.hosts, 1, "who was seen in the future is forgotten");
    assert!(lease.learning_until <= lease.now, "no grace");
}

#[test]
fn holds_and_the_grace_last_no_longer_by_a_step_backward() {
    let mut calendar = Calendar::default();
    calendar.apply(NOW, &call(1, Action::Hold(5 * SECOND)));
    let back = NOW - 3600 * SECOND;
    let reply = calendar.apply(back, &ask(1, 1));
    assert_eq!(reply.terms.hold, 5 * SECOND);
    assert_eq!(reply.learning_until, back + 2_510 * MS);
    assert_eq!(reply.next, back + 5 * SECOND);
}

/// Time that has passed since the call before the step is not known: what was free is later by as much than it was among its neighbours.
#[test]
fn free_slots_after_a_step_backward_are_not_where_others_are_out() {
    for since in [0, 5 * MS, 10 * MS, 15 * MS] {
        let (mut calendar, now) = rested();
        let mut out = truly(&calendar.apply(now, &spaced(1, 4, 30 * MS, 0)), 0);
        let step = 3600 * SECOND;
        let lease = calendar.apply(now + since - step, &ask(2, 6));
        out.extend(truly(&lease, -(step as i64)));
        out.sort_unstable();
        for two in out.windows(2) {
            let apart = two[1] - two[0];
            assert!(apart >= 10 * MS, "{since} us: {apart} us apart");
        }
    }
}

/// The slots of host 2 are now called what those of host 1 were called when they were granted.
#[test]
fn slots_granted_before_a_step_backward_can_not_be_given_back() {
    let (mut calendar, now) = rested();
    let first = calendar.apply(now, &ask(1, 10));
    let second = calendar.apply(now, &ask(2, 20));
    let step = 100 * MS;
    let mut out = truly(&second, 0);
    let taken = calendar.apply(now - step, &back(&first, first.slots.clone()));
    if taken.taken_back == 0 {
        out.extend(truly(&first, 0));
    }
    out.extend(truly(
        &calendar.apply(now - step, &ask(3, 10)),
        -(step as i64),
    ));
    out.sort_unstable();
    for two in out.windows(2) {
        assert!(two[1] - two[0] >= 10 * MS, "{} us apart", two[1] - two[0]);
    }
}
