//! The lane while the rate, a hold, a charge or the door changes: who passes has done so before the change, or goes by it.

use apiqueue_core::{TryAcquireError, Waiter as Place};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::common::{INTERVAL, Shared, check, check_within, rate};
use crate::lane::{due, open};

/// Nine tenths of a permit are in hand: a hundred ticks at the new rate for the last one, where the old one took one.
#[test]
fn after_a_slower_rate_was_set_nobody_passes_by_the_old_one() {
    check(|| {
        let queue = Shared::<1>::spent();
        queue.pass(INTERVAL - 1);
        let other = queue.clone();
        let passer = thread::spawn(move || other.try_acquire().is_ok());
        queue.set_rate(rate(100 * INTERVAL).strict());
        queue.pass(1);
        assert_eq!(due(&queue), 1_109);
        assert!(!passer.join().unwrap());
        assert_eq!(due(&queue), 1_109);
    });
}

/// Half a permit is in hand, and is half a permit still.
#[test]
fn who_passes_while_a_faster_rate_is_set_gets_no_more_than_there_is() {
    check_within(2, || {
        let queue = Shared::<1>::spent();
        queue.pass(INTERVAL / 2);
        let other = queue.clone();
        let passer = thread::spawn(move || {
            let early = other.try_acquire().ok();
            (early, other.try_acquire().ok())
        });
        queue.set_rate(rate(INTERVAL - 2).strict());
        queue.pass(3);
        let early = queue.try_acquire().ok();
        queue.pass(1);
        let mine = queue.try_acquire().ok();
        let (first, second) = passer.join().unwrap();
        let taken = [early, mine, first, second];
        let taken: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(taken, [1_009]);
        assert_eq!(due(&queue), 1_017);
    });
}

/// A permit is free, and one comes when the hold ends, which is sooner than after the one that is free.
#[test]
fn who_passes_has_done_so_before_the_hold_or_waits_for_its_end() {
    check(|| {
        let queue = open::<1>();
        let is_held = Arc::new(AtomicBool::new(false));
        let (other, known) = (queue.clone(), is_held.clone());
        let passer = thread::spawn(move || {
            let before = known.load(Ordering::Acquire);
            let passed = other.try_acquire().is_ok();
            assert!(!(before && passed));
            passed
        });
        let end = queue.now() + INTERVAL / 2;
        queue.hold_until(end).unwrap();
        is_held.store(true, Ordering::Release);
        let then = due(&queue);
        let passed = passer.join().unwrap();
        assert_eq!(due(&queue), then);
        assert_eq!(then, if passed { 1_000 + 2 * INTERVAL } else { end });
    });
}

/// The waiter leaves after the hold has begun. At no time was nobody in line and nothing held.
#[test]
fn who_passes_does_so_when_nobody_waits_and_nothing_is_held_at_once() {
    check(|| {
        let queue = open::<2>();
        let place = queue.join();
        let other = queue.clone();
        let passer = thread::spawn(move || other.try_acquire().is_ok());
        queue.hold_until(queue.now() + INTERVAL).unwrap();
        drop(place);
        // Moves the head over the one who left.
        let _ = queue.drive();
        assert!(!passer.join().unwrap());
    });
}

#[test]
fn of_those_who_pass_at_the_end_of_a_hold_one_gets_a_permit() {
    check_within(2, || {
        let queue = open::<2>();
        queue.hold_until(queue.now() + 5).unwrap();
        let other = queue.clone();
        let passer = thread::spawn(move || other.try_acquire().ok());
        queue.pass(5);
        let mine = queue.try_acquire().ok();
        let late = queue.try_acquire().ok();
        let taken = [mine, late, passer.join().unwrap()];
        assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), [1_015]);
        assert_eq!(due(&queue), 1_025);
    });
}

/// Three permits are free when the hold is set. Whoever has met the hold finds them spent at its end, however far the one who
/// set it has come.
#[test]
fn a_hold_that_somebody_has_met_has_spent_the_burst_at_its_end() {
    check_within(2, || {
        let queue = Shared::<1>::new();
        queue.set_rate(rate(INTERVAL).strict().burst(3).unwrap());
        queue.pass(4 * INTERVAL);
        // Opens the lane, and leaves two.
        assert!(queue.try_acquire().is_ok());
        let end = queue.now() + 5;
        let other = queue.clone();
        let holder = thread::spawn(move || other.hold_until(end).unwrap());
        let has_met =
            matches!(queue.try_acquire(), Err(TryAcquireError::NotYet { at }) if at == end);
        queue.pass(5);
        let taken = (0..3).filter(|_| queue.try_acquire().is_ok()).count();
        holder.join().unwrap();
        if has_met {
            assert_eq!(taken, 1);
        }
    });
}

#[test]
fn a_charge_beside_the_lane_is_counted_and_so_is_who_passes() {
    check(|| {
        let queue = open::<1>();
        let other = queue.clone();
        let charger = thread::spawn(move || other.charge(3).unwrap());
        let passed = queue.try_acquire().is_ok();
        charger.join().unwrap();
        let used = 3 + u32::from(passed);
        assert_eq!(due(&queue), 1_000 + INTERVAL * (used + 1));
    });
}

/// Nobody passes, or enters, who has come after the door was shut.
fn a_shut_door_is_shut(shuts: fn(&Shared<1>)) {
    check(move || {
        let queue = open::<1>();
        let is_shut = Arc::new(AtomicBool::new(false));
        let (other, known) = (queue.clone(), is_shut.clone());
        let passer = thread::spawn(move || {
            let before = known.load(Ordering::Acquire);
            let taken = other.try_acquire();
            assert!(!before || taken == Err(TryAcquireError::Closed));
            taken.is_ok()
        });
        shuts(&queue);
        is_shut.store(true, Ordering::Release);
        assert_eq!(queue.try_acquire(), Err(TryAcquireError::Closed));
        assert!(Place::enter(queue.clone()).is_err());
        passer.join().unwrap();
    });
}

#[test]
fn nobody_passes_after_a_close() {
    a_shut_door_is_shut(|queue| queue.close());
}

#[test]
fn nobody_passes_after_a_drain() {
    a_shut_door_is_shut(|queue| queue.drain());
}
