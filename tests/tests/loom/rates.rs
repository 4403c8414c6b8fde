//! Changes of rate and hold, against drivers: after the call has returned they hold for everybody.

use loom::thread;

use crate::common::{INTERVAL, Shared, check, check_within, rate};

#[test]
fn after_a_slower_rate_was_set_nobody_is_released_by_the_old_one() {
    check(|| {
        let queue = Shared::<1>::spent();
        let place = queue.join();
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        queue.pass(INTERVAL - 1);
        queue.set_rate(rate(100 * INTERVAL).strict());
        assert!(place.is_waiting());
        queue.pass(1); // when it would be due at the old rate
        driver.join().unwrap();
        let _ = queue.drive();
        assert!(place.is_waiting(), "a tenth of the new interval is missing");
    });
}

#[test]
fn after_a_hold_has_begun_nobody_is_released_before_it_ends() {
    check(|| {
        let queue = Shared::<1>::new();
        let place = queue.join();
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        assert!(queue.hold_until(queue.now() + 50).is_ok());
        let released = !place.is_waiting();
        queue.pass(49);
        driver.join().unwrap();
        let _ = queue.drive();
        assert_eq!(released, !place.is_waiting());
        queue.pass(1);
        let _ = queue.drive();
        assert!(!place.is_waiting());
    });
}

#[test]
fn of_two_holds_the_longer_one_counts_while_a_driver_ends_an_old_one() {
    check(|| {
        let queue = Shared::<1>::new();
        assert!(queue.hold_until(queue.now() + 5).is_ok());
        let place = queue.join();
        queue.pass(5);
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        assert!(queue.hold_until(queue.now() + 50).is_ok());
        let released = !place.is_waiting();
        driver.join().unwrap();
        let _ = queue.drive();
        assert_eq!(released, !place.is_waiting());
    });
}

#[test]
fn of_two_rates_set_at_once_one_wins_whole() {
    check_within(2, || {
        let queue = Shared::<1>::new();
        let (Ok(a), Ok(b)) = (rate(20).burst(2), rate(30).strict().burst(3)) else {
            panic!("both are rates");
        };
        let other = queue.clone();
        let setter = thread::spawn(move || other.set_rate(a));
        queue.set_rate(b);
        setter.join().unwrap();
        let rate = queue.rate();
        assert!(rate == a || rate == b, "{rate:?}");
    });
}

#[test]
fn a_rate_set_while_a_driver_releases_loses_no_turn() {
    check(|| {
        let queue = Shared::<2>::new();
        let places = [queue.join(), queue.join()];
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        queue.set_rate(rate(INTERVAL / 2).strict());
        driver.join().unwrap();
        let _ = queue.drive();
        assert!(!places[0].is_waiting() && places[1].is_waiting());
        queue.pass(INTERVAL);
        let _ = queue.drive();
        assert!(!places[1].is_waiting());
    });
}
