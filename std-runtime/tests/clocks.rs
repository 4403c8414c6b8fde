//! Clocks of the user's own under the driver's thread, and staying awake for the last stretch.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{ApiQueue, MonotonicClock, WaitError};

/// For how long lateness is made up unless told otherwise.
const CATCH_UP: Duration = Duration::from_millis(10);

/// Counts how often it is read.
struct Watched<C>(C, AtomicUsize);

impl<C: Clock<Tick = u64>> Clock for Watched<C> {
    type Tick = u64;

    fn now(&self) -> u64 {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.now()
    }
}

/// Half as fast as the system's.
struct Slow;

impl Clock for Slow {
    type Tick = u64;

    fn now(&self) -> u64 {
        MonotonicClock.now() / 2
    }
}

#[test]
fn a_slow_clock_makes_for_slow_releases() {
    let queue = ApiQueue::builder()
        .every(Duration::from_millis(5))
        .clock(Arc::new(Slow))
        .start()
        .unwrap();
    let start = Instant::now();
    for _ in 0..5 {
        queue.enqueue().unwrap().wait().unwrap();
    }
    assert!(
        start.elapsed() >= Duration::from_millis(39),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_clock_that_stands_releases_nobody_and_burns_nothing() {
    let clock = Arc::new(Watched(ManualClock::<u64>::new(0), AtomicUsize::new(0)));
    let queue = ApiQueue::builder()
        .every(Duration::from_nanos(1))
        .clock(Arc::clone(&clock))
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let timeout = Duration::from_millis(200);
    let before = clock.1.load(Ordering::Relaxed);
    assert_eq!(
        queue.enqueue().unwrap().wait_timeout(timeout).map(drop),
        Err(WaitError::TimedOut { timeout })
    );
    // A thread that looked again at once would read it some hundred thousand times.
    let reads = clock.1.load(Ordering::Relaxed) - before;
    assert!(reads < 1_000, "{reads} readings");
}

#[test]
fn a_clock_that_is_set_wakes_the_driver() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .clock(Arc::clone(&clock))
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let second = queue.enqueue().unwrap();
    assert!(second.is_waiting());
    clock.advance(3_600_000_000_000);
    queue.wake_driver();
    second.wait().unwrap();
}

#[test]
fn a_queue_whose_driver_stays_awake_is_paced_the_same() {
    let interval = Duration::from_millis(2);
    let queue = ApiQueue::builder()
        .every(interval)
        .strict()
        .spin(Duration::from_micros(300))
        .start()
        .unwrap();
    let lazy = ApiQueue::builder().every(interval).start().unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for queue in [&queue, &lazy] {
            scope.spawn(move || {
                for _ in 0..11 {
                    queue.enqueue().unwrap().wait().unwrap();
                }
            });
        }
    });
    assert!(start.elapsed() >= 10 * interval - CATCH_UP);
    assert_eq!((queue.stats().released, lazy.stats().released), (11, 11));
}

#[test]
fn a_hold_that_comes_while_the_driver_stays_awake_counts() {
    let queue = ApiQueue::builder()
        .every(Duration::from_millis(10))
        .spin(Duration::from_millis(10))
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let waiter = queue.enqueue().unwrap();
    let start = Instant::now();
    queue.hold_for(Duration::from_millis(30)).unwrap();
    waiter.wait().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(29));
}

/// An hour of blocking and awaiting, in order, by limits of every kind.
#[test]
fn a_clock_that_advances_by_itself_takes_no_real_time() {
    use apiqueue::core::Clock as _;

    let minute = Duration::from_secs(60);
    let rate = apiqueue::Rate::every(minute).unwrap();
    let builders = [
        ApiQueue::builder().rate(rate),
        ApiQueue::builder().limit(rate).limit(rate),
        ApiQueue::builder().rate(rate).at_once(1),
    ];
    for builder in builders {
        let clock = Arc::new(ManualClock::<u64>::new(7));
        let queue = builder.auto_advance(Arc::clone(&clock)).start().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..15 {
                        queue.wait_turn().unwrap();
                    }
                });
            }
        });
        let hour = u64::try_from(59 * minute.as_nanos()).unwrap();
        assert!(clock.now() >= hour + 7, "{}", clock.now());
        queue.hold_for(24 * 60 * minute).unwrap();
        futures_lite::future::block_on(queue.turn()).unwrap();
        assert!(clock.now() >= 24 * hour);
        let still = clock.now();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(clock.now(), still, "nobody waits");
    }
}

/// Each goes in its turn, whoever the mock goes on for.
#[test]
fn queues_of_one_clock_that_advances_by_itself_jump_over_nobody() {
    use apiqueue::core::Clock as _;

    let clock = Arc::new(ManualClock::<u64>::new(0));
    let start = |seconds| {
        let queue = ApiQueue::builder().every(Duration::from_secs(seconds));
        queue
            .auto_advance(Arc::clone(&clock))
            .paused()
            .start()
            .unwrap()
    };
    let queues = [start(3600), start(1), start(7)];
    let line = queues.each_ref().map(|queue| {
        let line: Vec<_> = (0..8).map(|_| queue.enqueue().unwrap()).collect();
        line
    });
    queues.iter().for_each(ApiQueue::resume);
    for waiter in line.into_iter().flatten() {
        waiter.wait().unwrap();
    }
    // The last of the first queue, and not an interval later, whichever was begun first.
    assert!(clock.now() / 1_000_000_000 < 8 * 3600);
    for (queue, seconds) in queues.iter().zip([3600, 1, 7]) {
        // The last one may be counted a moment after it is told.
        let intervals = queue.stats().intervals.unwrap();
        assert!(intervals.count >= 6);
        let told = (intervals.mean, intervals.deviation);
        assert_eq!(told, (Duration::from_secs(seconds), Duration::ZERO));
    }
}
