//! Leaving the line, against everything that would have released the one who leaves.

use apiqueue_core::Status;
use loom::thread;

use crate::common::{Bell, INTERVAL, Shared, check, check_within};

#[test]
fn the_turn_of_a_head_that_leaves_two_drivers_goes_to_the_next() {
    check_within(2, || {
        let queue = Shared::<2>::new();
        let (head, next) = (queue.join(), queue.join());
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        drop(head);
        let _ = queue.drive();
        driver.join().unwrap();
        // Left before, or released unseen and given back, less a tick: either way the permit is there.
        queue.pass(1);
        let _ = queue.drive();
        assert_eq!(next.status(), Status::Released);
    });
}

#[test]
fn one_transition_decides_between_release_and_leaving() {
    check(|| {
        let queue = Shared::<2>::new();
        let (head, next) = (queue.join(), queue.join());
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        let seen = !head.is_waiting();
        drop(head);
        driver.join().unwrap();
        queue.pass(1);
        let _ = queue.drive();
        if seen {
            assert!(next.is_waiting(), "the permit was used");
            queue.pass(INTERVAL);
            let _ = queue.drive();
        }
        assert_eq!(next.status(), Status::Released);
    });
}

#[test]
fn two_who_leave_while_two_drive_leave_the_ring_whole() {
    check(|| {
        let queue = Shared::<2>::spent();
        let (head, next) = (queue.join(), queue.join());
        let other = queue.clone();
        let leaver = thread::spawn(move || {
            drop(head);
            other.drive()
        });
        drop(next);
        let _ = queue.drive();
        leaver.join().unwrap();
        // Both places can be had again, and the next lap works.
        let places = [queue.join(), queue.join()];
        for place in places {
            queue.pass(INTERVAL);
            assert_eq!(queue.drive(), 1);
            assert_eq!(place.status(), Status::Released);
        }
    });
}

#[test]
fn enqueuing_frees_the_place_of_one_who_left() {
    check(|| {
        let queue = Shared::<1>::spent();
        let head = queue.join();
        let other = queue.clone();
        let leaver = thread::spawn(move || {
            drop(head);
            let _ = other.drive();
        });
        if let Ok(place) = apiqueue_core::Waiter::enqueue(queue.clone()) {
            leaver.join().unwrap();
            queue.pass(INTERVAL);
            let _ = queue.drive();
            assert_eq!(place.status(), Status::Released);
        } else {
            leaver.join().unwrap();
            drop(queue.join());
        }
    });
}

#[test]
fn who_leaves_while_it_is_released_with_a_waker_leaves_no_waker_behind() {
    check(|| {
        let queue = Shared::<1>::new();
        let bell = Bell::new();
        let place = queue.join();
        assert!(place.poll_release(&bell.waker()).is_pending());
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        drop(place);
        let released = driver.join().unwrap();
        assert_eq!(bell.rung(), released);
        // The next lap's waiter has the slot's waker storage for itself.
        let second = queue.join();
        let again = Bell::new();
        assert!(second.poll_release(&again.waker()).is_pending());
        queue.pass(INTERVAL);
        assert_eq!(queue.drive(), 1);
        assert_eq!((bell.rung(), again.rung()), (released, 1));
    });
}

#[test]
fn a_permit_is_given_back_once_while_others_take_it() {
    check(|| {
        let queue = Shared::<2>::new();
        let head = queue.join();
        assert_eq!(queue.drive(), 1);
        let next = queue.join();
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        drop(head); // released, unseen
        driver.join().unwrap();
        queue.pass(1);
        let _ = queue.drive();
        assert_eq!(next.status(), Status::Released);
        assert!(queue.try_acquire().is_err(), "one permit, one release");
    });
}

/// Whoever frees a place takes it at once: who sees the ticket must see the place as it is then.
#[test]
fn a_driver_that_sees_who_came_sees_the_place_that_was_freed_for_it() {
    check(|| {
        let queue = Shared::<1>::new();
        drop(queue.join());
        let other = queue.clone();
        let joiner = thread::spawn(move || other.join());
        let _ = queue.drive();
        let place = joiner.join().unwrap();
        let _ = queue.drive();
        assert_eq!(place.status(), Status::Released);
        assert!(queue.is_empty());
    });
}

/// Who loses the race for a ticket looks at the next place, which the winner may have made free.
#[test]
fn who_loses_a_ticket_is_not_told_that_the_ring_is_full() {
    check(|| {
        let queue = Shared::<2>::new();
        let first = queue.join();
        let other = queue.clone();
        let joiner = thread::spawn(move || other.enqueue().map(|_| ()).is_ok());
        drop(first);
        let _ = queue.drive();
        let second = queue.join();
        assert!(joiner.join().unwrap());
        drop(second);
    });
}
