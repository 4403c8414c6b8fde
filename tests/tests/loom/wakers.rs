//! Wakers: of waiters, against release, and of the driver, against what brings its deadline forward.

use std::task::Poll;

use apiqueue_core::Next;
use loom::thread;

use crate::common::{Bell, INTERVAL, Shared, check, rate};

#[test]
fn a_waiter_that_leaves_its_waker_while_it_is_released_sees_it_or_is_woken_once() {
    check(|| {
        let queue = Shared::<1>::new();
        let place = queue.join();
        let bell = Bell::new();
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        let polled = place.poll_release(&bell.waker());
        assert_eq!(driver.join().unwrap(), 1);
        assert_eq!(bell.rung(), usize::from(polled.is_pending()));
        assert_eq!(place.poll_release(&bell.waker()), Poll::Ready(Ok(())));
    });
}

#[test]
fn a_waker_that_takes_the_place_of_another_is_the_one_that_is_called() {
    check(|| {
        let queue = Shared::<1>::new();
        let place = queue.join();
        let (old, new) = (Bell::new(), Bell::new());
        assert!(place.poll_release(&old.waker()).is_pending());
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        let polled = place.poll_release(&new.waker());
        driver.join().unwrap();
        if polled.is_pending() {
            assert_eq!((old.rung(), new.rung()), (0, 1));
        } else {
            assert!(old.rung() <= 1 && new.rung() == 0);
        }
    });
}

#[test]
fn the_next_lap_leaves_its_waker_while_the_last_one_is_taken_out() {
    check(|| {
        let queue = Shared::<1>::new();
        let first = queue.join();
        let bell = Bell::new();
        assert!(first.poll_release(&bell.waker()).is_pending());
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        if let Ok(second) = apiqueue_core::Waiter::enqueue(queue.clone()) {
            let again = Bell::new();
            assert!(second.poll_release(&again.waker()).is_pending());
            driver.join().unwrap();
            queue.pass(INTERVAL);
            assert_eq!(queue.drive(), 1);
            assert!(
                again.rung() >= 1,
                "woken for its release, or at once to poll again"
            );
            assert!(!second.is_waiting());
        } else {
            driver.join().unwrap();
        }
        assert_eq!(bell.rung(), 1);
    });
}

#[test]
fn the_next_lap_leaves_its_waker_while_one_who_leaves_takes_its_own_out() {
    check(|| {
        let queue = Shared::<1>::spent();
        let first = queue.join();
        let (old, new) = (Bell::new(), Bell::new());
        assert!(first.poll_release(&old.waker()).is_pending());
        let leaver = thread::spawn(move || drop(first));
        // Passes over the one who has left and takes its place, if it has left by now.
        let second = apiqueue_core::Waiter::enqueue(queue.clone()).ok();
        if let Some(second) = &second {
            assert!(second.poll_release(&new.waker()).is_pending());
        }
        leaver.join().unwrap();
        assert_eq!(old.rung(), 0);
        if let Some(second) = second {
            queue.pass(INTERVAL);
            assert_eq!(queue.drive(), 1);
            assert!(
                new.rung() >= 1,
                "woken for its release, or at once to poll again"
            );
            assert!(!second.is_waiting());
        }
    });
}

#[test]
fn the_next_lap_leaves_its_waker_while_the_last_one_is_still_leaving_its_own() {
    check(|| {
        let queue = Shared::<1>::new();
        let first = queue.join();
        let poller = thread::spawn(move || {
            let bell = Bell::new();
            let _ = first.poll_release(&bell.waker());
            (first, bell)
        });
        assert_eq!(queue.drive(), 1);
        let second = queue.join();
        let bell = Bell::new();
        assert!(second.poll_release(&bell.waker()).is_pending());
        let (first, late) = poller.join().unwrap();
        assert!(!first.is_waiting() && late.rung() <= 1);
        queue.pass(INTERVAL);
        assert_eq!(queue.drive(), 1);
        assert!(
            bell.rung() >= 1,
            "woken for its release, or at once to poll again"
        );
    });
}

/// The driver goes to sleep while `event` happens: it saw it, or is woken.
fn driver_sleeps_against<const N: usize, P: 'static, E: 'static>(
    prepare: fn(&Shared<N>) -> P,
    event: fn(&Shared<N>) -> E,
) {
    check(move || {
        let queue = Shared::<N>::spent();
        let prepared = prepare(&queue);
        let bell = Bell::new();
        let waker = bell.waker();
        let other = queue.clone();
        let driver = thread::spawn(move || {
            let advance = other.advance_with(&waker);
            (advance, other)
        });
        let caused = event(&queue);
        let (advance, queue) = driver.join().unwrap();
        let next = queue.advance().next;
        assert!(
            advance.next == next || advance.released > 0 || bell.rung() > 0,
            "asleep until {:?} while it is {next:?}",
            advance.next
        );
        drop((prepared, caused));
    });
}

#[test]
fn a_driver_that_goes_to_sleep_sees_an_enqueue_or_is_woken() {
    driver_sleeps_against::<2, _, _>(|_| {}, Shared::join);
}

#[test]
fn a_driver_that_goes_to_sleep_sees_an_entry_or_is_woken() {
    driver_sleeps_against::<2, _, _>(|_| {}, |queue| apiqueue_core::Waiter::enter(queue.clone()));
}

#[test]
fn a_driver_that_goes_to_sleep_sees_a_faster_rate_or_is_woken() {
    driver_sleeps_against::<1, _, _>(Shared::join, |queue| queue.set_rate(rate(INTERVAL / 2)));
}

#[test]
fn a_driver_that_goes_to_sleep_sees_a_resume_or_is_woken() {
    driver_sleeps_against::<1, _, _>(
        |queue| {
            assert!(queue.hold_until(queue.now() + 5 * INTERVAL).is_ok());
            queue.join()
        },
        |queue| queue.resume(),
    );
}

#[test]
fn a_driver_that_goes_to_sleep_sees_the_close_or_is_woken() {
    driver_sleeps_against::<1, _, _>(|_| {}, |queue| queue.close());
}

#[test]
fn a_driver_that_goes_to_sleep_sees_the_drain_or_is_woken() {
    driver_sleeps_against::<1, _, _>(|_| {}, |queue| queue.drain());
}

#[test]
fn a_sleeping_driver_is_woken_once_by_two_who_enqueue() {
    check(|| {
        let queue = Shared::<2>::spent();
        let bell = Bell::new();
        assert_eq!(queue.advance_with(&bell.waker()).next, Next::OnEnqueue);
        let other = queue.clone();
        let enqueuer = thread::spawn(move || other.join());
        let places = [queue.join(), enqueuer.join().unwrap()];
        assert_eq!(bell.rung(), 1);
        drop(places);
    });
}

/// Of two who ring, one finds that the other was quicker: the driver that this one has woken may have looked too early for its
/// news.
#[test]
fn a_driver_that_two_wake_misses_the_news_of_neither() {
    check(|| {
        let queue = Shared::<2>::spent();
        let _place = queue.join();
        let first = Bell::new();
        assert_eq!(queue.advance_with(&first.waker()).next, Next::At(1_010));
        let (one, two) = (queue.clone(), queue.clone());
        let refunder = thread::spawn(move || one.refund(1));
        let waker = thread::spawn(move || two.wake_driver());
        waker.join().unwrap();
        if first.rung() == 0 {
            // The other one has taken the waker, and is about to call it.
            refunder.join().unwrap();
            assert_eq!(first.rung(), 1);
            return;
        }
        let second = Bell::new();
        let told = queue.advance_with(&second.waker()).next;
        refunder.join().unwrap();
        assert!(
            told == Next::At(1_001) || second.rung() > 0,
            "asleep until {told:?}"
        );
    });
}
