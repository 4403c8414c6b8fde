//! Enqueue and advance, against themselves and each other.

use apiqueue_core::Status;
use loom::thread;

use crate::common::{INTERVAL, Shared, check, check_within};

#[test]
fn two_enqueuers_get_two_places_and_both_are_released() {
    check(|| {
        let queue = Shared::<2>::new();
        let other = queue.clone();
        let enqueuer = thread::spawn(move || other.join());
        let mine = queue.join();
        let theirs = enqueuer.join().unwrap();
        assert_eq!(queue.drive(), 1);
        assert!(mine.is_waiting() != theirs.is_waiting(), "one of them");
        queue.pass(INTERVAL);
        assert_eq!(queue.drive(), 1);
        assert!(!mine.is_waiting() && !theirs.is_waiting());
    });
}

#[test]
fn two_enqueuers_on_a_ring_of_one_get_one_place() {
    check(|| {
        let queue = Shared::<1>::new();
        let other = queue.clone();
        let enqueuer = thread::spawn(move || apiqueue_core::Waiter::enqueue(other).ok());
        let mine = apiqueue_core::Waiter::enqueue(queue).ok();
        let theirs = enqueuer.join().unwrap();
        assert!(mine.is_some() != theirs.is_some());
    });
}

#[test]
fn a_place_taken_while_a_driver_drives_is_released_by_it_or_the_next() {
    check(|| {
        let queue = Shared::<1>::new();
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        let place = queue.join();
        let released = driver.join().unwrap();
        assert_eq!(released, usize::from(!place.is_waiting()));
        assert_eq!(released + queue.drive(), 1);
        assert_eq!(place.status(), Status::Released);
    });
}

#[test]
fn two_drivers_release_one_waiter_each_interval_in_order() {
    check(|| {
        let queue = Shared::<2>::new();
        let places = [queue.join(), queue.join()];
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        let mine = queue.drive();
        assert_eq!(mine + driver.join().unwrap(), 1);
        assert!(!places[0].is_waiting() && places[1].is_waiting());
        queue.pass(INTERVAL);
        assert_eq!(queue.drive(), 1, "one release has used up one slot");
        assert!(!places[1].is_waiting());
    });
}

#[test]
fn two_drivers_use_one_slot_of_the_ring_for_two_laps() {
    check_within(2, || {
        let queue = Shared::<1>::new();
        let first = queue.join();
        let other = queue.clone();
        let driver = thread::spawn(move || {
            other.pass(INTERVAL);
            other.drive() + other.drive()
        });
        let mut mine = queue.drive();
        let second = apiqueue_core::Waiter::enqueue(queue.clone());
        mine += queue.drive();
        let all = mine + driver.join().unwrap();
        assert!(!first.is_waiting());
        match second {
            Ok(second) => assert_eq!(all, 1 + usize::from(!second.is_waiting())),
            Err(_) => assert_eq!(all, 1),
        }
    });
}

/// The check in true time: whatever readings the drivers used, whoever looks at the clock before and after can tell how
/// far apart two releases were at the most.
#[test]
fn two_releases_are_an_interval_apart_in_true_time_whatever_readings_the_drivers_used() {
    check_within(1, || {
        let queue = Shared::<2>::new();
        let places = [queue.join(), queue.join()];
        let driver = |queue: Shared<2>| move || queue.drive();
        let drivers = [
            thread::spawn(driver(queue.clone())),
            thread::spawn(driver(queue.clone())),
        ];
        // A long step of the clock, into whatever the drivers are in the middle of.
        queue.pass(5 * INTERVAL);
        let start = queue.now();
        let both_wait = places[0].is_waiting() && places[1].is_waiting();
        queue.pass(INTERVAL - 1);
        let _ = queue.drive();
        let both_released = !places[0].is_waiting() && !places[1].is_waiting();
        let end = queue.now();
        assert!(
            !(both_wait && both_released && end - start < INTERVAL),
            "two releases within {} ticks",
            end - start
        );
        for driver in drivers {
            driver.join().unwrap();
        }
    });
}

#[test]
fn a_late_driver_makes_no_burst_while_another_drives() {
    check(|| {
        let queue = Shared::<4>::new();
        let places = [queue.join(), queue.join(), queue.join()];
        let late = queue.clone();
        let driver = thread::spawn(move || late.drive());
        queue.pass(3 * INTERVAL);
        let _ = queue.drive();
        driver.join().unwrap();
        // All that was released before the long step, and one after it.
        let released = places.iter().filter(|place| !place.is_waiting()).count();
        assert!((1..=2).contains(&released), "{released}");
        let _ = queue.drive();
        let now = places.iter().filter(|place| !place.is_waiting()).count();
        assert_eq!(now, released, "the same reading releases nobody more");
    });
}

#[test]
fn try_acquire_overtakes_nobody() {
    check(|| {
        let queue = Shared::<2>::new();
        let place = queue.join();
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        let acquired = queue.try_acquire().is_ok();
        assert!(!acquired, "the permit is the waiter's");
        driver.join().unwrap();
        let _ = queue.drive();
        assert!(!place.is_waiting());
    });
}

#[test]
fn one_permit_goes_to_a_waiter_or_to_try_acquire_and_not_to_both() {
    check(|| {
        let queue = Shared::<2>::new();
        let other = queue.clone();
        let enqueuer = thread::spawn(move || {
            let place = other.join();
            let _ = other.drive();
            place
        });
        let acquired = queue.try_acquire().is_ok();
        let place = enqueuer.join().unwrap();
        let _ = queue.drive();
        assert_eq!(acquired, place.is_waiting());
    });
}
