//! Permits of a source of the user's own, and controllers: what they break is their own.
#![allow(clippy::unwrap_used)]

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use apiqueue::core::{Change, Controller, ManualClock, Next, Outcome};
use apiqueue::{ApiQueue, ChargeError, Closed, Permits, Rate, Setup, Source, Waiters};

type Ticks = apiqueue::core::Rate<u64>;

/// Gives what it is told to, and notes what it hears.
#[derive(Debug, Default)]
struct Purse {
    permits: AtomicUsize,
    breaks: AtomicBool,
    heard: Mutex<Vec<String>>,
    over: AtomicBool,
}

#[derive(Clone, Debug)]
struct Shared(Arc<Purse>);

impl Source for Shared {
    fn open(&self, setup: &Setup<'_>) -> Result<Arc<dyn Permits>, Box<dyn Error + Send + Sync>> {
        if setup.name == "nobody" {
            return Err("nobody has a purse".into());
        }
        assert_ne!(setup.name, "panic");
        Ok(Arc::new(self.clone()))
    }
}

impl Shared {
    fn hears(&self, what: impl Into<String>) {
        self.0.heard.lock().unwrap().push(what.into());
    }
}

impl Permits for Shared {
    fn try_take(&self, returned: usize) -> Result<u64, Option<u64>> {
        self.0.permits.fetch_add(returned, Ordering::SeqCst);
        Err(None)
    }

    fn give(&self, waiters: &Waiters<'_>) -> Next<u64> {
        assert!(!self.0.breaks.load(Ordering::SeqCst), "on purpose");
        let returned = waiters.take_returned();
        let there = self.0.permits.swap(0, Ordering::SeqCst) + returned;
        let mut left = there;
        while let Some(weight) = waiters.first_weight() {
            if weight > left || waiters.release(1) == 0 {
                break;
            }
            left -= weight;
        }
        self.0.permits.fetch_add(left, Ordering::SeqCst);
        if waiters.are_over() {
            self.0.over.store(true, Ordering::SeqCst);
            return Next::Closed;
        }
        Next::OnEnqueue
    }

    fn set_rate(&self, rate: Rate) {
        self.hears(format!("rate {:?}", rate.interval()));
    }

    fn hold(&self, nanos: u64) {
        self.hears(format!("hold {nanos}"));
    }

    fn resume(&self) {
        self.hears("resume");
    }

    fn charge(&self, permits: usize) -> Result<(), ChargeError> {
        self.hears(format!("charge {permits}"));
        Ok(())
    }

    fn refund(&self, permits: usize) {
        self.hears(format!("refund {permits}"));
    }
}

fn start(purse: &Arc<Purse>) -> ApiQueue {
    ApiQueue::builder()
        .per_second(10)
        .burst(5)
        .shared(Shared(Arc::clone(purse)))
        .start()
        .unwrap()
}

#[test]
fn a_source_gives_to_whom_it_likes_and_hears_what_changes() {
    let purse = Arc::new(Purse::default());
    let queue = start(&purse);
    let (first, heavy) = (queue.enqueue().unwrap(), queue.enqueue_weighted(3).unwrap());
    purse.permits.store(4, Ordering::SeqCst);
    queue.wake_driver();
    first.wait().unwrap();
    heavy.wait().unwrap().give_back();
    // Three came back.
    queue.enqueue_weighted(3).unwrap().wait().unwrap();
    queue.set_rate(Rate::per_second(100).unwrap());
    queue.hold_for(Duration::from_nanos(7)).unwrap();
    queue.resume();
    queue.charge(2).unwrap();
    queue.refund(1);
    let heard = purse.heard.lock().unwrap().join(", ");
    assert_eq!(heard, "rate 10ms, hold 7, resume, charge 2, refund 1");
    assert!(queue.try_acquire().is_err());
    let waiter = queue.enqueue().unwrap();
    drop(queue);
    drop(waiter);
    while !purse.over.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

#[test]
fn a_source_that_panics_closes_its_queue_and_harms_no_other() {
    let purse = Arc::new(Purse::default());
    let queue = start(&purse);
    let other = ApiQueue::builder().per_second(1_000_000).start().unwrap();
    purse.breaks.store(true, Ordering::SeqCst);
    let waiter = queue.enqueue().unwrap();
    assert_eq!(waiter.wait().unwrap_err(), Closed);
    assert!(queue.is_closed());
    for _ in 0..3 {
        other.enqueue().unwrap().wait().unwrap();
    }
}

/// Always due, and gives nothing; on its own drop it panics.
#[derive(Clone, Debug)]
struct Hasty;

impl Source for Hasty {
    fn open(&self, _: &Setup<'_>) -> Result<Arc<dyn Permits>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(Quick(AtomicUsize::new(0))))
    }
}

#[derive(Debug)]
struct Quick(AtomicUsize);

impl Permits for Quick {
    fn try_take(&self, _: usize) -> Result<u64, Option<u64>> {
        Err(None)
    }

    fn give(&self, waiters: &Waiters<'_>) -> Next<u64> {
        // After its queue it goes on for a while.
        if waiters.are_over() && self.0.fetch_add(1, Ordering::SeqCst) > 20 {
            return Next::Closed;
        }
        Next::At(0)
    }

    fn set_rate(&self, _: Rate) {}

    fn hold(&self, _: u64) {}

    fn resume(&self) {}

    fn charge(&self, _: usize) -> Result<(), ChargeError> {
        Ok(())
    }

    fn refund(&self, _: usize) {}
}

impl Drop for Quick {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}

#[test]
fn a_source_that_is_always_due_keeps_no_other_queue_waiting() {
    let hasty = ApiQueue::builder()
        .per_second(10)
        .shared(Hasty)
        .start()
        .unwrap();
    let other = ApiQueue::builder().per_second(1_000).start().unwrap();
    let waiter = hasty.enqueue().unwrap();
    for _ in 0..20 {
        other.wait_turn().unwrap();
    }
    drop((hasty, waiter));
    for _ in 0..20 {
        other.wait_turn().unwrap();
    }
    assert!(!other.is_closed());
}

#[test]
fn a_source_may_refuse_or_panic_at_the_start() {
    for (name, why) in [
        (
            "nobody",
            "the source of its permits refused: nobody has a purse",
        ),
        ("panic", "the source of its permits refused: it panicked"),
    ] {
        let refused = ApiQueue::builder()
            .per_second(10)
            .name(name)
            .shared(Shared(Arc::default()))
            .start();
        assert_eq!(refused.unwrap_err().to_string(), why);
    }
}

/// Halves the rate after each refusal. It calls its queue, and panics if it is told to.
#[derive(Clone)]
struct Halves {
    rate: Ticks,
    queue: Arc<OnceLock<ApiQueue>>,
    breaks: Arc<AtomicBool>,
    heard: Arc<AtomicUsize>,
}

impl Halves {
    fn new() -> Self {
        Self {
            rate: Rate::per_second(1_000).unwrap().into(),
            queue: Arc::default(),
            breaks: Arc::default(),
            heard: Arc::default(),
        }
    }
}

impl Controller<u64> for Halves {
    fn rate(&self) -> Ticks {
        self.rate
    }

    fn outcome(&mut self, _: u64, _: u64, outcome: Outcome<u64>) -> Change<'_, u64> {
        assert!(!self.breaks.load(Ordering::SeqCst), "on purpose");
        self.heard.fetch_add(1, Ordering::SeqCst);
        if let Some(queue) = self.queue.get() {
            let _ = queue.stats();
            if let Ok(turn) = queue.try_acquire() {
                turn.ok();
            }
        }
        let hold = match outcome {
            Outcome::Ok => return Change::new(None, None),
            Outcome::Throttled => None,
            Outcome::RetryAfter(nanos) => Some(nanos),
        };
        self.rate = Ticks::every(2 * self.rate.interval()).unwrap();
        Change::new(Some(self.rate), hold)
    }
}

#[test]
fn a_controller_hears_every_outcome_and_sets_the_rate() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let controller = Halves::new();
    let queue = ApiQueue::builder()
        .adaptive(controller.clone())
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    controller.queue.set(queue.clone()).unwrap();
    assert_eq!(queue.rate(), Rate::per_second(1_000).unwrap());
    queue.wait_turn().unwrap().throttled(None);
    assert_eq!(queue.rate(), Rate::per_second(500).unwrap());
    clock.advance(2_000_000);
    // Another turn is taken, and told of, from within.
    queue.wait_turn().unwrap().ok();
    clock.advance(2_000_000);
    queue
        .wait_turn()
        .unwrap()
        .throttled(Some(Duration::from_millis(50)));
    assert_eq!(queue.rate(), Rate::per_second(250).unwrap());
    clock.advance(30_000_000);
    assert!(queue.try_acquire().is_err(), "held");
    clock.advance(30_000_000);
    drop(queue.try_acquire().unwrap());
    assert_eq!(controller.heard.load(Ordering::SeqCst), 3);
    controller.breaks.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        clock.advance(10_000_000);
        queue.wait_turn().unwrap().throttled(None);
    }
    assert_eq!(
        queue.rate(),
        Rate::per_second(250).unwrap(),
        "it is not asked again"
    );
}

#[test]
fn outcomes_of_many_threads_are_all_heard() {
    let controller = Halves::new();
    let queue = ApiQueue::builder()
        .adaptive(controller.clone())
        .start()
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    queue.wait_turn().unwrap().ok();
                }
            });
        }
    });
    assert_eq!(controller.heard.load(Ordering::SeqCst), 800);
}
