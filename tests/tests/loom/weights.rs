//! Weighted waiters: the weight is there for whoever releases, whoever wrote it down, and costs what it says.

use std::ops::Deref;

use apiqueue_core::{
    EnqueueError, Inline, ManualClock, QueueOver, Status, Weighted, WeightedQueue,
};
use loom::sync::Arc;
use loom::thread;

use crate::common::{Bell, INTERVAL, check, check_within, rate};

type Waiter = apiqueue_core::Waiter<Shared>;

#[derive(Clone)]
struct Shared(Arc<WeightedQueue<ManualClock<u32>, 2>>);

impl Deref for Shared {
    type Target = QueueOver<ManualClock<u32>, Inline<2>, Weighted>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Shared {
    /// A burst of three, of which so many permits are left.
    fn with(permits: u32) -> Self {
        let rate = match rate(INTERVAL).strict().burst(3) {
            Ok(rate) => rate,
            Err(error) => panic!("{error}"),
        };
        let queue = Self(Arc::new(WeightedQueue::new(
            ManualClock::<u32>::new(1_000),
            rate,
        )));
        for _ in permits..3 {
            assert!(queue.try_acquire().is_ok());
        }
        queue
    }

    fn join(&self, weight: usize) -> Waiter {
        let Ok(waiter) = Waiter::enqueue_weighted(self.clone(), weight) else {
            panic!("there is room, and the queue is open");
        };
        waiter
    }

    fn pass(&self, intervals: u32) {
        self.clock().advance(intervals * INTERVAL);
    }

    fn drive(&self) -> usize {
        self.advance().released
    }
}

#[test]
fn a_weight_is_there_for_a_driver_that_meets_its_waiter_on_the_way_in() {
    check(|| {
        let queue = Shared::with(1);
        let other = queue.clone();
        let enqueuer = thread::spawn(move || other.join(2));
        queue.drive();
        let heavy = enqueuer.join().unwrap();
        assert_eq!(queue.drive(), 0, "one permit is not two");
        assert!(heavy.is_waiting());
        queue.pass(1);
        assert_eq!(queue.drive(), 1);
        assert_eq!(heavy.status(), Status::Released);
        assert!(queue.try_acquire().is_err(), "both were used");
    });
}

#[test]
fn two_who_enqueue_at_once_keep_a_weight_each() {
    check(|| {
        let queue = Shared::with(3);
        let other = queue.clone();
        let enqueuer = thread::spawn(move || other.join(2));
        let mine = queue.join(3);
        queue.drive();
        let theirs = enqueuer.join().unwrap();
        queue.drive();
        // Three permits are there: either way the second is two short.
        let (first, second) = if mine.is_waiting() {
            (&theirs, &mine)
        } else {
            (&mine, &theirs)
        };
        assert_eq!(first.status(), Status::Released);
        assert_eq!(second.status(), Status::Waiting);
        queue.pass(1);
        assert_eq!(queue.drive(), 0);
        queue.pass(1);
        assert_eq!(queue.drive(), 1);
        assert_eq!(second.status(), Status::Released);
    });
}

#[test]
fn two_drivers_that_release_a_heavy_waiter_charge_it_once() {
    check_within(2, || {
        let queue = Shared::with(3);
        let heavy = queue.join(3);
        let next = queue.join(2);
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        queue.drive();
        driver.join().unwrap();
        assert_eq!(heavy.status(), Status::Released);
        assert!(next.is_waiting());
        queue.pass(1);
        assert_eq!(queue.drive(), 0);
        queue.pass(1);
        assert_eq!(queue.drive(), 1);
        assert_eq!(next.status(), Status::Released);
    });
}

#[test]
fn a_slot_that_is_used_again_at_once_keeps_the_weights_apart() {
    check_within(2, || {
        let queue = Shared::with(3);
        let heavy = queue.join(2);
        let other = queue.clone();
        let next = thread::spawn(move || {
            let light = other.join(1);
            (light, Waiter::enqueue_weighted(other, 3))
        });
        queue.drive();
        let (light, third) = next.join().unwrap();
        queue.drive();
        assert_eq!(heavy.status(), Status::Released);
        assert_eq!(light.status(), Status::Released);
        if let Ok(third) = third {
            assert!(third.is_waiting(), "three permits were used");
            queue.pass(2);
            assert_eq!(queue.drive(), 0);
            queue.pass(1);
            assert_eq!(queue.drive(), 1);
            assert_eq!(third.status(), Status::Released);
        }
    });
}

#[test]
fn a_heavy_waiter_that_leaves_while_it_is_released_gives_all_of_it_back() {
    check(|| {
        let queue = Shared::with(3);
        let heavy = queue.join(3);
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        drop(heavy);
        driver.join().unwrap();
        let next = queue.join(3);
        queue.clock().advance(1); // less a tick
        queue.drive();
        assert_eq!(next.status(), Status::Released);
    });
}

#[test]
fn who_enqueues_heavily_while_the_queue_is_closed_never_waits() {
    check(|| {
        let queue = Shared::with(1);
        let other = queue.clone();
        let enqueuer = thread::spawn(move || {
            let bell = Bell::new();
            match Waiter::enqueue_weighted(other, 2) {
                Ok(waiter) => {
                    let _ = waiter.poll_release(&bell.waker());
                    Some((waiter, bell))
                }
                Err(error) => {
                    assert_eq!(error, EnqueueError::Closed);
                    None
                }
            }
        });
        queue.close();
        if let Some((waiter, _)) = enqueuer.join().unwrap() {
            assert_eq!(waiter.status(), Status::Closed);
        }
    });
}

#[test]
fn a_charge_and_a_release_at_once_both_count() {
    check(|| {
        let queue = Shared::with(3);
        let waiter = queue.join(2);
        let other = queue.clone();
        let charger = thread::spawn(move || assert!(other.charge(1).is_ok()));
        queue.drive();
        charger.join().unwrap();
        queue.drive();
        assert_eq!(waiter.status(), Status::Released);
        assert!(queue.try_acquire().is_err(), "two and one are three");
        queue.pass(1);
        assert!(queue.try_acquire().is_ok());
        assert!(queue.try_acquire().is_err());
    });
}

#[test]
fn a_refund_wakes_the_driver_that_sleeps_until_later() {
    check(|| {
        let queue = Shared::with(0);
        let waiter = queue.join(2);
        let bell = Bell::new();
        let other = queue.clone();
        let refunder = thread::spawn(move || other.refund(3));
        let _ = queue.advance_with(&bell.waker());
        refunder.join().unwrap();
        if waiter.is_waiting() {
            assert_eq!(bell.rung(), 1, "told to look again");
            queue.clock().advance(1);
            assert_eq!(queue.drive(), 1);
        }
        assert_eq!(waiter.status(), Status::Released);
    });
}

/// The driver sleeps until the heavy head's reading, or sees that it has left.
#[test]
fn a_heavy_head_that_leaves_a_driver_that_goes_to_sleep_wakes_it_for_the_next() {
    check_within(2, || {
        let queue = Shared::with(1);
        let bell = Bell::new();
        let (heavy, light) = (queue.join(3), queue.join(1));
        let other = queue.clone();
        let leaver = thread::spawn(move || {
            drop(heavy);
            drop(other);
        });
        let advance = queue.advance_with(&bell.waker());
        leaver.join().unwrap();
        if light.is_waiting() {
            assert!(bell.rung() > 0, "asleep, though one may go: {advance:?}");
            let _ = queue.drive();
        }
        assert_eq!(light.status(), Status::Released);
    });
}
