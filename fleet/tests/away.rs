//! Queues of a fleet whose backend does not answer, answers nonsense or panics.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::future::pending;
use std::ops::Deref;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, WaitError};
use apiqueue_fleet::{
    Answer, Away, Backend, BackendError, Call, FleetLimit, FleetStats, InProcess, LimitState, News,
    Reply,
};

const MS: Duration = Duration::from_millis(1);

/// What a backend does when it is called.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Mood {
    Answers,
    Hangs,
    Fails,
    Panics,
    PanicsLater,
}

/// The in-process backend, in a mood.
#[derive(Clone, Debug, Default)]
struct Moody {
    backend: InProcess,
    mood: Arc<AtomicU8>,
}

impl Moody {
    fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    fn go<'a, T: 'a>(&self, answer: Answer<'a, T>) -> Answer<'a, T> {
        let mood = self.mood.load(Ordering::SeqCst);
        if mood == Mood::Answers as u8 {
            answer
        } else if mood == Mood::Hangs as u8 {
            Box::pin(pending())
        } else if mood == Mood::Fails as u8 {
            Box::pin(async { Err(BackendError::Refused("NOAUTH".to_owned())) })
        } else if mood == Mood::Panics as u8 {
            panic!("in a call")
        } else {
            Box::pin(async { panic!("in a future") })
        }
    }
}

impl Backend for Moody {
    fn call<'a>(&'a self, limit: &'a str, call: Call) -> Answer<'a, Reply> {
        self.go(self.backend.call(limit, call))
    }

    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        self.go(self.backend.look(limit))
    }
}

/// A queue of a limit, as on a host of its own.
struct Host {
    queue: ApiQueue,
    limit: FleetLimit,
}

impl Host {
    fn fleet(&self) -> FleetStats {
        self.limit.stats()
    }
}

impl Deref for Host {
    type Target = ApiQueue;

    fn deref(&self) -> &ApiQueue {
        &self.queue
    }
}

fn over(backend: &Moody) -> FleetLimit {
    FleetLimit::new("limit", backend.clone()).timeout(20 * MS)
}

fn start(limit: FleetLimit) -> Host {
    let builder = ApiQueue::builder().per_second(1_000);
    let queue = builder.shared(limit.clone()).start().unwrap();
    Host { queue, limit }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < end, "never {what}");
        thread::sleep(MS);
    }
}

#[test]
fn a_backend_that_never_answers_releases_nobody_and_hangs_nothing() {
    let backend = Moody::default();
    backend.set(Mood::Hangs);
    let queue = start(over(&backend).away(Away::Stop));
    let timeout = 200 * MS;
    let waited = queue.enqueue().unwrap().wait_timeout(timeout).map(drop);
    assert_eq!(waited, Err(WaitError::TimedOut { timeout }));
    let _waiter = queue.enqueue().unwrap();
    until("away", || queue.fleet().is_away);
    let stats = queue.fleet();
    assert!(stats.backend_failures >= 2);
    assert_eq!(
        (stats.times_away, stats.slots_granted, stats.released_alone),
        (1, 0, 0)
    );
}

#[test]
fn callers_get_on_alone_and_with_the_backend_again_when_it_is_back() {
    let backend = Moody::default();
    let news = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&news);
    let queue = start(
        over(&backend)
            .away(Away::Share {
                at_most: Duration::from_secs(3600),
            })
            .expected_hosts(1)
            .on_news(move |what| heard.lock().unwrap().push(what.clone())),
    );
    queue.enqueue().unwrap().wait().unwrap();

    backend.set(Mood::Fails);
    until("alone", || {
        queue.enqueue().unwrap().wait().unwrap();
        queue.fleet().released_alone >= 20
    });
    assert_eq!(queue.fleet().times_away, 1);

    backend.set(Mood::Answers);
    until("back", || {
        queue.enqueue().unwrap().wait().unwrap();
        !queue.fleet().is_away
    });
    until("granted", || {
        queue.enqueue().unwrap().wait().unwrap();
        queue.fleet().slots_used >= 5
    });
    let stats = queue.fleet();
    assert!(stats.away > Duration::ZERO);
    until("told", || news.lock().unwrap().len() >= 2);
    let news = news.lock().unwrap().clone();
    assert_eq!(
        news[0],
        News::Away(BackendError::Refused("NOAUTH".to_owned()))
    );
    assert!(
        matches!(news[1..], [News::Back { .. }]),
        "once per change: {news:?}"
    );
}

#[test]
fn a_hold_made_without_the_backend_acts_here_and_reaches_it_later() {
    let backend = Moody::default();
    let queue = start(over(&backend).away(Away::Full {
        at_most: Duration::from_secs(3600),
    }));
    queue.enqueue().unwrap().wait().unwrap();
    let before = queue.fleet().epoch;
    backend.set(Mood::Fails);
    until("away", || {
        queue.enqueue().unwrap().wait().unwrap();
        queue.fleet().is_away
    });
    queue.hold_for(Duration::from_secs(3600)).unwrap();
    let timeout = 50 * MS;
    assert_eq!(
        queue.enqueue().unwrap().wait_timeout(timeout).map(drop),
        Err(WaitError::TimedOut { timeout })
    );
    backend.set(Mood::Answers);
    until("told", || queue.fleet().epoch > before);
    let other = start(over(&backend));
    assert_eq!(
        other.enqueue().unwrap().wait_timeout(timeout).map(drop),
        Err(WaitError::TimedOut { timeout })
    );
    queue.resume();
    other.enqueue().unwrap().wait().unwrap();
}

#[test]
fn a_backend_that_panics_counts_as_one_that_fails() {
    for mood in [Mood::Panics, Mood::PanicsLater] {
        let backend = Moody::default();
        let queue = start(over(&backend));
        backend.set(mood);
        let waiter = queue.enqueue().unwrap();
        until("failed", || queue.fleet().backend_failures >= 3);
        assert!(waiter.is_waiting());
        backend.set(Mood::Answers);
        waiter.wait().unwrap();
    }
}

#[test]
fn news_that_panic_take_nobody_along() {
    let backend = Moody::default();
    backend.set(Mood::Fails);
    let queue = start(over(&backend).on_news(|_| panic!("in the callback")));
    let waiter = queue.enqueue().unwrap();
    until("away", || queue.fleet().is_away);
    backend.set(Mood::Answers);
    waiter.wait().unwrap();
}

#[test]
fn a_queue_that_is_stopped_without_its_backend_ends_all_the_same() {
    let backend = Moody::default();
    let queue = start(over(&backend));
    let line: Vec<_> = (0..100).map(|_| queue.enqueue().unwrap()).collect();
    until("granted", || queue.fleet().slots_held > 0);
    backend.set(Mood::Hangs);
    queue.stop(apiqueue::Stop::Now);
    drop(line);
    until("left", || queue.fleet().slots_held == 0);
}

#[test]
fn a_queue_whose_handles_are_gone_lets_its_backend_go() {
    let backend = Moody::default();
    let queue = start(over(&backend));
    queue.enqueue().unwrap().wait().unwrap();
    drop(queue);
    until("gone", || Arc::strong_count(&backend.mood) == 1);
}
