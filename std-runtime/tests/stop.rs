//! How a queue ends.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{
    ApiQueue, Closed, EnqueueError, Next, Rate, Stop, StopReport, TryAcquireError, WaitError,
};
use futures_lite::future::block_on;

/// For how long lateness is made up unless told otherwise.
const CATCH_UP: Duration = Duration::from_millis(10);

fn every(ms: u64) -> ApiQueue {
    ApiQueue::builder()
        .every(Duration::from_millis(ms))
        .start()
        .unwrap()
}

const SOON: Stop = Stop::Drain {
    timeout: Duration::from_millis(20),
};
const LATE: Stop = Stop::Drain {
    timeout: Duration::from_secs(300),
};

#[test]
fn stopping_now_wakes_everybody_with_closed() {
    let queue = every(60_000);
    queue.enqueue().unwrap().wait().unwrap();
    let threads: Vec<_> = (0..20)
        .map(|n| {
            let waiter = queue.enqueue().unwrap();
            thread::spawn(move || {
                if n % 2 == 0 {
                    waiter.wait()
                } else {
                    block_on(waiter)
                }
            })
        })
        .collect();
    assert_eq!(
        queue.stop(Stop::Now),
        StopReport {
            released: 0,
            abandoned: 20,
            ..StopReport::default()
        }
    );
    for thread in threads {
        assert_eq!(thread.join().unwrap().map(drop), Err(Closed));
    }
}

#[test]
fn a_stopped_queue_refuses_newcomers() {
    let queue = every(1);
    let other = queue.clone();
    queue.stop(Stop::Now);
    assert!(other.is_closed());
    assert_eq!(other.enqueue().unwrap_err(), EnqueueError::Closed);
    assert_eq!(other.try_acquire().map(drop), Err(TryAcquireError::Closed));
    assert_eq!(other.advance().next, Next::Closed);
}

#[test]
fn a_drain_releases_those_in_line_at_the_rate_and_counts_them() {
    let queue = every(3_600_000);
    queue.enqueue().unwrap().wait().unwrap();
    let waiters: Vec<_> = (0..20).map(|_| queue.enqueue().unwrap()).collect();
    let start = Instant::now();
    thread::scope(|scope| {
        let stopping = scope.spawn(|| queue.stop(LATE));
        while !queue.is_closed() {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(20));
        queue.set_rate(Rate::every(Duration::from_millis(5)).unwrap());
        let report = stopping.join().unwrap();
        assert_eq!(
            report,
            StopReport {
                released: 20,
                abandoned: 0,
                ..StopReport::default()
            }
        );
    });
    assert!(start.elapsed() >= Duration::from_millis(19 * 5) - CATCH_UP);
    for waiter in waiters {
        waiter.wait().unwrap();
    }
}

#[test]
fn a_drain_that_runs_out_of_time_abandons_the_rest() {
    let queue = every(60_000);
    queue.enqueue().unwrap().wait().unwrap();
    let waiters: Vec<_> = (0..7).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(
        queue.stop(SOON),
        StopReport {
            released: 0,
            abandoned: 7,
            ..StopReport::default()
        }
    );
    for mut waiter in waiters {
        assert_eq!(
            waiter.wait_timeout(Duration::ZERO).map(drop),
            Err(WaitError::Closed)
        );
    }
}

#[test]
fn what_a_drain_releases_and_what_it_abandons_add_up() {
    let queue = every(3);
    queue.enqueue().unwrap().wait().unwrap();
    let waiters: Vec<_> = (0..200).map(|_| queue.enqueue().unwrap()).collect();
    let before = waiters.iter().filter(|waiter| !waiter.is_waiting()).count();
    let report = queue.stop(SOON);
    let released = waiters
        .into_iter()
        .map(apiqueue::Waiter::wait)
        .filter(Result::is_ok)
        .count();
    assert_eq!(report.abandoned, 200 - released);
    assert!(report.released <= released);
    assert!(
        report.released + before <= released,
        "{report:?} {before} {released}"
    );
}

#[test]
fn a_drain_refuses_newcomers_while_it_goes_on() {
    let queue = every(50);
    let waiters: Vec<_> = (0..3).map(|_| queue.enqueue().unwrap()).collect();
    thread::scope(|scope| {
        let stopping = scope.spawn(|| queue.stop(LATE));
        while !queue.is_closed() {
            thread::yield_now();
        }
        assert_eq!(queue.enqueue().unwrap_err(), EnqueueError::Closed);
        assert_eq!(stopping.join().unwrap().abandoned, 0);
    });
    for waiter in waiters {
        waiter.wait().unwrap();
    }
}

#[test]
fn a_drain_is_over_when_the_last_in_line_leaves() {
    let queue = every(3_600_000);
    queue.enqueue().unwrap().wait().unwrap();
    let waiters: Vec<_> = (0..5).map(|_| queue.enqueue().unwrap()).collect();
    thread::scope(|scope| {
        let stopping = scope.spawn(|| queue.stop(LATE));
        while !queue.is_closed() {
            thread::yield_now();
        }
        drop(waiters);
        assert_eq!(
            stopping.join().unwrap(),
            StopReport {
                released: 0,
                abandoned: 0,
                ..StopReport::default()
            }
        );
    });
}

#[test]
fn stopping_now_cuts_a_drain_short() {
    let queue = every(3_600_000);
    queue.enqueue().unwrap().wait().unwrap();
    let waiter = queue.enqueue().unwrap();
    thread::scope(|scope| {
        let draining = scope.spawn(|| queue.stop(LATE));
        while !queue.is_closed() {
            thread::yield_now();
        }
        queue.stop(Stop::Now);
        assert_eq!(draining.join().unwrap().released, 0);
    });
    assert_eq!(waiter.wait().map(drop), Err(Closed));
}

#[test]
fn stopping_twice_is_harmless() {
    let queue = every(1);
    queue.stop(Stop::Now);
    assert_eq!(
        queue.stop(LATE),
        StopReport {
            released: 0,
            abandoned: 0,
            ..StopReport::default()
        }
    );
}

#[test]
fn a_stop_drives_a_manual_queue_to_its_end() {
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .manual()
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let waiters: Vec<_> = (0..10).map(|_| queue.enqueue().unwrap()).collect();
    queue.set_rate(Rate::every(Duration::from_millis(2)).unwrap());
    assert_eq!(
        queue.stop(LATE),
        StopReport {
            released: 10,
            abandoned: 0,
            ..StopReport::default()
        }
    );
    for waiter in waiters {
        waiter.wait().unwrap();
    }
}

#[test]
fn those_who_left_before_the_stop_are_not_counted_as_abandoned() {
    let queue = every(3_600_000);
    queue.enqueue().unwrap().wait().unwrap();
    let mut waiters: Vec<_> = (0..9).map(|_| queue.enqueue().unwrap()).collect();
    for place in [6, 3, 0] {
        drop(waiters.remove(place));
    }
    let report = queue.stop(Stop::Now);
    assert_eq!((report.released, report.abandoned), (0, 6));
    drop(waiters);
    let report = queue.stop(Stop::Now);
    assert_eq!((report.released, report.abandoned), (0, 6));
}

/// Whoever awaits the end of a drain may have a waker that panics: the driver, and those who wait for the same end, go on.
#[test]
fn a_waker_of_an_async_stop_that_panics_holds_up_nobody() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("on purpose");
        }
    }
    let queue = every(5);
    queue.enqueue().unwrap().wait().unwrap();
    let last = queue.enqueue().unwrap();
    let timeout = Duration::from_secs(60);
    let mut panics = Box::pin(queue.stop_async(Stop::Drain { timeout }));
    let waker = std::task::Waker::from(std::sync::Arc::new(Panics));
    let polled = panics
        .as_mut()
        .poll(&mut std::task::Context::from_waker(&waker));
    assert!(polled.is_pending());
    let report = futures_lite::future::block_on(queue.stop_async(Stop::Drain { timeout }));
    assert_eq!(report.abandoned, 0);
    last.wait().unwrap();
    let other = every(1);
    for _ in 0..3 {
        other.enqueue().unwrap().wait().unwrap();
    }
}
