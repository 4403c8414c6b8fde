//! A queue whose driver is a task of tokio.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "tokio")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Closed, Rate, Stop, TokioClock, TokioTimer};

const INTERVAL: Duration = Duration::from_millis(5);

fn runtimes() -> [tokio::runtime::Runtime; 2] {
    [
        tokio::runtime::Builder::new_current_thread(),
        tokio::runtime::Builder::new_multi_thread(),
    ]
    .map(|mut builder| builder.enable_all().build().unwrap())
}

#[test]
fn releases_at_the_rate() {
    for runtime in runtimes() {
        runtime.block_on(async {
            let (queue, driver) = ApiQueue::builder()
                .every(INTERVAL)
                .strict()
                .start_with_task(TokioTimer::new().unwrap())
                .unwrap();
            let driver = tokio::spawn(driver);
            let begun = Instant::now();
            let tasks: Vec<_> = (0..8)
                .map(|_| tokio::spawn(queue.enqueue().unwrap()))
                .collect();
            for task in tasks {
                task.await.unwrap().unwrap();
            }
            assert!(begun.elapsed() >= INTERVAL * 7);
            let timeout = Duration::from_secs(60);
            queue.stop_async(Stop::Drain { timeout }).await;
            driver.await.unwrap();
        });
    }
}

/// Deadlines come and go: no wake-up is lost.
#[test]
fn a_rate_that_changes_all_the_time_loses_no_wake_up() {
    for runtime in runtimes() {
        runtime.block_on(async {
            let (queue, driver) = ApiQueue::builder()
                .every(INTERVAL)
                .start_with_task(TokioTimer::new().unwrap())
                .unwrap();
            tokio::spawn(driver);
            for n in 0_u32..400 {
                let next = queue.turn();
                queue.set_rate(
                    Rate::every(Duration::from_micros([50, 1, 2_000, 300][n as usize % 4]))
                        .unwrap(),
                );
                next.await.unwrap();
            }
        });
    }
}

/// The driver goes on elsewhere, but can't keep time any more.
#[test]
fn a_timer_whose_runtime_is_gone_closes_the_queue() {
    let [gone, runtime] = runtimes();
    let timer = {
        let _inside = gone.enter();
        TokioTimer::new().unwrap()
    };
    let (queue, driver) = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .start_with_task(timer)
        .unwrap();
    let _first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    let driver = runtime.spawn(driver);
    drop(gone);
    assert_eq!(second.wait().map(drop), Err(Closed));
    // Where it is tokio's own timer that is gone, the task panics, and the driver is dropped.
    let _ = runtime.block_on(driver);
}

/// A day of calls, and a timeout that is long enough.
#[tokio::test(start_paused = true)]
async fn paused_time_passes_by_itself() {
    let minute = Duration::from_secs(60);
    let builder = ApiQueue::builder()
        .every(minute)
        .clock(Arc::new(TokioClock::new()));
    let (queue, driver) = builder
        .start_with_task(TokioTimer::of_tokio_time().unwrap())
        .unwrap();
    tokio::spawn(driver);
    let begun = tokio::time::Instant::now();
    let real = Instant::now();
    for _ in 0..=24 * 60 {
        let limit = minute + Duration::from_secs(1);
        tokio::time::timeout(limit, queue.turn())
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(begun.elapsed().as_secs() / 60, 24 * 60);
    assert!(real.elapsed() < minute * 60);
    // And one that is too short.
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, queue.turn()).await.is_err());
    let timeout = Duration::from_secs(3600);
    let _waiter = queue.enqueue().unwrap();
    let report = queue.stop_async(Stop::Drain { timeout }).await;
    assert_eq!((report.released, report.abandoned), (1, 0));
}

#[test]
fn says_that_there_is_no_runtime() {
    let why = TokioTimer::new().unwrap_err();
    assert!(why.to_string().contains("runtime"), "{why}");
}

#[test]
fn a_runtime_that_shuts_down_closes_the_queue() {
    for runtime in runtimes() {
        let (queue, driver) = {
            let _inside = runtime.enter();
            ApiQueue::builder()
                .every(Duration::from_secs(3600))
                .start_with_task(TokioTimer::new().unwrap())
                .unwrap()
        };
        runtime.spawn(driver);
        let _first = queue.enqueue().unwrap();
        let second = queue.enqueue().unwrap();
        drop(runtime);
        assert_eq!(second.wait().map(drop), Err(Closed));
    }
}

/// A turn is due a few nanoseconds after a whole millisecond, which is tokio's grain.
#[tokio::test(start_paused = true)]
async fn paused_time_passes_at_any_rate() {
    for n in [3, 7, 9, 11, 30, 60, 144, 700, 900, 1500] {
        let builder = ApiQueue::builder()
            .per_second(n)
            .clock(Arc::new(TokioClock::new()));
        let (queue, driver) = builder
            .start_with_task(TokioTimer::of_tokio_time().unwrap())
            .unwrap();
        tokio::spawn(driver);
        let begun = tokio::time::Instant::now();
        for _ in 0..=n {
            let minute = Duration::from_secs(60);
            tokio::time::timeout(minute, queue.turn())
                .await
                .unwrap()
                .unwrap();
        }
        assert!(begun.elapsed() >= Duration::from_secs(1) - Duration::from_millis(10));
    }
}

/// The driver's task can't run meanwhile, so that what is changed elsewhere would wake nobody.
#[test]
fn a_blocking_drain_hears_of_changes() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (queue, driver) = ApiQueue::builder()
            .per_second(1000)
            .start_with_task(TokioTimer::new().unwrap())
            .unwrap();
        tokio::spawn(driver);
        queue.turn().await.unwrap();
        queue.hold_for(Duration::from_secs(3600)).unwrap();
        let _line: Vec<_> = (0..3).map(|_| queue.enqueue().unwrap()).collect();
        tokio::task::yield_now().await;
        let resumes = {
            let queue = queue.clone();
            std::thread::spawn(move || {
                while !queue.is_closed() {
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_millis(20));
                queue.resume();
            })
        };
        let timeout = Duration::from_secs(300);
        let report = queue.stop(Stop::Drain { timeout });
        assert_eq!((report.released, report.abandoned), (3, 0));
        resumes.join().unwrap();
    });
}
