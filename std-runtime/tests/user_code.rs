//! What the user's own code breaks is its own: clocks and wakers that panic, wakers that are kept.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use apiqueue::core::Clock;
use apiqueue::{ApiQueue, Closed, MonotonicClock, StartError, Stop, Waiter};

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

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Calls back.
struct Hook<F>(F);

impl<F: Fn() + Send + Sync> Wake for Hook<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn hook(call: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Hook(call)))
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_clock_that_panics_closes_its_queue_and_harms_no_other() {
    let clock = Arc::new(Fragile::default());
    let queue = start(&clock);
    let other = ApiQueue::builder().every(INTERVAL).start().unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    clock.breaks(true);
    let waiters: Vec<Waiter> = (0..3).filter_map(|_| queue.enqueue().ok()).collect();
    assert!(queue.try_acquire().is_err());
    let _ = queue.stats();
    for _ in 0..5 {
        other.enqueue().unwrap().wait().unwrap();
    }
    assert!(!other.is_closed());
    clock.breaks(false);
    for waiter in waiters {
        assert_eq!(waiter.wait().map(drop), Err(Closed));
    }
    assert!(queue.is_closed());
    let third = ApiQueue::builder().every(INTERVAL).start().unwrap();
    third.enqueue().unwrap().wait().unwrap();
}

/// Nobody calls the queue any more, and the driver sleeps until the next is due.
#[test]
fn whoever_waits_hears_that_the_clock_has_panicked() {
    let clock = Arc::new(Fragile::default());
    let queue = start(&clock);
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    clock.breaks(true);
    // And one who waits for room, in a line of four.
    let more: Vec<_> = (0..3).filter_map(|_| queue.enqueue().ok()).collect();
    let mut room = pin!(queue.enqueue_async());
    let told = poll(room.as_mut());
    assert!(!matches!(told, Poll::Ready(Ok(_))));
    for waiter in line.into_iter().skip(1).chain(more) {
        assert_eq!(waiter.wait().map(drop), Err(Closed));
    }
    while poll(room.as_mut()).is_pending() {
        std::thread::yield_now();
    }
}

#[test]
fn a_clock_that_panics_amid_a_crowd_leaves_nobody_behind() {
    let clock = Arc::new(Fragile::default());
    let queue = start(&clock);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| while queue.wait_turn().is_ok() {});
        }
        std::thread::sleep(INTERVAL * 20);
        clock.breaks(true);
    });
    assert!(queue.is_closed());
}

/// The driver sleeps for an hour more: it is who met the panic that tells those in line.
#[test]
fn whoever_meets_a_clock_s_panic_tells_the_others() {
    let meets: [fn(&ApiQueue); 5] = [
        |queue| drop(queue.enqueue()),
        |queue| {
            let _ = queue.hold_for(Duration::from_secs(60));
        },
        |queue| {
            let _ = queue.charge(1);
        },
        |queue| queue.refund(1),
        |queue| queue.set_rate(apiqueue::Rate::every(Duration::from_secs(7200)).unwrap()),
    ];
    for meet in meets {
        let clock = Arc::new(Fragile::default());
        let queue = ApiQueue::builder()
            .every(Duration::from_secs(3600))
            .clock(Arc::clone(&clock))
            .start()
            .unwrap();
        queue.try_acquire().unwrap();
        let waiter = queue.enqueue().unwrap();
        clock.breaks(true);
        meet(&queue);
        assert_eq!(waiter.wait().map(drop), Err(Closed));
    }
}

/// By any reading that could stand in for the one that panicked, too many would pass.
#[test]
fn nothing_passes_unpaced_by_a_clock_that_panics() {
    let day = 86_400_000_000_000;
    for held in [false, true] {
        let clock = Arc::new(Fragile::default());
        let queue = ApiQueue::builder()
            .every(Duration::from_secs(1))
            .burst(10)
            .clock(Arc::clone(&clock))
            .manual()
            .start()
            .unwrap();
        queue.try_acquire().unwrap();
        clock.1.store(day, Ordering::SeqCst);
        clock.breaks(true);
        let mut passed = 0;
        if held {
            let _ = queue.hold_for(Duration::from_secs(60));
            let _ = queue.charge(50);
        } else {
            passed += (0..40).filter(|_| queue.try_acquire().is_ok()).count();
        }
        clock.breaks(false);
        passed += (0..40).filter(|_| queue.try_acquire().is_ok()).count();
        assert_eq!(passed, 0);
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
    assert!(second.try_wait().unwrap().is_some());
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

/// Each waker releases the next one, or closes the queue again: the stack must not grow with the line.
#[test]
fn wakers_that_call_back_do_not_pile_up() {
    let queue = ApiQueue::builder()
        .every(Duration::from_nanos(100))
        .capacity(1 << 14)
        .start()
        .unwrap();
    queue.hold_for(Duration::from_millis(50)).unwrap();
    let joins = |queue: &ApiQueue| {
        let mut waiter = queue.enqueue().unwrap();
        let again = queue.clone();
        let waker = hook(move || drop(again.enqueue()));
        let _ = std::pin::Pin::new(&mut waiter).poll(&mut Context::from_waker(&waker));
        waiter
    };
    let line: Vec<_> = (0..5_000).map(|_| joins(&queue)).collect();
    for waiter in line {
        waiter.wait().unwrap();
    }
    let slow = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .capacity(1 << 12)
        .start()
        .unwrap();
    slow.try_acquire().unwrap();
    let stops = |queue: &ApiQueue| {
        let mut waiter = queue.enqueue().unwrap();
        let again = queue.clone();
        let waker = hook(move || {
            again.stop(Stop::Now);
        });
        let _ = std::pin::Pin::new(&mut waiter).poll(&mut Context::from_waker(&waker));
        waiter
    };
    let line: Vec<_> = (0..3_000).map(|_| stops(&slow)).collect();
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    let stop = small.spawn(move || slow.stop(Stop::Now)).unwrap();
    assert_eq!(stop.join().unwrap().abandoned, 3_000);
    for waiter in line {
        assert_eq!(waiter.wait().map(drop), Err(Closed));
    }
}

/// The waker of whoever drives by hand, or grants.
#[test]
fn a_driver_s_waker_that_panics_harms_no_caller() {
    let bomb = || hook(|| std::panic::resume_unwind(Box::new("on purpose")));
    let granted = || {
        let builder = ApiQueue::builder().every(INTERVAL).capacity(1);
        builder.granted().start().unwrap()
    };
    // Dropped while another panic is under way.
    let queue = granted();
    let waiter = queue.enqueue().unwrap();
    let _ = queue.advance_with(&bomb());
    assert_eq!(queue.grant(1), 1);
    let _ = queue.advance_with(&bomb());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = waiter;
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
    // Who waits for room hears of the stop, and a drain ends.
    let queue = granted();
    let waiter = queue.enqueue().unwrap();
    let count = Arc::new(Count::default());
    let mut room = pin!(queue.enqueue_async());
    let waker = Waker::from(Arc::clone(&count));
    assert!(
        room.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let _ = queue.advance_with(&bomb());
    let timeout = Duration::from_secs(300);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let stop = scope.spawn(|| queue.stop(Stop::Drain { timeout }));
        while !queue.is_closed() {
            std::thread::yield_now();
        }
        let _ = queue.advance_with(&bomb());
        drop(waiter);
        assert_eq!(stop.join().unwrap().abandoned, 0);
    });
    assert!(begun.elapsed() < timeout / 2);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(matches!(poll(room), Poll::Ready(Err(Closed))));
}

/// A waker that panics when it is dropped, as its waiter leaves: who waits for room gets the place, and a drain is over.
#[test]
fn a_waker_whose_drop_panics_keeps_nobody_waiting() {
    struct BadDrop;
    impl Wake for BadDrop {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for BadDrop {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
    let hour = Duration::from_secs(3600);
    for granted in [false, true] {
        let builder = ApiQueue::builder().every(hour).capacity(1);
        let queue = if granted {
            builder.granted().start().unwrap()
        } else {
            builder.start().unwrap()
        };
        let _ = queue.try_acquire();
        let mut waiter = queue.enqueue().unwrap();
        let bad = Waker::from(Arc::new(BadDrop));
        let pending = std::pin::Pin::new(&mut waiter)
            .poll(&mut Context::from_waker(&bad))
            .is_pending();
        assert!(pending);
        // This one's own drop does no harm, as the queue holds the waker too.
        drop(bad);
        let mut room = pin!(queue.enqueue_async());
        assert!(poll(room.as_mut()).is_pending());
        drop(waiter);
        // The driver may be just at it.
        let freed = Instant::now();
        let second = loop {
            if let Poll::Ready(place) = poll(room.as_mut()) {
                break place.unwrap();
            }
            assert!(freed.elapsed() < hour / 60, "a place is free");
            std::thread::yield_now();
        };
        assert_eq!(queue.stats().cancelled, 1);
        let begun = Instant::now();
        let drain = Stop::Drain { timeout: hour / 12 };
        std::thread::scope(|scope| {
            let stop = scope.spawn(|| queue.stop(drain));
            while !queue.is_closed() {
                std::thread::yield_now();
            }
            drop(second);
            let report = stop.join().unwrap();
            assert_eq!((report.released, report.abandoned), (0, 0));
        });
        assert!(begun.elapsed() < hour / 24);
    }
}

/// Each waker calls the queue that calls it: the depth of that must not grow with the line.
#[test]
fn wakers_that_drive_do_not_pile_up() {
    const MANY: usize = 20_000;
    for by_hand in [false, true] {
        let clock = Arc::new(apiqueue::core::ManualClock::<u64>::new(0));
        let builder = ApiQueue::builder()
            .every(Duration::from_nanos(10))
            .capacity(MANY)
            .clock(Arc::clone(&clock));
        let builder = if by_hand {
            builder.granted()
        } else {
            builder.manual()
        };
        let queue = builder.start().unwrap();
        let drives = queue.clone();
        let waker = hook(move || {
            let _ = drives.advance();
            drives.grant(1);
        });
        let mut line: Vec<_> = (0..MANY).map(|_| queue.enqueue().unwrap()).collect();
        for waiter in &mut line {
            let polled = std::pin::Pin::new(waiter).poll(&mut Context::from_waker(&waker));
            let _ = polled.map(|turn| turn.unwrap());
        }
        while line.iter().any(Waiter::is_waiting) {
            clock.advance(1_000_000);
            let _ = queue.advance();
            queue.grant(MANY);
        }
    }
}
