//! A thread stopped for ever, or interrupted, inside a weighted enqueue: the others go on, and the weight is not lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::{Arc, Mutex};

use apiqueue_core_stepped as core;
use core::{ManualClock, Rate, Status, Waiter, WeightedQueue};
use stopped::stopped_at;

mod stopped;

const INTERVAL: u64 = 100;

type Line = WeightedQueue<&'static ManualClock<u64>, 8>;
type Place = Waiter<&'static Line>;

/// A burst of four that is used up.
fn line() -> (&'static Line, &'static ManualClock<u64>) {
    let clock: &'static ManualClock<u64> = Box::leak(Box::new(ManualClock::<u64>::new(1_000)));
    let rate = Rate::<u64>::every(INTERVAL)
        .unwrap()
        .burst(4)
        .unwrap()
        .strict();
    let queue: &'static Line = Box::leak(Box::new(WeightedQueue::new(clock, rate)));
    for _ in 0..4 {
        queue.try_acquire().unwrap();
    }
    (queue, clock)
}

#[test]
fn a_thread_stopped_inside_a_weighted_enqueue_costs_its_weight_or_nothing() {
    for stop in 0.. {
        let (queue, clock) = line();
        let stopped = stopped_at(stop, move || std::mem::forget(queue.enqueue_weighted(3)));
        let behind: Vec<Place> = (0..2).map(|_| queue.enqueue_weighted(2).unwrap()).collect();
        let in_line = queue.len() == 3;
        let mut needed = if in_line { 3 } else { 0 };
        for place in &behind {
            needed += 2;
            while clock_intervals(clock) < needed {
                let _ = queue.advance();
                assert!(place.is_waiting(), "step {stop}: before its permits");
                clock.advance(INTERVAL);
            }
            let _ = queue.advance();
            assert_eq!(place.status(), Status::Released, "step {stop}");
        }
        if !stopped {
            assert!(in_line && stop > 3, "{stop} steps");
            return;
        }
    }
}

fn clock_intervals(clock: &ManualClock<u64>) -> u64 {
    use core::Clock;
    (clock.now() - 1_000) / INTERVAL
}

#[test]
fn a_handler_may_drive_enqueue_and_leave_in_the_middle_of_a_weighted_enqueue() {
    for at in 0.. {
        let (queue, clock) = line();
        clock.advance(4 * INTERVAL);
        let mine: Arc<Mutex<Option<Place>>> = Arc::default();
        let keep = mine.clone();
        let mut step = 0;
        let hit = Arc::new(Mutex::new(false));
        let mark = hit.clone();
        let heavy = core::stepped::with_hook(
            move || {
                if step == at {
                    *mark.lock().unwrap() = true;
                    let _ = queue.advance();
                    drop(queue.enqueue_weighted(4).unwrap());
                    *keep.lock().unwrap() = Some(queue.enqueue_weighted(2).unwrap());
                    let _ = queue.advance();
                }
                step += 1;
            },
            || queue.enqueue_weighted(3).unwrap(),
        );
        let _ = queue.advance();
        let other = mine.lock().unwrap().take();
        let released = [Some(&heavy), other.as_ref()]
            .into_iter()
            .flatten()
            .filter(|place| !place.is_waiting())
            .count();
        assert_eq!(
            released, 1,
            "step {at}: four permits are there, for one of them"
        );
        clock.advance(INTERVAL * 4);
        let _ = queue.advance();
        assert_eq!(heavy.status(), Status::Released, "step {at}");
        if let Some(other) = &other {
            assert_eq!(other.status(), Status::Released, "step {at}");
        }
        if !*hit.lock().unwrap() {
            assert!(at > 3, "{at} steps");
            return;
        }
    }
}
