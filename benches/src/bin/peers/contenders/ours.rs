//! This project: the runtime for tasks and for threads, and the core driven by hand.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use apiqueue::core::{Next, QueueOver, Slot};
use apiqueue::{ApiQueue, MonotonicClock, Rate, TokioTimer};
use apiqueue_benches::machine;
use apiqueue_benches::report::Role;

use super::{Has, Pace, Tasks, Threads};

fn rate(pace: Pace) -> Rate {
    Rate::every(pace.interval)
        .and_then(|rate| rate.burst(pace.burst))
        .unwrap()
}

#[derive(Clone)]
pub(crate) struct Ours(ApiQueue);

impl Ours {
    fn start(pace: Pace) -> Self {
        let builder = ApiQueue::builder().rate(rate(pace)).capacity(pace.waiting);
        Self(builder.start().unwrap())
    }

    fn change(&self, interval: Duration) -> Has {
        self.0.set_rate(Rate::every(interval).unwrap());
        true
    }

    fn pause(&self, pause: Duration) -> Has {
        self.0.hold_for(pause).unwrap();
        true
    }
}

impl Tasks for Ours {
    const NAME: &'static str = "apiqueue";
    const ROLE: Role = Role::Ours;

    fn new(pace: Pace) -> Self {
        Self::start(pace)
    }

    async fn acquire(&self) {
        self.0.turn().await.unwrap();
    }

    fn set_interval(&self, interval: Duration) -> Has {
        self.change(interval)
    }

    fn hold(&self, pause: Duration) -> Has {
        self.pause(pause)
    }
}

impl Threads for Ours {
    const NAME: &'static str = "apiqueue, threads";
    const ROLE: Role = Role::Ours;

    fn new(pace: Pace) -> Self {
        Self::start(pace)
    }

    fn acquire(&self) {
        self.0.wait_turn().unwrap();
    }

    fn acquire_until(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        self.0.enqueue().unwrap().wait_timeout(left).is_ok()
    }

    fn set_interval(&self, interval: Duration) -> Has {
        self.change(interval)
    }

    fn hold(&self, pause: Duration) -> Has {
        self.pause(pause)
    }
}

/// The same for tasks, but the driver is one of them.
#[derive(Clone)]
pub(crate) struct OursTask(Ours);

impl Tasks for OursTask {
    const NAME: &'static str = "apiqueue, driven by a task";
    const ROLE: Role = Role::Ours;

    fn new(pace: Pace) -> Self {
        let builder = ApiQueue::builder().rate(rate(pace)).capacity(pace.waiting);
        let timer = TokioTimer::new().unwrap();
        let (queue, driver) = builder.start_with_task(timer).unwrap();
        tokio::spawn(driver);
        Self(Ours(queue))
    }

    async fn acquire(&self) {
        if self.0.0.turn().await.is_err() {
            // The runtime shuts down, and has dropped the driver before its callers.
            std::future::pending().await
        }
    }

    fn set_interval(&self, interval: Duration) -> Has {
        self.0.change(interval)
    }

    fn hold(&self, pause: Duration) -> Has {
        self.0.pause(pause)
    }
}

/// The same for threads, but the driver stays awake for the last 100 µs, and lateness is never made up.
#[derive(Clone)]
pub(crate) struct OursAgain(Ours);

impl Threads for OursAgain {
    const NAME: &'static str = "apiqueue, threads, strict, spin 100 µs";
    const ROLE: Role = Role::Ours;

    fn new(pace: Pace) -> Self {
        let builder = ApiQueue::builder().rate(rate(pace)).capacity(pace.waiting);
        let builder = builder.strict().spin(Duration::from_micros(100));
        Self(Ours(builder.start().unwrap()))
    }

    fn acquire(&self) {
        Threads::acquire(&self.0);
    }

    fn acquire_until(&self, deadline: Instant) -> bool {
        self.0.acquire_until(deadline)
    }
}

type Core = QueueOver<MonotonicClock, Box<[Slot]>>;

/// The core alone, with a thread that drives it as its documents say: sleep until `Next::At`, park on `Next::OnEnqueue`.
#[derive(Clone)]
pub(crate) struct ByHand(Arc<Driven>);

struct Driven {
    queue: Arc<Core>,
    driver: Thread,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn drive(queue: Weak<Core>) {
    machine::sharpen();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        let Some(queue) = queue.upgrade() else { return };
        let next = queue.advance_with(&waker).next;
        drop(queue);
        match next {
            Next::At(at) => {
                let at = MonotonicClock.instant(at).unwrap();
                let left = at.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    thread::park_timeout(left);
                }
            }
            Next::OnEnqueue => thread::park(),
            Next::Closed => return,
        }
    }
}

impl Tasks for ByHand {
    const NAME: &'static str = "apiqueue core, by hand";
    const ROLE: Role = Role::Ours;

    fn new(pace: Pace) -> Self {
        let slots = (0..pace.waiting.next_power_of_two())
            .map(|_| Slot::new())
            .collect();
        let rate = rate(pace).into();
        let queue = Core::over(MonotonicClock, rate, slots).unwrap();
        // As in std.
        let queue = Arc::new(queue.catch_up(10_000_000));
        let driven = Arc::downgrade(&queue);
        let driver = thread::spawn(move || drive(driven)).thread().clone();
        Self(Arc::new(Driven { queue, driver }))
    }

    async fn acquire(&self) {
        self.0.queue.enter().unwrap().await.unwrap();
    }

    fn set_interval(&self, interval: Duration) -> Has {
        let rate = Rate::every(interval).unwrap();
        self.0.queue.set_rate(rate.into());
        true
    }

    fn hold(&self, pause: Duration) -> Has {
        use apiqueue::core::Clock;
        let until = MonotonicClock.now() + pause.as_nanos() as u64;
        self.0.queue.hold_until(until).unwrap();
        true
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.queue.close();
        self.driver.unpark();
    }
}
