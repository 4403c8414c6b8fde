//! The lane beside the line (the core's `lane`): who passes without a turn, against who waits and who
//! drives. Changes of the pace beside it are in `lane_changes`, what becomes of its permits in `lane_returns`.

use std::mem::forget;
use std::ops::RangeInclusive;

use apiqueue_core::{Status, TryAcquireError, Waiter as Place};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::common::{INTERVAL, Shared, Waiter, check, check_within};

/// The readings between which a permit was given out.
pub(crate) type Grant = RangeInclusive<u32>;

/// A queue whose lane is open, with a permit due at 1010, which it is.
pub(crate) fn open<const N: usize>() -> Shared<N> {
    let queue = Shared::spent();
    queue.pass(INTERVAL);
    queue
}

/// The same, but for the lane: the latest permit was a waiter's.
pub(crate) fn shut<const N: usize>() -> Shared<N> {
    let queue = Shared::new();
    let first = queue.join();
    assert_eq!(queue.drive(), 1);
    assert_eq!(first.status(), Status::Released);
    queue.pass(INTERVAL);
    queue
}

/// A permit without a place, and the very reading for which it counts.
pub(crate) fn taken<const N: usize>(queue: &Shared<N>) -> Option<Grant> {
    queue.try_acquire().ok().map(|at| at..=at)
}

/// When a permit can be taken.
pub(crate) fn due<const N: usize>(queue: &Shared<N>) -> u32 {
    match queue.try_acquire() {
        Err(TryAcquireError::NotYet { at }) => at,
        other => panic!("a permit is out, and nobody waits: {other:?}"),
    }
}

/// One who takes a place, drives once, and keeps the place.
struct Comer<const N: usize> {
    place: Waiter<N>,
    came: u32,
    grant: Option<Grant>,
}

impl<const N: usize> Comer<N> {
    fn drives(queue: &Shared<N>) -> Self {
        let came = queue.now();
        let place = queue.join();
        let _ = queue.drive();
        let mut comer = Self {
            place,
            came,
            grant: None,
        };
        comer.grant = comer.looks(queue);
        comer
    }

    /// Its release as it is known by now.
    fn looks(&self, queue: &Shared<N>) -> Option<Grant> {
        let known = self.grant.clone();
        known.or_else(|| (!self.place.is_waiting()).then(|| self.came..=queue.now()))
    }
}

/// In every window there is one permit, and one more for each interval.
pub(crate) fn assert_spaced(grants: impl IntoIterator<Item = Grant>) {
    let grants: Vec<_> = grants.into_iter().collect();
    for (first, last) in grants
        .iter()
        .flat_map(|a| grants.iter().map(move |b| (a, b)))
    {
        let (from, to) = (*first.start(), *last.end());
        let within = |grant: &&Grant| from <= *grant.start() && *grant.end() <= to;
        let count = grants.iter().filter(within).count();
        let most = 1 + to.saturating_sub(from) / INTERVAL;
        assert!(
            count <= most as usize,
            "{count} from {from} to {to}: {grants:?}"
        );
    }
}

#[test]
fn of_two_who_pass_one_gets_the_permit() {
    check_within(5, || {
        let queue = open::<1>();
        let other = queue.clone();
        let passer = thread::spawn(move || other.try_acquire());
        let mine = queue.try_acquire();
        let theirs = passer.join().unwrap();
        assert!(mine.is_ok() != theirs.is_ok());
        let next = 1_000 + 2 * INTERVAL;
        for refused in [mine, theirs, queue.try_acquire()]
            .into_iter()
            .filter_map(Result::err)
        {
            assert_eq!(refused, TryAcquireError::NotYet { at: next });
        }
    });
}

#[test]
fn of_three_who_pass_no_two_are_within_an_interval_whatever_readings_they_have() {
    check_within(3, || {
        let queue = open::<1>();
        let passers =
            [queue.clone(), queue.clone()].map(|queue| thread::spawn(move || taken(&queue)));
        queue.pass(INTERVAL - 1);
        let mut grants = vec![taken(&queue)];
        queue.pass(2);
        grants.push(taken(&queue));
        grants.extend(passers.map(|passer| passer.join().unwrap()));
        assert!(grants.iter().any(Option::is_some));
        assert_spaced(grants.into_iter().flatten());
    });
}

/// However long it stood still on the way, and whoever was faster.
#[test]
fn the_reading_of_who_passes_is_from_within_the_call() {
    check_within(5, || {
        let queue = open::<1>();
        let other = queue.clone();
        let passer = thread::spawn(move || {
            let from = other.now();
            let taken = other.try_acquire();
            (from..=other.now(), taken)
        });
        let mine = taken(&queue);
        queue.pass(INTERVAL);
        let (call, theirs) = passer.join().unwrap();
        match theirs {
            Ok(at) => {
                assert!(call.contains(&at));
                assert_spaced(mine.into_iter().chain([at..=at]));
            }
            Err(refused) => {
                let at = 1_000 + 2 * INTERVAL;
                assert_eq!(refused, TryAcquireError::NotYet { at });
            }
        }
    });
}

#[test]
fn a_permit_passes_or_is_a_waiters() {
    check(|| {
        let queue = open::<2>();
        let other = queue.clone();
        let comer = thread::spawn(move || Comer::drives(&other));
        let passed = queue.try_acquire().is_ok();
        let comer = comer.join().unwrap();
        let _ = queue.drive();
        assert_eq!(passed, comer.place.is_waiting());
    });
}

#[test]
fn who_passes_is_an_interval_from_a_waiter() {
    check(|| {
        let queue = open::<2>();
        let other = queue.clone();
        let comer = thread::spawn(move || Comer::drives(&other));
        queue.pass(INTERVAL - 1);
        let mut grants = vec![taken(&queue)];
        queue.pass(2);
        grants.push(taken(&queue));
        grants.push(comer.join().unwrap().looks(&queue));
        assert_spaced(grants.into_iter().flatten());
    });
}

#[test]
fn who_passes_is_an_interval_from_what_two_drivers_release() {
    check_within(1, || {
        let queue = open::<2>();
        let (one, two) = (queue.clone(), queue.clone());
        let comer = thread::spawn(move || Comer::drives(&one));
        let driver = thread::spawn(move || two.drive());
        let mut grants = vec![taken(&queue)];
        queue.pass(INTERVAL - 1);
        grants.push(taken(&queue));
        driver.join().unwrap();
        grants.push(comer.join().unwrap().looks(&queue));
        assert_spaced(grants.into_iter().flatten());
    });
}

/// The driver has looked at a shut word when a permit is taken under a turn, and the next one without.
#[test]
fn a_lane_that_opens_behind_a_driver_gives_nothing_out_twice() {
    check_within(2, || {
        let queue = shut::<2>();
        let other = queue.clone();
        let comer = thread::spawn(move || Comer::drives(&other));
        let mut grants = vec![taken(&queue)];
        queue.pass(INTERVAL);
        grants.push(taken(&queue));
        grants.push(comer.join().unwrap().looks(&queue));
        assert_spaced(grants.into_iter().flatten());
    });
}

/// Where any look at an empty line opened the word, and shutting made the word of before: a late opener came between a
/// driver's look and its claim, and with it one who had found the word open the time before. That took all three of these.
#[test]
fn nobody_late_opens_what_a_driver_has_shut() {
    check_within(2, || {
        let queue = shut::<1>();
        let (one, two) = (queue.clone(), queue.clone());
        let passer = thread::spawn(move || one.try_acquire().is_ok());
        let comer = thread::spawn(move || {
            let place = two.enqueue().unwrap();
            let _ = two.drive();
            let is_released = !place.is_waiting();
            forget(place);
            is_released
        });
        let given = [
            queue.try_acquire().is_ok(),
            passer.join().unwrap(),
            comer.join().unwrap(),
        ];
        let given = given.into_iter().filter(|&given| given).count();
        assert!(given <= 1, "{given} times the same permit");
    });
}

#[test]
fn a_waiter_that_comes_and_goes_beside_the_lane_costs_nothing_and_gives_nothing() {
    check_within(2, || {
        let queue = open::<2>();
        let (one, two) = (queue.clone(), queue.clone());
        let passer = thread::spawn(move || one.try_acquire().is_ok());
        let leaver = thread::spawn(move || {
            drop(two.join());
            two.try_acquire().is_ok()
        });
        let taken = [
            queue.try_acquire().is_ok(),
            passer.join().unwrap(),
            leaver.join().unwrap(),
        ];
        assert_eq!(taken.into_iter().filter(|&taken| taken).count(), 1);
    });
}

#[test]
fn of_two_who_enter_one_goes_and_the_other_is_next() {
    check_within(5, || {
        let queue = open::<2>();
        let enter = |queue: Shared<2>| Place::enter(queue).unwrap();
        let other = queue.clone();
        let enterer = thread::spawn(move || enter(other));
        let mine = enter(queue.clone());
        let theirs = enterer.join().unwrap();
        assert!(mine.is_waiting() != theirs.is_waiting());
        queue.pass(INTERVAL);
        assert_eq!(queue.drive(), 1);
        assert!(!mine.is_waiting() && !theirs.is_waiting());
    });
}

#[test]
fn who_passes_overtakes_nobody_who_is_known_to_wait() {
    check_within(5, || {
        let queue = open::<2>();
        let is_known = Arc::new(AtomicBool::new(false));
        let (other, told) = (queue.clone(), is_known.clone());
        let joiner = thread::spawn(move || {
            let place = other.join();
            told.store(true, Ordering::Release);
            place
        });
        let is_behind = is_known.load(Ordering::Acquire);
        let passed = queue.try_acquire().is_ok();
        assert!(!(is_behind && passed));
        let place = joiner.join().unwrap();
        assert_eq!(queue.try_acquire(), Err(TryAcquireError::Queued));
        assert_eq!(queue.drive(), usize::from(!passed));
        assert_eq!(passed, place.is_waiting());
    });
}
