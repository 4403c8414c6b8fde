//! Place and turn in one call, and permits that nobody had to wait for.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Closed, Stop, WaitError};
use futures_lite::future::block_on;

const SECOND: u64 = 1_000_000_000;

/// A queue of one a second on a clock that stands, driven by hand.
fn by_hand(capacity: usize) -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .per_second(1)
        .capacity(capacity)
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    (queue, clock)
}

#[test]
fn a_turn_that_is_free_is_there_at_once_and_counted() {
    let (queue, clock) = by_hand(4);
    queue.wait_turn().unwrap();
    clock.advance(SECOND);
    block_on(queue.turn()).unwrap();
    clock.advance(SECOND);
    queue.wait_turn_timeout(Duration::ZERO).unwrap();
    clock.advance(SECOND / 2);
    let stats = queue.stats();
    assert_eq!((stats.released, stats.depth, stats.cancelled), (3, 0, 0));
    assert_eq!(stats.waits.unwrap().count, 3);
    assert_eq!(stats.waits.unwrap().max, Duration::ZERO);
    assert_eq!(stats.since_last_release, Some(Duration::from_millis(500)));
}

#[test]
fn turns_stand_in_one_line_with_places() {
    let (queue, clock) = by_hand(4);
    queue.wait_turn().unwrap();
    let first = queue.enqueue().unwrap();
    let mut second = pin!(queue.turn());
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(queue.len(), 1, "a turn takes its place when it is polled");
    assert!(second.as_mut().poll(&mut cx).is_pending());
    let third = queue.enqueue().unwrap();
    assert_eq!(queue.len(), 3);
    for (waiting, ready) in [(2, false), (1, true)] {
        clock.advance(SECOND);
        assert_eq!(queue.advance().released, 1);
        assert_eq!(queue.len(), waiting);
        assert!(!first.is_waiting() && third.is_waiting());
        assert_eq!(second.as_mut().poll(&mut cx).is_ready(), ready);
        if ready {
            let again = second.as_mut().poll(&mut cx);
            assert!(
                matches!(again, Poll::Ready(Err(Closed))),
                "there is no second turn"
            );
        }
    }
}

#[test]
fn a_turn_that_is_dropped_leaves_the_line_and_the_wait_for_room() {
    let (queue, clock) = by_hand(1);
    queue.wait_turn().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    {
        let mut in_line = pin!(queue.turn());
        let mut before_it = pin!(queue.turn());
        assert!(in_line.as_mut().poll(&mut cx).is_pending());
        assert!(before_it.as_mut().poll(&mut cx).is_pending());
        assert_eq!(queue.stats().without_place, 1);
    }
    assert_eq!(queue.stats().without_place, 0);
    clock.advance(SECOND);
    queue.wait_turn_timeout(Duration::ZERO).unwrap();
}

#[test]
fn nobody_passes_those_who_wait_for_room() {
    let (queue, clock) = by_hand(1);
    queue.wait_turn().unwrap();
    let in_line = queue.enqueue().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut before_it = pin!(queue.turn());
    assert!(before_it.as_mut().poll(&mut cx).is_pending());
    drop(in_line);
    clock.advance(10 * SECOND);
    // Its place is there, but not yet its turn: it is the next all the same.
    let timeout = Duration::from_millis(1);
    assert_eq!(
        queue.wait_turn_timeout(timeout).map(drop),
        Err(WaitError::TimedOut { timeout })
    );
    let _ = queue.advance();
    assert!(matches!(
        before_it.as_mut().poll(&mut cx),
        Poll::Ready(Ok(_))
    ));
}

#[test]
fn a_stopped_queue_has_no_turns() {
    let (queue, _clock) = by_hand(4);
    queue.wait_turn().unwrap();
    let waits = {
        let queue = queue.clone();
        thread::spawn(move || queue.wait_turn().map(drop))
    };
    while queue.is_empty() {
        thread::yield_now();
    }
    queue.stop(Stop::Now);
    assert_eq!(waits.join().unwrap(), Err(Closed));
    assert_eq!(queue.wait_turn().map(drop), Err(Closed));
    assert_eq!(block_on(queue.turn()).map(drop), Err(Closed));
    assert_eq!(
        queue.wait_turn_timeout(Duration::from_secs(1)).map(drop),
        Err(WaitError::Closed)
    );
}

#[test]
fn a_permit_of_an_empty_line_comes_back_when_its_waiter_is_dropped_unseen() {
    let (queue, clock) = by_hand(4);
    drop(queue.enqueue().unwrap());
    clock.advance(1);
    let seen = queue.enqueue().unwrap();
    assert!(!seen.is_waiting());
    seen.wait().unwrap().give_back();
    clock.advance(1);
    queue.wait_turn_timeout(Duration::ZERO).unwrap();
    let stats = queue.stats();
    assert_eq!((stats.released, stats.cancelled), (2, 1));
    assert_eq!(stats.given_back, 1);
}

#[test]
fn threads_and_tasks_share_what_is_free() {
    let (queue, _clock) = {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let queue = ApiQueue::builder()
            .per_second(1)
            .burst(1_000)
            .clock(Arc::clone(&clock))
            .manual()
            .start()
            .unwrap();
        (queue, clock)
    };
    thread::scope(|scope| {
        for number in 0..4 {
            let queue = &queue;
            scope.spawn(move || {
                for _ in 0..250 {
                    match number % 2 {
                        0 => queue.wait_turn().unwrap(),
                        _ => block_on(queue.turn()).unwrap(),
                    };
                }
            });
        }
    });
    assert!(queue.try_acquire().is_err(), "the burst and no more");
    assert_eq!(queue.stats().released, 1_000);
}

#[test]
fn lateness_is_made_up_for_the_time_told_and_no_longer() {
    for (catch_up, expected) in [(Duration::from_millis(30), 10), (Duration::ZERO, 7)] {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let queue = ApiQueue::builder()
            .every(Duration::from_millis(10))
            .catch_up(catch_up)
            .clock(Arc::clone(&clock))
            .manual()
            .start()
            .unwrap();
        let line: Vec<_> = (0..20).map(|_| queue.enqueue().unwrap()).collect();
        clock.advance(10_000_000);
        assert_eq!(queue.advance().released, 1); // the others wait for the next from here on
        clock.advance(10 * SECOND); // a long stall
        let mut released = 0;
        // Of 60 ms.
        for _ in 0..13 {
            released += queue.advance().released;
            clock.advance(5_000_000);
        }
        assert_eq!(released, expected, "{catch_up:?}");
        drop(line);
    }
}
