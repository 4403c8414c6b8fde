//! What the user's own code breaks is its own: clocks and wakers that panic, wakers that are kept.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use apiqueue::core::Clock;
use apiqueue::{ApiQueue, Closed, MonotonicClock, StartError, Status, Stop, Waiter};

const INTERVAL: Duration = Duration::from_millis(2);

/// The system's, and so much more, until it is broken.
#[derive(Default)]
struct Fragile(AtomicBool, AtomicU64);

impl Fragile {
    fn breaks(&self, is_broken: bool) {
        self.0.store(is_broken, Ordering::SeqCst);
    }
}

impl Clock for Fragile {
    type Tick = u64;

    fn now(&self) -> u64 {
        assert!(!self.0.load(Ordering::SeqCst), "on purpose");
        MonotonicClock.now() + self.1.load(Ordering::SeqCst)
    }
}

fn start(clock: &Arc<Fragile>) -> ApiQueue {
    ApiQueue::builder()
        .every(INTERVAL)
        .capacity(4)
        .clock(Arc::clone(clock))
        .start()
        .unwrap()
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_clock_that_panics_harms_no_other_queue_and_is_used_again_when_it_works() {
    let clock = Arc::new(Fragile::default());
    let queue = start(&clock);
    let other = ApiQueue::builder().every(INTERVAL).start().unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    clock.breaks(true);
    // These can't tell the time: they wait.
    let waiters: Vec<Waiter> = (0..3).map(|_| queue.enqueue().unwrap()).collect();
    assert!(queue.try_acquire().is_err());
    let _ = (queue.stats(), queue.is_rested(), waiters[2].estimate());
    for _ in 0..5 {
        other.enqueue().unwrap().wait().unwrap();
    }
    assert!(!other.is_closed() && !queue.is_closed());
    assert_eq!(waiters[0].status(), Status::Waiting);
    clock.breaks(false);
    queue.wake_driver();
    for waiter in waiters {
        waiter.wait().unwrap();
    }
    let third = ApiQueue::builder().every(INTERVAL).start().unwrap();
    third.enqueue().unwrap().wait().unwrap();
}

#[test]
fn a_clock_that_has_broken_for_good_keeps_nobody() {
    let clock = Arc::new(Fragile::default());
    let queue = start(&clock);
    queue.enqueue().unwrap().wait().unwrap();
    clock.breaks(true);
    let waiters: Vec<Waiter> = (0..4).map(|_| queue.enqueue().unwrap()).collect();
    // And one who waits for room.
    let mut room = pin!(queue.enqueue_async());
    let poll = |room: std::pin::Pin<&mut apiqueue::Enqueue>| {
        room.poll(&mut Context::from_waker(Waker::noop()))
    };
    assert!(poll(room.as_mut()).is_pending());
    assert_eq!(queue.stop(Stop::Now).abandoned, 4);
    for waiter in waiters {
        assert_eq!(waiter.wait(), Err(Closed));
    }
    assert!(matches!(poll(room.as_mut()), Poll::Ready(Err(Closed))));
}

#[test]
fn a_clock_that_breaks_now_and_then_shuts_nobody_out_of_a_full_line() {
    let clock = Arc::new(Fragile::default());
    let queue = start(&clock);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..10 {
                        queue.wait_turn().unwrap();
                    }
                })
            })
            .collect();
        while !threads.iter().all(|one| one.is_finished()) {
            clock.breaks(true);
            std::thread::yield_now();
            clock.breaks(false);
            std::thread::sleep(Duration::from_micros(500));
        }
    });
    assert_eq!(queue.stats().released, 80);
}

/// What the driver sees of a broken clock does not send it to sleep for as long as the queue is old.
#[test]
fn the_driver_comes_back_to_a_clock_that_works_again() {
    let clock = Arc::new(Fragile::default());
    let queue = start(&clock);
    queue.enqueue().unwrap().wait().unwrap();
    // A day goes by.
    clock.1.store(86_400_000_000_000, Ordering::SeqCst);
    queue.enqueue().unwrap().wait().unwrap();
    let waiters = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    clock.breaks(true);
    std::thread::sleep(INTERVAL * 10);
    clock.breaks(false);
    // Nobody tells the driver.
    for waiter in waiters {
        waiter.wait_timeout(Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn a_clock_that_can_t_be_read_at_all_is_refused() {
    let clock = Arc::new(Fragile::default());
    clock.breaks(true);
    let why = ApiQueue::builder()
        .every(INTERVAL)
        .clock(clock)
        .start()
        .unwrap_err();
    assert!(matches!(why, StartError::Clock), "{why}");
}

/// A panic whose message panics when it is dropped.
#[test]
fn what_a_waker_panics_with_is_harmless_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    struct Thrower;
    impl Wake for Thrower {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any(Bomb);
        }
    }
    let queue = ApiQueue::builder().every(INTERVAL).start().unwrap();
    let _first = queue.enqueue().unwrap();
    let mut second = queue.enqueue().unwrap();
    let third = queue.enqueue().unwrap();
    let thrower = Waker::from(Arc::new(Thrower));
    let _ = std::pin::Pin::new(&mut second).poll(&mut Context::from_waker(&thrower));
    third.wait().unwrap();
    assert_eq!(second.status(), Status::Released);
}

#[test]
fn a_stop_keeps_one_waker_however_often_it_is_polled() {
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .start()
        .unwrap();
    let _first = queue.enqueue().unwrap();
    let _second = queue.enqueue().unwrap();
    let timeout = Duration::from_secs(3600);
    let wakers: Vec<_> = (0..1000).map(|_| Arc::new(Count::default())).collect();
    {
        let mut stop = pin!(queue.stop_async(Stop::Drain { timeout }));
        for count in &wakers {
            let waker = Waker::from(Arc::clone(count));
            assert!(
                stop.as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        let kept = |count: &Arc<Count>| Arc::strong_count(count) > 1;
        assert_eq!(wakers.iter().filter(|count| kept(count)).count(), 1);
        assert!(kept(&wakers[999]));
    }
    assert!(wakers.iter().all(|count| Arc::strong_count(count) == 1));
    queue.stop(Stop::Now);
}

/// Nobody comes to grant where nobody is in line.
#[test]
fn a_drain_of_a_granted_queue_ends_when_its_line_is_empty() {
    let begun = Instant::now();
    let drain = Stop::Drain {
        timeout: Duration::from_secs(300),
    };
    let granted = || {
        ApiQueue::builder()
            .every(INTERVAL)
            .granted()
            .start()
            .unwrap()
    };
    let empty = granted();
    assert_eq!(empty.stop(drain).released, 0);
    let left = granted();
    let waiter = left.enqueue().unwrap();
    let served = granted();
    let _served = served.enqueue().unwrap();
    std::thread::scope(|scope| {
        let stops = [
            scope.spawn(|| left.stop(drain)),
            scope.spawn(|| served.stop(drain)),
        ];
        while !(left.is_closed() && served.is_closed()) {
            std::thread::yield_now();
        }
        drop(waiter);
        assert_eq!(served.grant(1), 1);
        let [left, served] = stops.map(|stop| stop.join().unwrap());
        assert_eq!((left.released, left.abandoned), (0, 0));
        assert_eq!((served.released, served.abandoned), (1, 0));
    });
    assert!(begun.elapsed() < Duration::from_secs(150));
}
