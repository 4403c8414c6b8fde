//! Changes of what a driver is about to decide by, and leavers, between any two of its steps.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use apiqueue_core_stepped::{Status, Waiter};

use crate::common::{
    INTERVAL, Line, Step, at_every_step, clock as new_clock, drive, heavy, join, line, rate,
};

#[test]
fn a_charge_in_the_middle_of_a_release_is_paid() {
    at_every_step(|step| {
        let (queue, clock) = line::<4>(1);
        let places = [join(&queue).unwrap(), join(&queue).unwrap()];
        let other = queue.clone();
        let charge = move || other.charge(1).unwrap();
        let hit = step.run(charge, || drive(&queue));
        if !hit {
            return false;
        }
        let released = |now: u32| {
            clock.set(now);
            let _ = queue.advance();
            places.iter().filter(|place| !place.is_waiting()).count()
        };
        assert!(released(1_000) <= 1, "{step:?}");
        assert_eq!(released(1_010), 1, "{step:?}");
        assert_eq!(released(1_020), 2, "{step:?}");
        true
    });
}

#[test]
fn no_decision_from_before_a_hold_or_a_charge_or_a_close_takes_effect_after_it() {
    for change in 0..3 {
        at_every_step(|step| {
            let (queue, _) = line::<4>(1);
            let place = Rc::new(join(&queue).unwrap());
            let (other, same) = (queue.clone(), place.clone());
            let before = Rc::new(Cell::new(Status::Waiting));
            let seen = before.clone();
            let handler = move || {
                match change {
                    0 => other.hold_until(1_500).unwrap(),
                    1 => other.charge(1).unwrap(),
                    _ => other.close(),
                }
                seen.set(same.peek());
            };
            let hit = step.run(handler, || drive(&queue));
            if hit {
                assert_eq!(place.peek(), before.get(), "{step:?}, change {change}");
            }
            hit
        });
    }
}

#[test]
fn no_decision_from_before_a_slower_rate_takes_effect_after_it() {
    at_every_step(|step| {
        let (queue, clock) = line::<4>(1);
        queue.try_acquire().unwrap();
        clock.advance(INTERVAL);
        let place = Rc::new(join(&queue).unwrap());
        let (other, same) = (queue.clone(), place.clone());
        let before = Rc::new(Cell::new(Status::Waiting));
        let seen = before.clone();
        let handler = move || {
            // The reading falls back by a tick, and nine tenths of a permit are there.
            clock.set(1_000 + INTERVAL - 1);
            other.set_rate(rate(100 * INTERVAL, 1));
            seen.set(same.peek());
        };
        let hit = step.run(handler, || drive(&queue));
        if hit {
            assert_eq!(place.peek(), before.get(), "{step:?}");
        }
        hit
    });
}

#[test]
fn who_has_left_is_passed_over_once_whatever_changes_meanwhile() {
    at_every_step(|step| {
        let (queue, clock) = line::<2>(1);
        drop(join(&queue));
        let place = join(&queue).unwrap();
        let other = queue.clone();
        let handler = move || other.set_rate(rate(INTERVAL, 1));
        let hit = step.run(handler, || drive(&queue));
        let _ = queue.advance();
        assert_eq!(place.status(), Status::Released, "{step:?}");
        // And the ring goes round.
        for _ in 0..4 {
            clock.advance(INTERVAL);
            let next = join(&queue).unwrap();
            assert_eq!(queue.advance().released, 1, "{step:?}");
            assert_eq!(next.status(), Status::Released, "{step:?}");
        }
        hit
    });
}

#[test]
fn a_charge_by_one_who_stops_in_the_middle_of_a_release_is_paid() {
    for stop in Step::all() {
        let mut is_stop = false;
        at_every_step(|step| {
            let (queue, clock) = line::<4>(1);
            let places = [join(&queue).unwrap(), join(&queue).unwrap()];
            let other = queue.clone();
            let charger: Rc<Cell<Option<_>>> = Rc::default();
            let keep = charger.clone();
            let charge = move || {
                let other = other.clone();
                keep.set(Some(stop.stop(move || other.charge(1).unwrap())));
            };
            let hit = step.run(charge, || drive(&queue));
            if let Some(charger) = charger.take() {
                is_stop |= charger.hit;
                charger.go_on();
                let released = |now: u32| {
                    clock.set(now);
                    drive(&queue);
                    places.iter().filter(|place| !place.is_waiting()).count()
                };
                assert!(released(1_000) <= 1, "{stop:?}, {step:?}");
                assert_eq!(released(1_010), 1, "{stop:?}, {step:?}");
                assert_eq!(released(1_020), 2, "{stop:?}, {step:?}");
            }
            hit
        });
        if !is_stop {
            return;
        }
    }
}

#[test]
fn no_decision_that_was_made_while_a_slower_rate_was_set_takes_effect_after_it() {
    for stop in Step::all() {
        let mut is_stop = false;
        at_every_step(|step| {
            let (queue, clock) = line::<4>(1);
            queue.try_acquire().unwrap();
            let place = join(&queue).unwrap();
            clock.set(1_000 + INTERVAL - 1);
            let (other, same) = (queue.clone(), queue.clone());
            let setter = stop.stop(move || other.set_rate(rate(100 * INTERVAL, 1)));
            is_stop |= setter.hit;
            clock.set(1_000 + INTERVAL);
            let driver = step.stop(move || drive(&same));
            setter.go_on();
            // Not due, by a setter that read the clock before the driver did.
            let waits = place.estimate().is_some_and(|at| at > 1_000 + INTERVAL);
            let hit = driver.hit;
            driver.go_on();
            assert!(!waits || place.is_waiting(), "{stop:?}, {step:?}");
            hit
        });
        if !is_stop {
            return;
        }
    }
}

#[test]
fn no_permit_is_taken_after_the_close_by_a_decision_from_before() {
    at_every_step(|step| {
        let clock = new_clock();
        let queue = Arc::new(Line::<4>::new(clock, rate(7, 1)));
        queue.try_acquire().unwrap();
        clock.advance(7);
        let other = queue.clone();
        let taken = Arc::new(AtomicBool::new(false));
        let took = taken.clone();
        let taker = step.stop(move || {
            let is_taken = other.try_acquire().is_ok();
            took.store(is_taken, Ordering::SeqCst);
        });
        queue.close();
        // How much may still be charged says whether the permit was used.
        clock.set(1_000);
        let debt = |queue: &Line<4>| queue.charge(usize::MAX).unwrap_err().max;
        let before = debt(&queue);
        let hit = taker.hit;
        taker.go_on();
        assert_eq!(debt(&queue), before, "{step:?}");
        hit
    });
}

#[test]
fn a_close_in_the_middle_of_a_release_leaves_the_waiter_in_the_count() {
    at_every_step(|step| {
        let (queue, _) = line::<4>(1);
        let place = join(&queue).unwrap();
        let other = queue.clone();
        let hit = step.run(move || other.close(), || drive(&queue));
        let is_closed = place.peek() == Status::Closed;
        assert_eq!(queue.waiting(), usize::from(is_closed), "{step:?}");
        hit
    });
    for weight in 1..=3 {
        at_every_step(|step| {
            let (queue, _) = heavy(4);
            let place = Waiter::enqueue_weighted(queue.clone(), weight).unwrap();
            let other = queue.clone();
            let hit = step.run(move || other.close(), || drive(&queue));
            let is_closed = place.peek() == Status::Closed;
            assert_eq!(queue.waiting(), usize::from(is_closed), "{step:?}");
            hit
        });
    }
}

#[test]
fn the_place_of_one_who_left_is_free_though_a_driver_stopped_in_passing_over_it() {
    at_every_step(|step| {
        let (queue, _) = line::<1>(1);
        for _ in 0..3 {
            drop(join(&queue));
        }
        let other = queue.clone();
        let stopped = step.stop(move || drive(&other));
        assert!(join(&queue).is_some(), "{step:?}");
        let hit = stopped.hit;
        stopped.go_on();
        hit
    });
}

#[test]
fn who_comes_while_a_driver_passes_over_one_who_left_is_not_told_that_the_ring_is_full() {
    fn full<const N: usize>() {
        at_every_step(|step| {
            let (queue, _) = line::<N>(1);
            queue.try_acquire().unwrap();
            let mut places: Vec<_> = (0..N).map(|_| join(&queue).unwrap()).collect();
            drop(places.remove(0));
            let other = queue.clone();
            let mut joined = None;
            let hit = step.run(move || drive(&other), || joined = join(&queue));
            assert!(joined.is_some(), "{step:?}, {N} places");
            hit
        });
    }
    full::<1>();
    full::<2>();
}
