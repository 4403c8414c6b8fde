//! Changes of rate against each other and against whoever decides by the rate, and a ring of one: what the words on the page
//! `layout` have to keep apart.

use apiqueue_core::{Next, Rate, Status, Waiter as Place};
use loom::thread;

use crate::common::{Bell, INTERVAL, Shared, check, check_within, rate};

fn burst(interval: u32, burst: u32) -> Rate<u32> {
    match rate(interval).burst(burst) {
        Ok(rate) => rate.strict(),
        Err(error) => panic!("{error}"),
    }
}

/// A queue of ten at a slow rate whose burst is used up.
fn used() -> Shared<2> {
    let queue = Shared::<2>::new();
    queue.set_rate(burst(100 * INTERVAL, 10));
    while queue.try_acquire().is_ok() {}
    queue
}

/// Half of (100, burst 10) → (1, burst 1) is a fast rate with a long span.
#[test]
fn nobody_acts_by_half_of_a_rate() {
    check_within(2, || {
        let queue = used();
        let other = queue.clone();
        let setter = thread::spawn(move || other.set_rate(burst(INTERVAL, 1)));
        queue.pass(2 * INTERVAL);
        let taken = (0..3).filter(|_| queue.try_acquire().is_ok()).count();
        setter.join().unwrap();
        assert!(
            taken <= 1,
            "{taken} permits at one reading, of a burst of one"
        );
    });
}

#[test]
fn permits_stay_permits_while_somebody_takes_them() {
    check_within(2, || {
        let queue = Shared::<2>::new();
        queue.set_rate(burst(100 * INTERVAL, 3));
        // One is in hand: that of the first burst.
        let other = queue.clone();
        let setter = thread::spawn(move || other.set_rate(burst(INTERVAL, 3)));
        let mine = usize::from(queue.try_acquire().is_ok());
        setter.join().unwrap();
        let after = (0..3).filter(|_| queue.try_acquire().is_ok()).count();
        assert_eq!(mine + after, 1);
    });
}

/// Of three rates set at once, each of which a mixture would show.
#[test]
fn of_three_rates_set_at_once_one_wins_whole() {
    check_within(1, || {
        let queue = Shared::<1>::new();
        let rates = [burst(20, 2), burst(30, 3), burst(40, 4)];
        let setters = [rates[0], rates[1]].map(|rate| {
            let queue = queue.clone();
            thread::spawn(move || queue.set_rate(rate))
        });
        queue.set_rate(rates[2]);
        for setter in setters {
            setter.join().unwrap();
        }
        let rate = queue.rate();
        assert!(rates.contains(&rate), "{rate:?}");
    });
}

#[test]
fn a_charge_is_in_force_when_it_returns() {
    check(|| {
        let queue = Shared::<1>::spent();
        let place = queue.join();
        queue.pass(INTERVAL);
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        assert!(queue.charge(2).is_ok());
        let released = !place.is_waiting();
        driver.join().unwrap();
        let _ = queue.drive();
        assert_eq!(released, !place.is_waiting(), "the permit was used");
    });
}

/// A driver that has released the slot and not yet moved the head, on a ring of one.
#[test]
fn who_joins_and_leaves_a_ring_of_one_while_it_releases_leaves_no_ghost() {
    check(|| {
        let queue = Shared::<1>::new();
        let first = queue.join();
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        for _ in 0..2 {
            drop(Place::enqueue(queue.clone()));
        }
        driver.join().unwrap();
        let _ = queue.drive();
        assert_eq!(first.status(), Status::Released);
        assert!(queue.is_empty());
        let next = queue.join();
        queue.pass(INTERVAL);
        let _ = queue.drive();
        assert_eq!(
            next.status(),
            Status::Released,
            "its own interval, and no other's"
        );
    });
}

#[test]
fn two_who_share_a_ring_of_one_are_released_one_after_the_other() {
    check(|| {
        let queue = Shared::<1>::new();
        let other = queue.clone();
        let neighbour = thread::spawn(move || {
            let place = Place::enqueue(other.clone()).ok();
            (other.drive(), place)
        });
        let mine = Place::enqueue(queue.clone()).ok();
        let released = queue.drive();
        let (other, theirs) = neighbour.join().unwrap();
        assert!(released + other <= 1, "one interval, one release");
        queue.pass(INTERVAL);
        let _ = queue.drive();
        for place in [mine, theirs].into_iter().flatten() {
            assert_eq!(place.status(), Status::Released);
        }
        assert!(queue.is_empty());
    });
}

/// The driver sees the permit that came back, or is woken for who comes after.
#[test]
fn a_permit_given_back_while_somebody_comes_is_told() {
    check_within(2, || {
        let queue = Shared::<2>::new();
        let bell = Bell::new();
        let unseen = queue.join();
        assert_eq!(queue.advance_with(&bell.waker()).released, 1);
        let other = queue.clone();
        let comer = thread::spawn(move || other.join());
        drop(unseen);
        let place = comer.join().unwrap();
        queue.pass(1);
        assert!(bell.rung() > 0);
        let _ = queue.drive();
        assert_eq!(place.status(), Status::Released);
    });
}

/// A refund that finds a sleeping driver and nobody in line leaves the telling to whoever comes next.
#[test]
fn a_driver_that_is_told_of_who_came_knows_of_the_refund_before() {
    check(|| {
        let queue = Shared::<2>::spent();
        let bell = Bell::new();
        assert_eq!(queue.advance_with(&bell.waker()).next, Next::OnEnqueue);
        let (one, two) = (queue.clone(), queue.clone());
        let refunder = thread::spawn(move || one.refund(1));
        let joiner = thread::spawn(move || two.join());
        let _place = joiner.join().unwrap();
        let second = Bell::new();
        let next = queue.advance_with(&second.waker()).next;
        refunder.join().unwrap();
        let due = queue.advance().next;
        assert_eq!(
            due,
            Next::At(1_001),
            "the permit that was put back, less a tick"
        );
        assert!(next == due || second.rung() > 0, "asleep until {next:?}");
    });
}
