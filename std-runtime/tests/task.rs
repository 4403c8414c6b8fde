//! A queue whose driver is a task of the user's runtime.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Closed, DriverTask, Stop, Timer, Waiter};

const INTERVAL: Duration = Duration::from_millis(5);

struct Smol(smol::Timer);

impl Timer for Smol {
    fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.set_at(at);
        Pin::new(&mut self.0).poll(cx).map(|_| Ok(()))
    }
}

fn smol_timer() -> Smol {
    Smol(smol::Timer::never())
}

/// Never fires: only the queue itself can wake its driver.
struct Never;

impl Timer for Never {
    fn poll_until(&mut self, _: Instant, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A driver on a mock clock that stands, polled by hand.
struct ByHand {
    clock: Arc<ManualClock<u64>>,
    driver: Pin<Box<DriverTask<Never>>>,
    woken: Arc<Count>,
}

impl ByHand {
    fn start() -> (ApiQueue, Self) {
        Self::start_every(INTERVAL)
    }

    fn start_every(interval: Duration) -> (ApiQueue, Self) {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let (queue, driver) = ApiQueue::builder()
            .every(interval)
            .clock(Arc::clone(&clock))
            .start_with_task(Never)
            .unwrap();
        let woken = Arc::new(Count::default());
        let driver = Box::pin(driver);
        (
            queue,
            Self {
                clock,
                driver,
                woken,
            },
        )
    }

    fn pass(&self, interval: Duration) {
        self.clock.advance(interval.as_nanos() as u64);
    }

    fn poll(&mut self) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.woken));
        self.driver.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn woken(&self) -> usize {
        self.woken.0.swap(0, Ordering::SeqCst)
    }
}

#[test]
fn releases_in_order_and_at_the_rate() {
    let (queue, driver) = ApiQueue::builder()
        .every(INTERVAL)
        .strict()
        .start_with_task(smol_timer())
        .unwrap();
    let order = smol::block_on(async {
        let executor = smol::LocalExecutor::new();
        let driver = executor.spawn(driver);
        let begun = Instant::now();
        let order = std::cell::RefCell::new(Vec::new());
        executor
            .run(async {
                let waiters: Vec<_> = (0..6).map(|n| (n, queue.enqueue().unwrap())).collect();
                let tasks: Vec<_> = waiters
                    .into_iter()
                    .rev()
                    .map(|(n, waiter)| {
                        let order = &order;
                        async move {
                            waiter.await.unwrap();
                            order.borrow_mut().push(n);
                        }
                    })
                    .collect();
                for task in tasks.into_iter().rev() {
                    task.await;
                }
                assert!(begun.elapsed() >= INTERVAL * 5);
                drop(queue);
                driver.await;
            })
            .await;
        order.into_inner()
    });
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn the_queue_wakes_its_driver() {
    let (queue, mut driver) = ByHand::start();
    assert!(driver.poll().is_pending());
    assert_eq!(driver.woken(), 0);
    let mut first = queue.enqueue().unwrap();
    assert_eq!(driver.woken(), 0, "a free permit needs no driver");
    let mut second = queue.enqueue().unwrap();
    assert_eq!(driver.woken(), 1, "somebody has to wait");
    assert!(driver.poll().is_pending());
    assert_eq!(driver.woken(), 0, "nothing is due");
    queue.hold_for(INTERVAL).unwrap();
    assert!(driver.poll().is_pending());
    driver.woken();
    queue.resume();
    assert_eq!(driver.woken(), 1, "the hold is over");
    driver.pass(INTERVAL);
    assert!(driver.poll().is_pending());
    assert!(first.try_wait().unwrap().is_some());
    assert!(second.try_wait().unwrap().is_some());
}

/// Where intervals are short, who joins behind a line that is due does not wait for a driver that is kept from running.
#[test]
fn who_joins_releases_those_who_are_due() {
    let interval = Duration::from_micros(1);
    let (queue, mut driver) = ByHand::start_every(interval);
    assert!(driver.poll().is_pending());
    let mut line: Vec<_> = (0..4).map(|_| queue.enqueue().unwrap()).collect();
    let waiting = |line: &[Waiter]| line.iter().filter(|one| one.is_waiting()).count();
    driver.pass(interval);
    assert_eq!(waiting(&line), 3, "the driver is not there");
    line.push(queue.enqueue().unwrap());
    assert_eq!(waiting(&line), 3, "one was due, and one has come");
    assert!(!line[1].is_waiting());
    assert_eq!(queue.stats().released, 2);
    driver.pass(interval * 3);
    line.push(queue.enqueue().unwrap());
    assert_eq!(waiting(&line), 1);
    assert!(line[5].is_waiting());
    driver.pass(interval);
    assert!(driver.poll().is_pending());
    assert_eq!(waiting(&line), 0);
}

#[test]
fn a_waker_that_panics_costs_who_joins_no_place() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    let interval = Duration::from_micros(1);
    let (queue, mut driver) = ByHand::start_every(interval);
    let _first = queue.enqueue().unwrap();
    let mut bombed = queue.enqueue().unwrap();
    let mut third = queue.enqueue().unwrap();
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(
        Pin::new(&mut bombed)
            .poll(&mut Context::from_waker(&bomb))
            .is_pending()
    );
    driver.pass(interval);
    let mut fourth = queue.enqueue().unwrap();
    assert!(!bombed.is_waiting());
    assert!(third.is_waiting() && fourth.is_waiting());
    assert_eq!(queue.stats().depth, 2);
    driver.pass(interval * 2);
    assert!(driver.poll().is_pending());
    assert!(third.try_wait().unwrap().is_some());
    assert!(fourth.try_wait().unwrap().is_some());
}

#[test]
fn ends_with_the_last_handle_and_waiter() {
    let (queue, mut driver) = ByHand::start();
    let _first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    assert!(driver.poll().is_pending());
    drop(queue);
    drop(_first);
    assert!(driver.poll().is_pending(), "one is in line still");
    driver.woken();
    drop(second);
    assert!(driver.woken() > 0);
    assert!(driver.poll().is_ready());
}

#[test]
fn ends_when_the_queue_is_closed() {
    let (queue, mut driver) = ByHand::start();
    let _first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    assert!(driver.poll().is_pending());
    queue.stop(Stop::Now);
    assert!(driver.woken() > 0);
    assert!(driver.poll().is_ready());
    assert_eq!(second.wait().map(drop), Err(Closed));
}

/// As when a runtime is shut down: nobody waits for a driver that is gone, and nobody passes unpaced.
#[test]
fn a_driver_that_is_dropped_closes_its_queue() {
    let (queue, driver) = ByHand::start();
    let _first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    drop(driver);
    assert_eq!(second.wait().map(drop), Err(Closed));
    assert!(queue.is_closed());
}

/// The driver's task can't run meanwhile: this blocks the only thread there is.
#[test]
fn a_blocking_drain_needs_no_task() {
    let (queue, driver) = ApiQueue::builder()
        .every(INTERVAL)
        .start_with_task(smol_timer())
        .unwrap();
    let waiters: Vec<_> = (0..4).map(|_| queue.enqueue().unwrap()).collect();
    let timeout = Duration::from_secs(60);
    let report = smol::block_on(async {
        let executor = smol::LocalExecutor::new();
        let driver = executor.spawn(driver);
        executor
            .run(async {
                smol::future::yield_now().await;
                let report = queue.stop(Stop::Drain { timeout });
                driver.await;
                report
            })
            .await
    });
    assert_eq!((report.released, report.abandoned), (3, 0));
    assert!(waiters.iter().all(|waiter| !waiter.is_waiting()));
}

#[test]
fn a_granted_queue_has_no_driver() {
    let why = ApiQueue::builder()
        .every(INTERVAL)
        .granted()
        .start_with_task(Never)
        .unwrap_err();
    assert_eq!(
        why.to_string(),
        "a queue can't be started with both `granted` and `start_with_task`"
    );
}

/// A task that is always due again lets others run.
#[test]
fn a_release_each_nanosecond_starves_nobody() {
    let (queue, driver) = ApiQueue::builder()
        .every(Duration::from_nanos(1))
        .start_with_task(smol_timer())
        .unwrap();
    smol::block_on(async {
        let executor = smol::LocalExecutor::new();
        let driver = executor.spawn(driver);
        executor
            .run(async {
                for _ in 0..10_000 {
                    queue.turn().await.unwrap();
                }
                drop(queue);
                driver.await;
            })
            .await;
    });
}
