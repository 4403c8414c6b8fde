//! Whoever drives a fleet's queue polls the calls to the backend: by which waker, on which clock, and if two come at once.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{ApiQueue, Limit, Next, Registry, Stop};
use apiqueue_fleet::{Action, Answer, Backend, Call, FleetLimit, InProcess, LimitState, Reply};

/// Answers when it is told to, and has the one woken then that polled it last.
#[derive(Clone, Debug, Default)]
struct Slow {
    backend: InProcess,
    may_answer: Arc<AtomicBool>,
    waker: Arc<Mutex<Option<Waker>>>,
    polls: Arc<AtomicUsize>,
}

impl Slow {
    fn answers(&self) {
        self.may_answer.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }
}

impl Backend for Slow {
    fn call<'a>(&'a self, limit: &'a str, call: Call) -> Answer<'a, Reply> {
        if !matches!(call.action, Action::Reserve { .. }) {
            return self.backend.call(limit, call);
        }
        let mut answer = None;
        Box::pin(poll_fn(move |cx| {
            self.polls.fetch_add(1, Ordering::SeqCst);
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            if !self.may_answer.load(Ordering::SeqCst) {
                return Poll::Pending;
            }
            let answer = answer.get_or_insert_with(|| self.backend.call(limit, call.clone()));
            answer.as_mut().poll(cx)
        }))
    }

    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        self.backend.look(limit)
    }
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn so_far(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn by_hand(limit: FleetLimit) -> ApiQueue {
    // Longer than any machine is busy.
    let limit = limit.timeout(Duration::from_secs(60));
    let builder = ApiQueue::builder().per_second(1_000).manual();
    builder.shared(limit).start().unwrap()
}

/// Half a minute is for ever.
fn releases_one(queue: &ApiQueue) -> bool {
    let end = Instant::now() + Duration::from_secs(30);
    while queue.stats().released == 0 && Instant::now() < end {
        let _ = queue.advance();
    }
    queue.stats().released == 1
}

#[test]
fn an_answer_wakes_whoever_drove_last() {
    let backend = Slow::default();
    let queue = by_hand(FleetLimit::new("limit", backend.clone()));
    let waiter = queue.enqueue().unwrap();
    let counts = [(); 2].map(|()| Arc::new(Count::default()));
    for count in &counts {
        let advanced = queue.advance_with(&Waker::from(Arc::clone(count)));
        assert_eq!(advanced.released, 0);
    }
    let before = counts.each_ref().map(|count| count.so_far());
    backend.answers();
    let after = counts.each_ref().map(|count| count.so_far());
    assert_eq!(after, [before[0], before[1] + 1]);
    assert!(releases_one(&queue) && !waiter.is_waiting());
}

#[test]
fn who_drives_without_a_waker_is_told_to_come_back_soon() {
    let backend = Slow::default();
    let queue = by_hand(FleetLimit::new("limit", backend.clone()));
    let _waiter = queue.enqueue().unwrap();
    let Next::At(at) = queue.advance().next else {
        panic!("a call is under way")
    };
    // Long before the timeout.
    assert!(at < Instant::now() + Duration::from_secs(30));
    let polls = backend.polls.load(Ordering::SeqCst);
    let _ = queue.advance();
    assert_eq!(backend.polls.load(Ordering::SeqCst), polls + 1);
    backend.answers();
    assert!(releases_one(&queue));
}

/// Stays in its call until it is told to go on.
#[derive(Debug)]
struct Stuck {
    backend: InProcess,
    entered: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Backend for Stuck {
    fn call<'a>(&'a self, limit: &'a str, call: Call) -> Answer<'a, Reply> {
        if matches!(call.action, Action::Reserve { .. }) {
            let _ = self.entered.send(());
            let _ = self.go_on.lock().unwrap().recv();
        }
        self.backend.call(limit, call)
    }

    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        self.backend.look(limit)
    }
}

#[test]
fn a_second_driver_is_told_to_come_back_and_nobody_else_waits_for_a_backend_that_is_stuck() {
    let (entered, has_entered) = channel();
    let (release, go_on) = channel();
    let limit = FleetLimit::new(
        "limit",
        Stuck {
            backend: InProcess::new(),
            entered,
            go_on: Mutex::new(go_on),
        },
    );
    let queue = by_hand(limit.clone());
    let _waiter = queue.enqueue().unwrap();
    thread::scope(|scope| {
        let first = scope.spawn(|| releases_one(&queue));
        has_entered.recv().unwrap();
        let second = queue.advance();
        assert!(matches!(second.next, Next::At(_)), "{second:?}");
        assert_eq!(second.released, 0);
        // None of these takes a lock that is held during the call.
        assert!(queue.try_acquire().is_err());
        queue.charge(1).unwrap();
        queue.refund(1);
        let _ = (queue.rate(), queue.stats(), limit.stats());
        release.send(()).unwrap();
        assert!(first.join().unwrap());
    });
}

/// Has the queue driven from within a wake-up of it.
struct Drives(ApiQueue, AtomicUsize);

impl Wake for Drives {
    fn wake(self: Arc<Self>) {
        let released = self.0.advance().released;
        self.1.fetch_add(released, Ordering::SeqCst);
    }
}

#[test]
fn a_waker_that_drives_its_queue_takes_no_slot_twice() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let backend = InProcess::with_clock(Arc::clone(&clock));
    let limit = FleetLimit::new("limit", backend.clone());
    let builder = ApiQueue::builder().per_second(100).shared(limit.clone());
    let queue = builder.clock(Arc::clone(&clock)).manual().start().unwrap();
    let drives = Arc::new(Drives(queue.clone(), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&drives));
    let mut line: Vec<_> = (0..5).map(|_| Box::pin(queue.enqueue_async())).collect();
    let mut waiters: Vec<_> = line
        .iter_mut()
        .map(|place| futures_lite::future::block_on(place).unwrap())
        .map(|waiter| Box::pin(std::future::IntoFuture::into_future(waiter)))
        .collect();
    let mut cx = std::task::Context::from_waker(&waker);
    for waiter in &mut waiters {
        assert!(waiter.as_mut().poll(&mut cx).is_pending());
    }
    let mut released = 0;
    for _ in 0..50 {
        released += queue.advance().released;
        clock.advance(1_000_000);
    }
    assert_eq!(released + drives.1.load(Ordering::SeqCst), 5);
    assert_eq!(limit.stats().slots_used, 5);
}

/// Panics when it is told to.
#[derive(Default)]
struct Fragile {
    reading: AtomicU64,
    panics: AtomicBool,
}

impl Clock for Fragile {
    type Tick = u64;

    fn now(&self) -> u64 {
        assert!(!self.panics.load(Ordering::SeqCst), "on purpose");
        self.reading.load(Ordering::SeqCst)
    }
}

#[test]
fn a_clock_that_panics_closes_its_queue_and_ends_it_though_a_call_is_under_way() {
    let clock = Arc::new(Fragile::default());
    let backend = Slow::default();
    let limit = FleetLimit::new("limit", backend.clone());
    let builder = ApiQueue::builder().per_second(100).shared(limit.clone());
    let queue = builder.clock(Arc::clone(&clock)).manual().start().unwrap();
    let waiter = queue.enqueue().unwrap();
    let _ = queue.advance();
    clock.panics.store(true, Ordering::SeqCst);
    let ends = (0..10).any(|_| queue.advance().next == Next::Closed);
    assert!(ends && queue.is_closed());
    assert!(waiter.wait().is_err());
    assert_eq!(limit.stats().queues, 1);
    drop(queue);
    drop(limit);
    assert_eq!(Arc::strong_count(&backend.polls), 1, "its call is let go");
}

#[test]
fn a_registry_forgets_the_queues_of_a_limit_that_hold_nothing() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let limit = InProcess::with_clock(Arc::clone(&clock)).limit("");
    let (of_all, clock_of_all) = (limit.clone(), Arc::clone(&clock));
    let registry: Registry<u32> = Registry::new(move |key: &u32| {
        // An interval that is no whole number of microseconds.
        let builder = ApiQueue::builder().per_second(300).name(key.to_string());
        let builder = builder.clock(Arc::clone(&clock_of_all)).manual();
        Limit::Queue(builder.shared(of_all.clone()))
    })
    .keep(1);
    for key in 0..20 {
        let queue = registry.queue(&key).unwrap().unwrap();
        let _line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
        assert_eq!(queue.advance().released, 1);
        assert!(limit.stats().slots_held > 0);
        drop(_line);
        // It waits a while for others to come, and then gives back what it holds.
        for _ in 0..100 {
            clock.advance(1_000_000);
            let _ = queue.advance();
        }
    }
    assert!(registry.len() <= 3, "{} keys", registry.len());
    let queue = registry.queue(&19).unwrap().unwrap();
    queue.stop(Stop::Now);
}
