//! The same line under tokio, smol, a bare `block_on` and threads at once.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Stop};
use futures_lite::future::block_on;

fn per_second(n: u32) -> ApiQueue {
    ApiQueue::builder()
        .per_second(n)
        .capacity(4096)
        .start()
        .unwrap()
}

#[test]
fn tasks_of_tokio_are_released_in_their_turn() {
    let queue = per_second(2_000);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..200)
            .map(|_| tokio::spawn(queue.enqueue().unwrap()))
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
    assert_eq!(queue.stats().released, 200);
}

#[test]
fn a_task_of_tokio_that_times_out_leaves_the_line() {
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .start()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        queue.enqueue().unwrap().await.unwrap();
        let limit = Duration::from_millis(5);
        assert!(
            tokio::time::timeout(limit, queue.enqueue().unwrap())
                .await
                .is_err()
        );
    });
    assert_eq!((queue.stats().released, queue.stats().cancelled), (1, 1));
}

#[test]
fn tasks_of_smol_are_released_in_their_turn() {
    let queue = per_second(2_000);
    smol::block_on(async {
        let tasks: Vec<_> = (0..200)
            .map(|_| smol::spawn(queue.enqueue().unwrap()))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(queue.stats().released, 200);
}

#[test]
fn an_async_stop_waits_for_the_last_and_blocks_no_thread() {
    let queue = per_second(1_000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let report = runtime.block_on(async {
        let tasks: Vec<_> = (0..10)
            .map(|_| tokio::spawn(queue.enqueue().unwrap()))
            .collect();
        let timeout = Duration::from_secs(60);
        let report = queue.stop_async(Stop::Drain { timeout }).await;
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        report
    });
    assert_eq!(report.abandoned, 0);
    assert!(queue.is_closed());
}

#[test]
fn an_async_drain_ends_with_its_timeout_and_closes_the_rest() {
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    let timeout = Duration::from_millis(10);
    let report = block_on(queue.stop_async(Stop::Drain { timeout }));
    assert_eq!((report.released, report.abandoned), (0, 2));
    assert!(line.into_iter().all(|waiter| waiter.wait().is_err()));
}

#[test]
fn an_async_drain_that_nobody_awaits_any_more_still_ends_with_its_timeout() {
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let waiter = queue.enqueue().unwrap();
    block_on(async {
        let timeout = Duration::from_millis(10);
        let mut stop = Box::pin(queue.stop_async(Stop::Drain { timeout }));
        assert!(futures_lite::future::poll_once(&mut stop).await.is_none());
    });
    assert!(waiter.wait().is_err());
}

/// A thousand threads and a thousand tasks, taking places in turn, released one at a time: each time it is the next one
/// that comes through, and nobody else.
#[test]
fn a_thousand_threads_and_a_thousand_tasks_are_released_in_order() {
    const EACH: usize = 1_000;
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .every(Duration::from_nanos(10))
        .capacity(2 * EACH)
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (through, arrivals) = mpsc::channel();
    let mut threads = Vec::new();
    for place in 0..2 * EACH {
        let waiter = queue.enqueue().unwrap();
        let through = through.clone();
        if place % 2 == 0 {
            let wait = move || through.send((place, waiter.wait().map(drop))).unwrap();
            let thread = thread::Builder::new().stack_size(64 * 1024);
            threads.push(thread.spawn(wait).unwrap());
        } else {
            runtime.spawn(async move { through.send((place, waiter.await.map(drop))).unwrap() });
        }
    }
    for place in 0..2 * EACH {
        clock.advance(10);
        assert_eq!(queue.advance().released, 1);
        let patience = Duration::from_secs(60);
        assert_eq!(arrivals.recv_timeout(patience), Ok((place, Ok(()))));
    }
    for thread in threads {
        thread.join().unwrap();
    }
}
