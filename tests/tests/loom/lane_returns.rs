//! Permits that come back beside the lane. One that `enter` took without a place is told by the word that was written for it:
//! it comes back as long as that is the latest use, and never for somebody else's.

use apiqueue_core::Waiter as Place;
use loom::thread;

use crate::common::{INTERVAL, Shared, Waiter, check, check_within, rate};
use crate::lane::{Grant, assert_spaced, due, open, shut, taken};

/// One who goes at once, by a pass where the lane is open.
fn entered<const N: usize>(queue: &Shared<N>) -> Waiter<N> {
    Place::enter(queue.clone()).unwrap()
}

/// A permit that counts, as it did not come back.
fn kept(at: u32, came_back: bool) -> Option<Grant> {
    (!came_back).then_some(at..=at)
}

#[test]
fn what_passed_does_not_come_back_once_another_has_passed() {
    check(|| {
        let queue = open::<1>();
        let mut mine = entered(&queue);
        let other = queue.clone();
        let passer = thread::spawn(move || {
            other.pass(INTERVAL);
            taken(&other)
        });
        let came_back = mine.give_back();
        let mut grants = vec![kept(1_010, came_back), passer.join().unwrap()];
        queue.pass(1);
        grants.push(taken(&queue));
        assert_eq!(grants.iter().flatten().count(), 1 + usize::from(!came_back));
        assert_spaced(grants.into_iter().flatten());
    });
}

/// Dropped unseen it comes back as well, less a tick.
#[test]
fn what_passed_and_was_dropped_is_there_for_one_who_passes() {
    check_within(4, || {
        let queue = open::<1>();
        let mine = entered(&queue);
        queue.pass(1);
        let other = queue.clone();
        let passer = thread::spawn(move || taken(&other));
        drop(mine);
        let theirs = passer.join().unwrap();
        let later = taken(&queue);
        assert!(theirs.is_some() != later.is_some());
        assert_eq!(due(&queue), 1_021);
    });
}

#[test]
fn what_passed_does_not_come_back_once_a_waiter_was_released() {
    check(|| {
        let queue = open::<2>();
        let mut mine = entered(&queue);
        let place = queue.join();
        let other = queue.clone();
        let driver = thread::spawn(move || {
            let from = other.now();
            other.pass(INTERVAL);
            let _ = other.drive();
            (!place.is_waiting()).then(|| from..=other.now())
        });
        let came_back = mine.give_back();
        let released = driver.join().unwrap();
        assert!(released.is_some());
        queue.pass(1);
        let mut grants = vec![kept(1_010, came_back), Some(1_020..=1_020)];
        grants.push(taken(&queue));
        assert_spaced(grants.into_iter().flatten());
    });
}

/// Where the permit was taken under a turn, others may have completed it.
#[test]
fn what_was_taken_under_a_turn_comes_back_once_or_not_at_all() {
    check_within(2, || {
        let queue = shut::<1>();
        let other = queue.clone();
        let enterer = thread::spawn(move || {
            let mut place = Place::enter(other).unwrap();
            let had = !place.is_waiting();
            (had, had && place.give_back(), place)
        });
        queue.pass(INTERVAL);
        let mut grants = vec![taken(&queue)];
        let (had, came_back, place) = enterer.join().unwrap();
        if !had {
            return drop(place);
        }
        queue.pass(1);
        grants.push(taken(&queue));
        // Theirs counted for one of two readings.
        let count = grants.iter().flatten().count();
        assert!(count <= 1 + usize::from(!came_back), "{grants:?}");
        assert_spaced(grants.into_iter().flatten());
    });
}

/// Three permits, the third of which is given back while one is put back: both are there again, or only the one.
#[test]
fn what_passed_comes_back_beside_a_refund_or_is_lost_whole() {
    check(|| {
        let queue = Shared::<1>::new();
        queue.set_rate(rate(INTERVAL).strict().burst(3).unwrap());
        queue.pass(5 * INTERVAL);
        assert!((0..2).all(|_| queue.try_acquire().is_ok()));
        let mut mine = entered(&queue);
        let other = queue.clone();
        let refunder = thread::spawn(move || other.refund(1));
        let came_back = mine.give_back();
        refunder.join().unwrap();
        // The ticks that each of them is short of.
        queue.pass(3);
        let there = (0..4).filter(|_| queue.try_acquire().is_ok()).count();
        assert_eq!(there, 1 + usize::from(came_back));
    });
}

#[test]
fn what_passed_comes_back_before_a_charge_or_not_at_all() {
    check(|| {
        let queue = open::<1>();
        let mut mine = entered(&queue);
        let other = queue.clone();
        let charger = thread::spawn(move || other.charge(1).unwrap());
        let came_back = mine.give_back();
        charger.join().unwrap();
        let full = if came_back { 1_020 } else { 1_030 };
        // A tick for what came back, and one for a claim that met another.
        assert!((full..=full + 2).contains(&due(&queue)), "{came_back}");
    });
}

/// Nine tenths of a permit, at a rate by which a whole one would be another's hundred ticks.
#[test]
fn what_passed_comes_back_at_the_rate_of_then_or_not_at_all() {
    check_within(3, || {
        let queue = open::<1>();
        let mut mine = entered(&queue);
        let other = queue.clone();
        let setter = thread::spawn(move || other.set_rate(rate(10 * INTERVAL).strict()));
        let came_back = mine.give_back();
        setter.join().unwrap();
        // A tick of the old rate is ten of the new one. One more for a claim that met another.
        let at = if came_back { 1_020 } else { 1_110 };
        assert!((at..=at + 10).contains(&due(&queue)), "{came_back}");
    });
}

#[test]
fn of_two_who_passed_the_later_one_comes_back() {
    check_within(4, || {
        let queue = Shared::<1>::new();
        queue.set_rate(rate(INTERVAL).strict().burst(3).unwrap());
        queue.pass(5 * INTERVAL);
        assert!(queue.try_acquire().is_ok());
        let (mut first, mut second) = (entered(&queue), entered(&queue));
        let giver = thread::spawn(move || first.give_back());
        assert!(second.give_back());
        assert!(!giver.join().unwrap());
        queue.pass(1);
        assert_eq!((0..3).filter(|_| queue.try_acquire().is_ok()).count(), 1);
    });
}

/// The first of the others takes a permit under a turn, the second one passes.
#[test]
fn a_waiters_permit_does_not_come_back_once_others_have_taken_one() {
    check(|| {
        let queue = shut::<2>();
        let mut released = queue.join();
        assert_eq!(queue.drive(), 1);
        let other = queue.clone();
        let enterer = thread::spawn(move || {
            other.pass(INTERVAL);
            let Ok(at) = other.try_acquire() else {
                return vec![];
            };
            other.pass(INTERVAL);
            vec![Some(at..=at), taken(&other)]
        });
        let came_back = released.give_back();
        let mut grants = enterer.join().unwrap();
        queue.pass(1);
        grants.extend([kept(1_010, came_back), taken(&queue)]);
        let grants: Vec<_> = grants.into_iter().flatten().collect();
        assert_eq!(grants.len(), 2 + usize::from(!came_back));
        assert_spaced(grants);
    });
}
