//! How all queues of a registry end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Closed, Limit, Rate, Registry, Stop, StopReport};
use futures_lite::future::{block_on, poll_once};

use crate::{by_hand, queue};

const LATE: Stop = Stop::Drain {
    timeout: Duration::from_secs(300),
};

fn drain(ms: u64) -> Stop {
    Stop::Drain {
        timeout: Duration::from_millis(ms),
    }
}

/// Keys by number, with the driver's thread.
fn every(interval: Duration) -> Registry<u32> {
    Registry::new(move |_: &u32| Limit::Queue(ApiQueue::builder().every(interval).capacity(8)))
}

#[test]
fn stopping_the_registry_stops_every_queue() {
    let (registry, _clock) = by_hand(usize::MAX);
    let queues: Vec<_> = (0..5).map(|key| queue(&registry, key)).collect();
    assert_eq!(registry.stop(Stop::Now).queues.len(), 5);
    assert!(queues.iter().all(ApiQueue::is_closed));
    assert_eq!(registry.queues().len(), 5);
}

#[test]
fn what_each_queue_came_to_is_told_with_its_key() {
    let registry = every(Duration::from_secs(3_600));
    let mut waiters = Vec::new();
    for key in 0..3 {
        for _ in 0..=key {
            waiters.push(queue(&registry, key).enqueue().unwrap());
        }
    }
    let mut report = registry.stop(Stop::Now);
    report.queues.sort_by_key(|(key, _)| *key);
    let came_to = |abandoned| StopReport {
        abandoned,
        ..StopReport::default()
    };
    let told = [(0, came_to(0)), (1, came_to(1)), (2, came_to(2))];
    assert_eq!(report.queues, told, "the first of each was free");
    assert_eq!(report.total(), came_to(3));
    assert_eq!(
        report.to_string(),
        "3 queues stopped: 0 released, 3 abandoned, 0 calls under way"
    );
}

/// It took the keys one after the other, for 8 times as long, and those further back went on admitting.
#[test]
fn all_keys_drain_at_the_same_time_and_admit_nobody() {
    let registry = every(Duration::from_secs(3_600));
    for key in 0..8 {
        drop(queue(&registry, key).wait_turn().unwrap());
    }
    let _in_line: Vec<_> = (0..8)
        .map(|key| queue(&registry, key).enqueue().unwrap())
        .collect();
    let queues: Vec<_> = (0..8).map(|key| queue(&registry, key)).collect();
    thread::scope(|scope| {
        let stopping = scope.spawn(|| registry.stop(drain(300_000)));
        while !queues.iter().any(ApiQueue::is_closed) {
            thread::yield_now();
        }
        // None of them is over: each would take an hour, and the first is not waited for.
        while !queues.iter().all(ApiQueue::is_closed) {
            thread::yield_now();
        }
        assert!(!stopping.is_finished());
        assert!(queue(&registry, 99).enqueue().is_err(), "a new key");
        assert_eq!(registry.stop(Stop::Now).total().abandoned, 8);
        let report = stopping.join().unwrap();
        assert_eq!((report.queues.len(), report.total().abandoned), (8, 8));
    });
}

/// Each would take the whole time alone.
#[test]
fn the_time_of_a_drain_is_that_of_all_keys_together() {
    let registry = every(Duration::from_secs(3_600));
    let _in_line: Vec<_> = (0..8)
        .flat_map(|key| [key, key])
        .map(|key| queue(&registry, key).enqueue().unwrap())
        .collect();
    let begun = Instant::now();
    let report = registry.stop(drain(300));
    let took = begun.elapsed();
    assert_eq!(report.total().abandoned, 8);
    // Not asserted, as load moves it: one after the other it would be 2.4 s.
    println!("8 keys with a drain of 300 ms each took {took:?}");
}

#[test]
fn queues_by_hand_are_driven_to_their_end_together() {
    let registry = Registry::new(|_: &u32| {
        let builder = ApiQueue::builder().every(Duration::from_millis(1));
        Limit::Queue(builder.capacity(8).manual())
    });
    let waiters: Vec<_> = (0..5)
        .flat_map(|key| [key, key, key])
        .map(|key| queue(&registry, key).enqueue().unwrap())
        .collect();
    let report = registry.stop(LATE);
    assert_eq!(report.total().released, 10, "but for the first of each");
    assert_eq!(report.total().abandoned, 0);
    assert!(waiters.iter().all(|waiter| !waiter.is_waiting()));
}

#[test]
fn async_code_drains_all_without_blocking_a_thread() {
    let registry = every(Duration::from_secs(3_600));
    for key in 0..3 {
        drop(queue(&registry, key).wait_turn().unwrap());
    }
    let in_line: Vec<_> = (0..3)
        .map(|key| queue(&registry, key).enqueue().unwrap())
        .collect();
    block_on(async {
        let mut stopping = std::pin::pin!(registry.stop_async(LATE));
        assert!(poll_once(&mut stopping).await.is_none());
        assert!(registry.queues().iter().all(|(_, queue)| queue.is_closed()));
        for key in 0..3 {
            queue(&registry, key).set_rate(Rate::per_second(1_000).unwrap());
        }
        let report = stopping.await;
        assert_eq!((report.total().released, report.total().abandoned), (3, 0));
        assert!(in_line.iter().all(|waiter| !waiter.is_waiting()));
    });
}

#[test]
fn a_stopped_registry_stays_stopped() {
    let (registry, _clock) = by_hand(usize::MAX);
    drop(queue(&registry, 0));
    assert!(!registry.is_stopped());
    let _ = registry.clone().stop(Stop::Now);
    assert!(registry.is_stopped());
    for key in 0..3 {
        assert!(queue(&registry, key).is_closed());
        assert_eq!(queue(&registry, key).wait_turn().map(drop), Err(Closed));
    }
    assert_eq!(registry.stop(LATE).queues.len(), 3, "harmless");
}

#[test]
fn keys_made_while_the_registry_stops_admit_nobody_afterwards() {
    for _ in 0..50 {
        let (registry, _clock) = by_hand(usize::MAX);
        let is_stopped = AtomicBool::new(false);
        thread::scope(|scope| {
            for n in 0..2 {
                let (registry, is_stopped) = (&registry, &is_stopped);
                scope.spawn(move || {
                    for key in 0..100 {
                        let was_stopped = is_stopped.load(Ordering::SeqCst);
                        let passed = queue(registry, n * 1_000 + key).try_acquire().is_ok();
                        assert!(!(was_stopped && passed));
                    }
                });
            }
            let _ = registry.stop(Stop::Now);
            is_stopped.store(true, Ordering::SeqCst);
        });
        assert!(registry.queues().iter().all(|(_, queue)| queue.is_closed()));
    }
}

struct Asks(Registry<u32>);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        let _ = self.0.stop(Stop::Now);
        assert!(queue(&self.0, 77).is_closed());
    }
}

#[test]
fn a_waker_may_stop_the_registry_that_stops() {
    let (registry, _clock) = by_hand(usize::MAX);
    let waker = Arc::new(Asks(registry.clone())).into();
    let waiters: Vec<_> = (0..3)
        .map(|_| queue(&registry, 0).enqueue().unwrap())
        .collect();
    let mut third = waiters.into_iter().last().unwrap();
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(std::pin::Pin::new(&mut third).poll(&mut cx).is_pending());
    assert_eq!(registry.stop(Stop::Now).queues.len(), 1);
}

#[test]
fn queues_that_were_stopped_and_replaced_are_not_kept() {
    let account = apiqueue::Account::builder().start().unwrap();
    let within = account.clone();
    let registry = Registry::new(move |_: &u32| Limit::Queue(ApiQueue::builder().within(&within)));
    for _ in 0..1_000 {
        queue(&registry, 7).stop(Stop::Now);
    }
    assert_eq!(registry.len(), 1);
    // The map lets go of the others some dozens at a time, and the driver in a while.
    let begun = Instant::now();
    while account.stats().inside.len() > 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            account.stats().inside.len()
        );
        thread::yield_now();
    }
}
