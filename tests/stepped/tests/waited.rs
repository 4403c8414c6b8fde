//! What those in line have waited for is not lost by who stops in the middle of a charge, a refund or a change of rate.
#![allow(clippy::unwrap_used, missing_docs)]

use apiqueue_core_stepped::stepped::with_hook;
use apiqueue_core_stepped::{ManualClock, Queue, Rate};

mod stopped;

use stopped::stopped_at;

type Op = fn(&'static Line);
type Line = Queue<&'static ManualClock<u64>, 16>;

fn every(interval: u64) -> Rate<u64> {
    Rate::<u64>::every(interval).unwrap()
}

/// What a driver that comes 8.5 intervals after the latest release, of 20 that are made up, releases of those in line after `between`.
fn released_after(between: impl FnOnce(&'static Line) -> bool) -> Option<usize> {
    let clock: &'static ManualClock<u64> = Box::leak(Box::new(ManualClock::<u64>::new(1_000)));
    let queue: &'static Line = Box::leak(Box::new(Queue::new(clock, every(100)).catch_up(2_000)));
    let line: Vec<_> = (0..12).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(queue.advance().released, 1);
    let is_there = between(queue);
    clock.set(1_850);
    let released = (0..20).map(|_| queue.advance().released).sum();
    std::mem::forget(line);
    is_there.then_some(released)
}

#[test]
fn who_stops_in_the_middle_of_a_claim_takes_nothing_from_those_who_waited() {
    let ops: [(&str, Op); 3] = [
        ("a change to the same rate", |queue| {
            queue.set_rate(every(100))
        }),
        ("a refund", |queue| queue.refund(1)),
        ("a charge that is refused", |queue| {
            assert!(queue.charge(usize::MAX).is_err());
        }),
    ];
    for (name, op) in ops {
        let mut steps = 0;
        while let Some(released) =
            released_after(|queue| stopped_at(steps, Box::new(move || op(queue))))
        {
            // A claim that is never settled may cost a tick.
            assert!(
                released >= 8,
                "{name} before its step {steps}: {released} of 8"
            );
            steps += 1;
        }
        assert!(steps >= 5, "{name}: {steps} steps");
    }
}

#[test]
fn two_claims_that_meet_take_nothing_from_those_who_waited() {
    for stop in 0..12 {
        let released = released_after(|queue| {
            let mut step = 0;
            let meet = move || {
                if step == stop {
                    queue.refund(1);
                }
                step += 1;
            };
            with_hook(meet, || queue.refund(1));
            true
        });
        assert!(released >= Some(8), "at step {stop}: {released:?} of 8");
    }
}
