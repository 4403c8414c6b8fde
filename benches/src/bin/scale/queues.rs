//! What a release costs the driver's thread, by the number of queues that it drives.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Waiter};
use apiqueue_benches::machine::Usage;

use crate::{Curve, Order};

/// Between two releases, whichever queue they are of.
const STEP: Duration = Duration::from_millis(1);
/// By then all queues are there, however many.
const SETTLE: Duration = Duration::from_secs(3);
/// Above that not every queue has a release in the time.
const MANY: u32 = 3000;

pub(crate) fn curves(quick: bool) -> Vec<Curve> {
    let time = if quick {
        Duration::from_millis(300)
    } else {
        Duration::from_secs(3)
    };
    vec![Curve {
        name: "driver: a release",
        order: Order::Logarithmic,
        cost: Box::new(move |queues| release(queues, time)),
    }]
}

#[derive(Default)]
struct Count(AtomicU64);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Crowd {
    _line: Vec<Waiter>,
    released: Arc<Count>,
}

/// Queues that are driven together, each with its line.
impl Crowd {
    fn new(
        queues: u32,
        waiters: usize,
        interval: impl Fn(u32) -> Duration,
        mut between: impl FnMut(),
    ) -> Self {
        let released = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&released));
        let mut line = Vec::new();
        for n in 0..queues {
            between();
            let builder = ApiQueue::builder().every(interval(n)).capacity(waiters + 1);
            let queue = builder.start().unwrap();
            queue.enqueue().unwrap().wait().unwrap();
            for _ in 0..waiters {
                let mut waiter = queue.enqueue().unwrap();
                let mut cx = Context::from_waker(&waker);
                assert!(Pin::new(&mut waiter).poll(&mut cx).is_pending());
                line.push(waiter);
            }
        }
        Self {
            _line: line,
            released,
        }
    }
}

/// In microseconds.
fn release(queues: u32, time: Duration) -> f64 {
    let start = Instant::now();
    let crowd = if queues < MANY {
        // Each releases at the same rate, one after the other.
        let interval = STEP * queues;
        let lasting = time + STEP * queues + Duration::from_millis(500);
        let waiters = (lasting.as_nanos() / interval.as_nanos() + 2) as usize;
        Crowd::new(queues, waiters, |_| interval, || thread::sleep(STEP))
    } else {
        // Each has one release, one after the other, most of them after this is over.
        let crowd = Crowd::new(queues, 1, |n| SETTLE + STEP * n, || {});
        thread::sleep((start + SETTLE).saturating_duration_since(Instant::now()));
        crowd
    };
    thread::sleep(Duration::from_millis(50));
    let count = || crowd.released.0.load(Ordering::Relaxed);
    let (first, before) = (count(), Usage::now());
    thread::sleep(time);
    let (used, released) = (Usage::now().since(before), count() - first);
    used.cpu.as_secs_f64() * 1e6 / released as f64
}

/// Of the driver's thread in a second, with somebody in line everywhere and nobody due.
pub(crate) fn idle_wake_ups(queues: u32) -> u64 {
    let crowd = Crowd::new(queues, 1, |_| Duration::from_secs(3600), || {});
    thread::sleep(Duration::from_millis(200));
    let before = Usage::now();
    thread::sleep(Duration::from_secs(1));
    let switches = Usage::now().since(before).voluntary;
    drop(crowd);
    // This thread's own sleep is one.
    switches.saturating_sub(1)
}
