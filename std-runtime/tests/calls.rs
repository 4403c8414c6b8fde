//! Limits on the calls under way: never more than so many, and each that ends makes room for the first in line.
#![allow(clippy::unwrap_used)]

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use apiqueue::{ApiQueue, Closed, StartError, Stop, WaitError};
use futures_lite::future::{block_on, poll_once};

fn calls(at_once: usize) -> ApiQueue {
    let builder = ApiQueue::builder().per_second(1_000_000);
    builder.at_once(at_once).start().unwrap()
}

#[test]
fn never_more_calls_are_under_way_than_allowed_on_threads_and_tasks() {
    let queue = calls(3);
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..8 {
            let (queue, now, most) = (&queue, &now, &most);
            scope.spawn(move || {
                for _ in 0..20 {
                    let waiter = queue.enqueue().unwrap();
                    let call = if number % 2 == 0 {
                        waiter.wait().unwrap()
                    } else {
                        block_on(waiter).unwrap()
                    };
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    drop(call);
                }
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= 3);
    assert_eq!(queue.under_way(), 0);
    assert_eq!(queue.stats().released, 160);
}

#[test]
fn a_call_that_ends_makes_room_for_the_first_in_line() {
    let queue = calls(1);
    let call = queue.enqueue().unwrap().wait().unwrap();
    let (first, second) = (queue.enqueue().unwrap(), queue.enqueue().unwrap());
    let timeout = Duration::from_millis(20);
    let mut third = queue.enqueue().unwrap();
    assert_eq!(
        third.wait_timeout(timeout).unwrap_err(),
        WaitError::TimedOut { timeout }
    );
    assert!(first.is_waiting() && second.is_waiting());
    drop(call);
    let call = first.wait().unwrap();
    assert!(second.is_waiting());
    drop(call);
    drop(second.wait().unwrap());
}

#[test]
fn a_panic_in_a_call_ends_it() {
    let queue = calls(1);
    for _ in 0..3 {
        let failed = panic::catch_unwind(AssertUnwindSafe(|| {
            let _call = queue.enqueue().unwrap().wait().unwrap();
            panic::resume_unwind(Box::new("the call failed"));
        }));
        assert!(failed.is_err());
    }
    assert_eq!(queue.under_way(), 0);
}

#[test]
fn a_waiter_dropped_after_its_release_leaves_no_call_behind() {
    let queue = calls(1);
    for seen in [false, true] {
        let waiter = queue.enqueue().unwrap();
        while queue.under_way() == 0 {
            thread::yield_now();
        }
        // Counted first, then released.
        while seen && waiter.is_waiting() {
            thread::yield_now();
        }
        drop(waiter);
        drop(queue.enqueue().unwrap().wait().unwrap());
    }
}

#[test]
fn stopping_tells_those_in_line_and_leaves_calls_under_way_alone() {
    let queue = calls(1);
    let call = queue.enqueue().unwrap().wait().unwrap();
    let waiter = queue.enqueue().unwrap();
    let report = queue.stop(Stop::Now);
    assert_eq!(report.abandoned, 1);
    assert_eq!(waiter.wait().unwrap_err(), Closed);
    assert_eq!(queue.under_way(), 1);
    drop(call);
    assert_eq!(queue.under_way(), 0);
}

#[test]
fn no_call_at_once_is_refused_with_the_range() {
    let why = ApiQueue::builder()
        .per_second(1)
        .at_once(0)
        .start()
        .unwrap_err();
    assert!(matches!(why, StartError::AtOnce { at_once: 0 }));
    assert_eq!(why.to_string(), "0 calls at once is less than the least, 1");
}

/// Who tries and gets nothing may have been what a driver saw when it looked for room.
#[test]
fn a_try_in_vain_keeps_nobody_waiting() {
    let queue = ApiQueue::builder()
        .every(Duration::from_millis(1))
        .at_once(1)
        .start()
        .unwrap();
    let ends = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                let _ = queue.try_acquire();
            }
        });
        for _ in 0..300 {
            queue.enqueue().unwrap().wait().unwrap();
        }
        ends.store(true, Ordering::Relaxed);
    });
    assert_eq!(queue.under_way(), 0);
}

#[test]
fn a_drain_waits_for_the_last_call_and_no_longer_than_it_may() {
    let drain = |timeout| Stop::Drain { timeout };
    let queue = calls(2);
    let turn = queue.enqueue().unwrap().wait().unwrap();
    let report = block_on(queue.stop_async(drain(Duration::from_millis(30))));
    assert_eq!((report.abandoned, report.under_way), (0, 1));
    drop(turn);

    let queue = calls(1);
    let mut turn = Some(queue.enqueue().unwrap().wait().unwrap());
    let last = queue.enqueue().unwrap();
    let mut stop = std::pin::pin!(queue.stop_async(drain(Duration::from_secs(3600))));
    block_on(async {
        assert!(poll_once(stop.as_mut()).await.is_none());
        turn.take();
        let last = last.await.unwrap();
        for _ in 0..10 {
            queue.wake_driver();
            assert!(poll_once(stop.as_mut()).await.is_none(), "it is under way");
            thread::sleep(Duration::from_millis(1));
        }
        last.ok();
        let report = stop.await;
        assert_eq!((report.released, report.under_way), (1, 0));
    });
}

/// The driver's waker is the user's where he drives himself.
#[test]
fn a_driver_s_waker_that_panics_leaves_no_call_under_way() {
    struct Bomb;
    impl std::task::Wake for Bomb {
        fn wake(self: std::sync::Arc<Self>) {
            panic::resume_unwind(Box::new("on purpose"));
        }
    }
    let queue = ApiQueue::builder()
        .per_second(1_000_000_000)
        .at_once(1)
        .manual()
        .start()
        .unwrap();
    let bomb = std::task::Waker::from(std::sync::Arc::new(Bomb));
    let unseen = queue.enqueue().unwrap();
    while queue.advance_with(&bomb).released == 0 {}
    let _ = queue.advance_with(&bomb);
    assert_eq!(queue.under_way(), 1);
    drop(unseen);
    assert_eq!(queue.under_way(), 0);
    queue.set_rate(apiqueue::Rate::per_second(10).unwrap());
    queue.refund(1);
    queue.resume();
}
