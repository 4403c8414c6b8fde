//! Defects that the explorer itself has found, each as the shortest story of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use apiqueue_core_stepped as core;
use core::stepped::with_hook;
use core::{
    Clock, Inline, ManualClock, Next, Queue, QueueOver, Rate, TryAcquireError, Weighted,
    WeightedQueue,
};

type Line = QueueOver<&'static ManualClock<u32>, Inline<4>, Weighted>;

const BEGIN: u32 = 1_000;

fn strict(interval: u32, burst: u32) -> Rate<u32> {
    let rate = Rate::<u32>::every(interval).unwrap();
    rate.burst(burst).unwrap().strict()
}

/// A queue whose burst is used up.
fn used(rate: Rate<u32>) -> (&'static Line, &'static ManualClock<u32>) {
    let clock: &'static ManualClock<u32> = Box::leak(Box::new(ManualClock::<u32>::new(BEGIN)));
    let queue: &'static Line = Box::leak(Box::new(WeightedQueue::new(clock, rate)));
    while queue.try_acquire().is_ok() {}
    (queue, clock)
}

/// When the next permit is there.
fn due(queue: &Line) -> u32 {
    match queue.try_acquire() {
        Err(TryAcquireError::NotYet { at }) => at,
        Ok(_) => queue.clock().now(),
        Err(why) => panic!("{why}"),
    }
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn driver() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (count.clone(), count.into())
}

fn calls(count: &Count) -> usize {
    count.0.load(Ordering::SeqCst)
}

/// Runs `story` for each step of the operation that it gets the means to interrupt; it says whether there was such a step.
fn at_every_step(story: impl Fn(&dyn Fn(Box<dyn FnMut()>, &dyn Fn()) -> bool) -> bool) {
    for at in 0.. {
        let interrupted = |mut middle: Box<dyn FnMut()>, operation: &dyn Fn()| {
            let hit: &'static Cell<bool> = Box::leak(Box::new(Cell::new(false)));
            let mut step = 0;
            let hook = move || {
                if step == at {
                    hit.set(true);
                    middle();
                }
                step += 1;
            };
            with_hook(hook, operation);
            hit.get()
        };
        if !story(&interrupted) {
            assert!(at > 3, "{at} steps");
            return;
        }
    }
}

/// The word of the stamp comes back by two changes of rate at a clock that stands.
#[test]
fn a_charge_goes_by_one_rate_whatever_is_set_meanwhile() {
    at_every_step(|interrupted| {
        let (queue, _) = used(strict(10, 3));
        let middle = move || {
            queue.set_rate(strict(100, 3));
            queue.set_rate(strict(5, 3));
        };
        let hit = interrupted(Box::new(middle), &|| queue.charge(2).unwrap());
        if hit {
            // Two owed and one to gather, at 5 each; some ticks for those who met.
            let due = due(queue) - BEGIN;
            assert!((15..=20).contains(&due), "due after {due}");
        }
        hit
    });
}

#[test]
fn a_refund_is_not_refused_by_a_look_from_when_the_burst_was_full() {
    at_every_step(|interrupted| {
        let (queue, clock) = used(strict(10, 3));
        clock.advance(30);
        let middle = move || while queue.try_acquire().is_ok() {};
        let hit = interrupted(Box::new(middle), &|| queue.refund(1));
        if hit {
            let due = due(queue);
            // Put back before or after they were taken; at the very end it was full still.
            assert!(due <= BEGIN + 30 + 10, "due at {due}");
        }
        hit
    });
    let (queue, clock) = used(strict(10, 3));
    clock.advance(30);
    let mut step = 0;
    let middle = move || {
        if step == 2 {
            while queue.try_acquire().is_ok() {}
        }
        step += 1;
    };
    with_hook(middle, || queue.refund(1));
    clock.advance(2);
    assert!(queue.try_acquire().is_ok(), "one was put back");
}

#[test]
fn a_resume_by_an_older_reading_ends_no_hold_before_it_began() {
    at_every_step(|interrupted| {
        let (queue, clock) = used(strict(10, 3));
        clock.advance(25);
        queue.hold_until(BEGIN + 50).unwrap();
        let middle = move || {
            clock.advance(6);
            queue.hold_until(BEGIN + 60).unwrap();
        };
        let hit = interrupted(Box::new(middle), &|| queue.resume());
        queue.resume();
        let permits = (0..4).filter(|_| queue.try_acquire().is_ok()).count();
        assert!(permits <= 1, "{permits} at the end of a hold");
        hit
    });
}

#[test]
fn a_weight_is_refused_by_no_mixture_of_two_rates() {
    at_every_step(|interrupted| {
        let (queue, _) = used(strict(10, 3));
        let middle = move || {
            queue.set_rate(strict(100, 3));
            queue.set_rate(strict(5, 3));
        };
        interrupted(Box::new(middle), &|| {
            std::mem::forget(queue.enqueue_weighted(3).unwrap());
        })
    });
}

#[test]
fn a_driver_does_not_sleep_by_the_weight_of_one_who_was_released_meanwhile() {
    at_every_step(|interrupted| {
        let (queue, _) = used(strict(10, 3));
        std::mem::forget(queue.enqueue_weighted(3).unwrap());
        std::mem::forget(queue.enqueue().unwrap());
        let (_, waker) = driver();
        let next: &'static Cell<Option<Next<u32>>> = Box::leak(Box::new(Cell::new(None)));
        let hit = interrupted(Box::new(move || assert!(queue.grant())), &|| {
            next.set(Some(queue.advance_with(&waker).next));
        });
        if hit && let (Some(Next::At(told)), Next::At(due)) = (next.get(), queue.advance().next) {
            // A release that came after the driver's look, whoever made it, is no news to it: the next one is later.
            assert!(
                told <= due || told == BEGIN + 30,
                "told {told}, due at {due}"
            );
        }
        hit
    });
}

/// Of all steps there is one at which the waker was taken out of its place and is not called yet: a limit that is told.
const JUST_BEFORE_THE_CALL: usize = 1;

#[test]
fn one_who_stands_still_in_enqueue_does_not_keep_the_next_from_waking_the_driver() {
    let unwoken: &'static Cell<usize> = Box::leak(Box::new(Cell::new(0)));
    at_every_step(|interrupted| {
        let (queue, _) = used(strict(10, 3));
        let (count, waker) = driver();
        assert_eq!(queue.advance_with(&waker).next, Next::OnEnqueue);
        let middle = move || {
            std::mem::forget(queue.enqueue().unwrap());
            unwoken.set(unwoken.get() + usize::from(calls(&count) == 0));
        };
        interrupted(Box::new(middle), &|| {
            std::mem::forget(queue.enqueue().unwrap());
        })
    });
    assert_eq!(unwoken.get(), JUST_BEFORE_THE_CALL);
}

#[test]
fn one_who_stands_still_in_set_rate_does_not_keep_the_next_from_waking_the_driver() {
    let unwoken: &'static Cell<usize> = Box::leak(Box::new(Cell::new(0)));
    at_every_step(|interrupted| {
        let (queue, _) = used(strict(1_000, 1));
        std::mem::forget(queue.enqueue().unwrap());
        let (count, waker) = driver();
        assert_eq!(queue.advance_with(&waker).next, Next::At(BEGIN + 1_000));
        let middle = move || {
            queue.set_rate(strict(10, 1));
            unwoken.set(unwoken.get() + usize::from(calls(&count) == 0));
        };
        interrupted(Box::new(middle), &|| queue.set_rate(strict(10, 1)))
    });
    assert_eq!(unwoken.get(), JUST_BEFORE_THE_CALL);
}

#[test]
fn a_grant_right_after_a_hold_counts_as_the_release_that_the_hold_left() {
    let clock = ManualClock::<u32>::new(BEGIN);
    let queue: QueueOver<_, Inline<4>, Weighted> = WeightedQueue::new(&clock, strict(1_000, 10));
    queue.hold_until(BEGIN + 3_000).unwrap();
    let _line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    queue.resume();
    assert!(queue.grant());
    let next = queue.advance();
    assert_eq!(
        (next.released, next.next),
        (0, Next::At(BEGIN + 1_000)),
        "a hold spends the burst, and the grant what comes after it"
    );
}

#[test]
fn a_driver_does_not_sleep_by_a_mixture_of_two_rates() {
    at_every_step(|interrupted| {
        // Without weights, where the driver had no other reason to look again.
        let clock: &'static ManualClock<u32> = Box::leak(Box::new(ManualClock::<u32>::new(BEGIN)));
        let queue: &'static Queue<_, 4> = Box::leak(Box::new(Queue::new(clock, strict(10, 1))));
        queue.try_acquire().unwrap();
        std::mem::forget(queue.enqueue().unwrap());
        clock.advance(9);
        let (count, waker) = driver();
        let next: &'static Cell<Option<Next<u32>>> = Box::leak(Box::new(Cell::new(None)));
        let middle = move || {
            queue.set_rate(strict(10, 1));
            queue.set_rate(strict(1_000, 1));
        };
        let hit = interrupted(Box::new(middle), &|| {
            next.set(Some(queue.advance_with(&waker).next));
        });
        if let (Some(Next::At(told)), Next::At(due)) = (next.get(), queue.advance().next) {
            assert!(
                told <= due || calls(&count) > 0,
                "told {told}, due at {due}"
            );
        }
        hit
    });
}

#[test]
fn a_hold_that_is_over_leaves_one_permit_whoever_takes_it_off() {
    at_every_step(|interrupted| {
        let (queue, clock) = used(strict(10, 5));
        queue.hold_until(BEGIN + 10).unwrap();
        let middle = move || {
            queue.refund(4);
            clock.set(BEGIN + 10);
        };
        let hit = interrupted(Box::new(middle), &|| {
            let _ = queue.advance();
        });
        let permits = (0..9).filter(|_| queue.try_acquire().is_ok()).count();
        assert!(!hit || permits == 1, "{permits} at the end of a hold");
        hit
    });
}

#[test]
fn a_hold_taken_off_while_somebody_sets_a_rate_leaves_one_permit() {
    at_every_step(|interrupted| {
        let (queue, clock) = used(strict(1_000, 10));
        let middle = move || {
            queue.hold_until(BEGIN + 500).unwrap();
            clock.set(BEGIN + 501);
            let _ = queue.advance();
        };
        let hit = interrupted(Box::new(middle), &|| queue.set_rate(strict(10, 10)));
        let permits = (0..20).filter(|_| queue.try_acquire().is_ok()).count();
        // Before the hold, or after it, the rate's step is the last; in between nothing counts but the hold.
        assert!(!hit || permits <= 1, "{permits} at the end of a hold");
        hit
    });
}

#[test]
fn a_hold_that_comes_and_goes_while_somebody_sets_a_rate_makes_nobody_late() {
    at_every_step(|interrupted| {
        let (queue, clock) = used(strict(10, 10));
        clock.set(BEGIN + 100);
        while queue.try_acquire().is_ok() {}
        let middle = move || {
            queue.hold_until(BEGIN + 105).unwrap();
            clock.set(BEGIN + 300);
        };
        let hit = interrupted(Box::new(middle), &|| queue.set_rate(strict(1_000, 10)));
        // Set before the hold, no permit was there; set after it, all that may gather.
        let permits = (0..20).filter(|_| queue.try_acquire().is_ok()).count();
        assert!(!hit || [0, 10].contains(&permits), "{permits} permits");
        hit
    });
}

#[test]
fn a_second_hold_does_not_undo_what_the_first_has_spent() {
    for looked in [false, true] {
        let (queue, clock) = used(strict(1_000, 10));
        clock.set(BEGIN + 20_000);
        queue.hold_until(BEGIN + 20_005).unwrap();
        clock.set(BEGIN + 20_010);
        if looked {
            let _ = queue.advance();
        }
        queue.hold_until(BEGIN + 20_015).unwrap();
        queue.charge(2).unwrap();
        clock.set(BEGIN + 20_015);
        assert_eq!(due(queue), BEGIN + 22_005, "looked at between: {looked}");
    }
}
