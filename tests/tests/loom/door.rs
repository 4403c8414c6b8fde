//! Closing, against each of the others: everybody learns one answer, and nobody waits for ever.

use apiqueue_core::Status;
use loom::thread;

use crate::common::{Bell, Shared, check};

#[test]
fn who_enqueues_while_the_queue_is_closed_is_refused_or_told() {
    check(|| {
        let queue = Shared::<2>::new();
        let other = queue.clone();
        let closer = thread::spawn(move || other.close());
        let place = apiqueue_core::Waiter::enqueue(queue.clone());
        closer.join().unwrap();
        if let Ok(place) = place {
            assert_eq!(place.status(), Status::Closed);
        }
        assert!(apiqueue_core::Waiter::enqueue(queue.clone()).is_err());
    });
}

#[test]
fn close_and_a_driver_decide_once_for_each_waiter() {
    check(|| {
        let queue = Shared::<2>::new();
        let places = [queue.join(), queue.join()];
        let other = queue.clone();
        let driver = thread::spawn(move || other.drive());
        queue.close();
        let told = [places[0].status(), places[1].status()];
        let released = driver.join().unwrap();
        let _ = queue.drive();
        assert_eq!(
            told,
            [places[0].status(), places[1].status()],
            "nobody passes after the close"
        );
        assert_eq!(told[1], Status::Closed);
        assert!(
            released <= usize::from(told[0] == Status::Released),
            "a release that the close completed is not counted"
        );
    });
}

#[test]
fn who_leaves_a_waker_while_the_queue_is_closed_is_told_or_woken() {
    check(|| {
        let queue = Shared::<1>::spent();
        let place = queue.join();
        let other = queue.clone();
        let closer = thread::spawn(move || other.close());
        let bell = Bell::new();
        let polled = place.poll_release(&bell.waker());
        closer.join().unwrap();
        assert_eq!(bell.rung(), usize::from(polled.is_pending()));
        assert_eq!(place.status(), Status::Closed);
    });
}

#[test]
fn who_leaves_while_the_queue_is_closed_leaves() {
    check(|| {
        let queue = Shared::<1>::spent();
        let place = queue.join();
        let bell = Bell::new();
        assert!(place.poll_release(&bell.waker()).is_pending());
        let other = queue.clone();
        let closer = thread::spawn(move || other.close());
        drop(place);
        closer.join().unwrap();
        assert!(bell.rung() <= 1);
    });
}

#[test]
fn two_who_close_wake_each_waiter_once() {
    check(|| {
        let queue = Shared::<2>::spent();
        let places = [queue.join(), queue.join()];
        let bells = [Bell::new(), Bell::new()];
        for (place, bell) in places.iter().zip(&bells) {
            assert!(place.poll_release(&bell.waker()).is_pending());
        }
        let other = queue.clone();
        let closer = thread::spawn(move || other.close());
        queue.close();
        closer.join().unwrap();
        for (place, bell) in places.iter().zip(&bells) {
            assert_eq!((place.status(), bell.rung()), (Status::Closed, 1));
        }
    });
}
