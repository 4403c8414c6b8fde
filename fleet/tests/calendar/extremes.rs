//! Numbers that nobody means.

use std::panic::catch_unwind;
use std::time::Duration;

use apiqueue_fleet::calendar::{Free, MAX_MICROS, MAX_RUNS, micros};
use apiqueue_fleet::{Action, Calendar, Call, Slots, Terms};

use crate::{MS, NOW, SECOND, ask, call, each, run};

const ODD: [u64; 6] = [0, 1, 10 * MS, MAX_MICROS, u64::MAX - 1, u64::MAX];

#[test]
fn durations_are_rounded_up_to_microseconds_within_what_a_script_can_count() {
    assert_eq!(micros(Duration::ZERO), 0);
    assert_eq!(micros(Duration::from_nanos(1)), 1);
    assert_eq!(micros(Duration::from_nanos(1_000)), 1);
    assert_eq!(micros(Duration::from_nanos(1_001)), 2);
    assert_eq!(micros(Duration::MAX), MAX_MICROS);
    const { assert!(MAX_MICROS + NOW < 1 << 53) }
}

#[test]
fn spans_are_reckoned_with_up_to_their_largest() {
    let mut calendar = Calendar::default();
    let known = Terms {
        interval: u64::MAX,
        hold: u64::MAX,
        epoch: 0,
    };
    let long = Call {
        known,
        grace: u64::MAX,
        window: u64::MAX,
        ..ask(u64::MAX, 1)
    };
    let reply = calendar.apply(NOW, &long);
    assert_eq!(reply.terms.interval, MAX_MICROS);
    assert_eq!(reply.terms.hold, MAX_MICROS);
    assert_eq!(reply.learning_until, NOW + MAX_MICROS);
    assert_eq!((reply.granted(), reply.next), (0, NOW + MAX_MICROS));
    let none = calendar.apply(NOW, &call(1, Action::Retune(0))).terms;
    assert_eq!(none.interval, 1);
    let held = calendar.apply(NOW, &call(1, Action::Hold(u64::MAX))).terms;
    assert_eq!(held.hold, MAX_MICROS);
}

/// All actions with odd numbers in them.
fn actions() -> Vec<Action> {
    let mut all = vec![Action::Resume];
    for odd in ODD {
        all.extend([Action::Hold(odd), Action::Retune(odd)]);
        for other in ODD {
            for horizon in ODD {
                all.push(Action::Reserve {
                    want: 70,
                    spacing: odd,
                    after: other,
                    horizon,
                    burst: 1,
                    gathered: 0,
                });
            }
            for count in [0, 1, 2, 70, u32::MAX] {
                all.push(Action::GiveBack {
                    born: 0,
                    epoch: u64::MAX,
                    slots: vec![run(odd, count, other), run(odd, count, other)],
                });
            }
        }
    }
    all
}

/// Calendars on which one thing has happened, at odd times.
fn calendars() -> Vec<Calendar> {
    let mut all = vec![Calendar::default()];
    for now in ODD {
        for odd in ODD {
            let mut calendar = Calendar::default();
            let first = Call {
                known: Terms {
                    interval: odd,
                    hold: 0,
                    epoch: odd,
                },
                grace: if odd == 1 { 10 * MS } else { 0 },
                ..ask(1, 0)
            };
            calendar.apply(now, &first);
            // So that what is given back can be of this state.
            if let Some(state) = &mut calendar.state {
                state.born = 0;
            }
            all.push(calendar);
        }
    }
    all
}

#[test]
fn no_number_in_a_call_makes_a_calendar_panic() {
    let mut bad = Vec::new();
    let actions = actions();
    for calendar in calendars() {
        for now in ODD {
            for action in &actions {
                let mut after = calendar.clone();
                let call = call(u64::MAX, action.clone());
                let odd = catch_unwind(move || {
                    after.apply(now, &call);
                    // And goes on.
                    after.apply(now, &ask(2, 3));
                    after.look(now)
                });
                if odd.is_err() && bad.len() < 4 {
                    bad.push(format!("{:?} at {now}: {action:?}", calendar.state));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn the_last_slot_of_all_time_is_granted_once() {
    let mut calendar = Calendar::default();
    calendar.apply(
        u64::MAX - 5,
        &Call {
            grace: 0,
            ..ask(1, 0)
        },
    );
    let mut out = Vec::new();
    for _ in 0..3 {
        out.extend(each(&calendar.apply(u64::MAX - 5, &ask(1, 7)).slots));
    }
    let all = out.len();
    out.sort_unstable();
    out.dedup();
    assert_eq!(out.len(), all);
}

#[test]
fn an_epoch_at_its_largest_stays_there() {
    let mut calendar = Calendar::default();
    let known = Terms {
        interval: 10 * MS,
        hold: 0,
        epoch: u64::MAX,
    };
    let call = |action| Call {
        known,
        ..call(1, action)
    };
    calendar.apply(NOW, &call(Action::Hold(SECOND)));
    let reply = calendar.apply(NOW, &call(Action::Retune(20 * MS)));
    assert_eq!((reply.terms.interval, reply.terms.hold), (20 * MS, SECOND));
    assert_eq!(reply.terms.epoch, u64::MAX);
}

#[test]
fn runs_that_are_stored_are_looked_at_before_they_are_believed() {
    let good = vec![run(NOW, 2, 10), run(NOW + 20, 1, 10), run(NOW + 40, 5, 10)];
    assert_eq!(Free::of(good.clone(), 10).unwrap().runs(), good);
    assert_eq!(Free::of(Vec::new(), 10), Some(Free::default()));
    let bad: [(&str, Vec<Slots>); 6] = [
        ("empty", vec![run(NOW, 0, 10)]),
        ("another step", vec![run(NOW, 2, 20)]),
        ("overlap", vec![run(NOW, 3, 10), run(NOW + 20, 1, 10)]),
        ("out of order", vec![run(NOW + 20, 1, 10), run(NOW, 1, 10)]),
        ("endless", vec![run(u64::MAX - 5, 1, 10)]),
        (
            "too many",
            (0..=MAX_RUNS as u64)
                .map(|k| run(NOW + 20 * k, 1, 10))
                .collect(),
        ),
    ];
    for (what, runs) in bad {
        assert_eq!(Free::of(runs, 10), None, "{what}");
    }
}
