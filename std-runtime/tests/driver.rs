//! The life of the driver's thread. The tests take turns, as they all look at the one thread.
#![allow(clippy::unwrap_used)]

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Closed, Next, Rate, Stop, Waiter};

/// For how long lateness is made up unless told otherwise.
const CATCH_UP: Duration = Duration::from_millis(10);

static TURN: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    await_that("the driver before has gone", || !has_driver());
    turn
}

fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "never came: {what}"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(target_os = "linux")]
fn drivers() -> Vec<std::path::PathBuf> {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|thread| Some(thread.ok()?.path()))
        .filter(|path| {
            std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "apiqueue")
        })
        .collect()
}

#[cfg(target_os = "linux")]
fn has_driver() -> bool {
    !drivers().is_empty()
}

#[cfg(not(target_os = "linux"))]
fn has_driver() -> bool {
    false
}

fn every(ms: u64) -> ApiQueue {
    ApiQueue::builder()
        .every(Duration::from_millis(ms))
        .start()
        .unwrap()
}

fn poll(waiter: &mut Waiter, waker: &Waker) -> Poll<Result<(), Closed>> {
    let turn = std::pin::Pin::new(waiter).poll(&mut Context::from_waker(waker));
    turn.map(|turn| turn.map(drop))
}

#[cfg(target_os = "linux")]
#[test]
fn one_thread_drives_all_queues_and_ends_after_the_last() {
    let _turn = alone();
    let queues: Vec<_> = (0..100).map(|_| every(1)).collect();
    for queue in &queues {
        queue.enqueue().unwrap().wait().unwrap();
        queue.enqueue().unwrap().wait().unwrap();
    }
    assert_eq!(drivers().len(), 1);
    drop(queues);
    await_that("the driver's end", || !has_driver());
    let again = every(1);
    again.enqueue().unwrap().wait().unwrap();
    again.enqueue().unwrap().wait().unwrap();
    assert_eq!(drivers().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn with_nothing_due_the_driver_never_wakes() {
    let _turn = alone();
    let empty = every(1);
    let far = every(3_600_000);
    for queue in [&empty, &far] {
        queue.enqueue().unwrap().wait().unwrap();
    }
    let _waiting = far.enqueue().unwrap();
    empty.enqueue().unwrap().wait().unwrap();
    let driver = drivers().pop().unwrap();
    let switches = || {
        let status = std::fs::read_to_string(driver.join("status")).unwrap();
        let count = status
            .lines()
            .filter_map(|line| line.split_once("_ctxt_switches:"))
            .map(|(_, n)| n.trim().to_owned());
        count.collect::<Vec<_>>()
    };
    thread::sleep(Duration::from_millis(200));
    let before = switches();
    // Free permits are taken without the driver, and waiters that come and go behind others don't concern it.
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(100));
        empty.enqueue().unwrap().wait().unwrap();
        drop(far.enqueue().unwrap());
    }
    assert_eq!(before, switches());
}

#[cfg(target_os = "linux")]
#[test]
fn a_manual_queue_starts_no_thread() {
    let _turn = alone();
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .manual()
        .start()
        .unwrap();
    let first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    assert!(!first.is_waiting());
    assert!(!has_driver());
    queue.set_rate(Rate::per_second(1000).unwrap());
    thread::sleep(Duration::from_millis(3));
    assert!(second.is_waiting(), "nobody has called advance yet");
    let advance = queue.advance();
    assert_eq!((advance.released, advance.next), (1, Next::OnEnqueue));
    second.wait().unwrap();
}

#[test]
fn a_driver_of_ones_own_is_told_of_the_first_waiter() {
    let _turn = alone();
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(60))
        .manual()
        .start()
        .unwrap();
    queue.try_acquire().unwrap();
    let calls = Arc::new(Calls::default());
    let waker = Waker::from(Arc::clone(&calls));
    assert_eq!(queue.advance_with(&waker).next, Next::OnEnqueue);
    let _waiter = queue.enqueue().unwrap();
    assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    assert!(matches!(queue.advance_with(&waker).next, Next::At(_)));
    queue.set_rate(Rate::per_second(1000).unwrap());
    assert_eq!(calls.0.load(Ordering::SeqCst), 2);
}

#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_waiter_is_woken_once_for_its_own_release() {
    let _turn = alone();
    let queue = every(3_600_000);
    queue.enqueue().unwrap().wait().unwrap();
    let mut waiters: Vec<_> = (0..20)
        .map(|_| (queue.enqueue().unwrap(), Arc::new(Calls::default())))
        .collect();
    for (waiter, calls) in &mut waiters {
        let _ = poll(waiter, &Waker::from(Arc::clone(calls)));
    }
    let last = queue.enqueue().unwrap();
    queue.set_rate(Rate::per_second(1000).unwrap());
    last.wait().unwrap();
    for (waiter, calls) in &waiters {
        assert!(!waiter.is_waiting());
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn waiters_are_released_in_their_turn_after_the_last_handle_is_gone() {
    let _turn = alone();
    let queue = every(5);
    let start = Instant::now();
    let waiters: Vec<_> = (0..5).map(|_| queue.enqueue().unwrap()).collect();
    let slack = CATCH_UP;
    drop(queue);
    for waiter in waiters {
        waiter.wait().unwrap();
    }
    assert!(start.elapsed() >= Duration::from_millis(20) - slack);
    await_that("the driver's end", || !has_driver());
}

struct Bad;

impl Wake for Bad {
    fn wake(self: Arc<Self>) {
        panic::resume_unwind(Box::new("a waker's panic"));
    }
}

#[test]
fn a_waker_that_panics_holds_up_nobody() {
    let _turn = alone();
    let queue = every(3_600_000);
    queue.enqueue().unwrap().wait().unwrap();
    let mut bad: Vec<_> = (0..5).map(|_| queue.enqueue().unwrap()).collect();
    for waiter in &mut bad {
        let _ = poll(waiter, &Waker::from(Arc::new(Bad)));
    }
    let good = queue.enqueue().unwrap();
    queue.set_rate(Rate::per_second(1000).unwrap());
    good.wait().unwrap();
    assert!(bad.iter().all(|waiter| !waiter.is_waiting()));
    assert_eq!(every(1).enqueue().unwrap().wait().map(drop), Ok(()));
}

#[test]
fn wakers_that_panic_keep_nobody_from_hearing_of_the_end() {
    let _turn = alone();
    let queue = every(3_600_000);
    queue.enqueue().unwrap().wait().unwrap();
    let mut bad: Vec<_> = (0..5).map(|_| queue.enqueue().unwrap()).collect();
    for waiter in &mut bad {
        let _ = poll(waiter, &Waker::from(Arc::new(Bad)));
    }
    let good = queue.enqueue().unwrap();
    let parked = thread::spawn(|| good.wait());
    assert_eq!(queue.stop(Stop::Now).abandoned, 6);
    assert_eq!(parked.join().unwrap().map(drop), Err(Closed));
}

/// Dropping what it panics with panics again.
struct Deadly;

impl Drop for Deadly {
    fn drop(&mut self) {
        if thread::current().name() == Some("apiqueue") {
            panic::resume_unwind(Box::new("a panic's panic"));
        }
    }
}

impl Wake for Deadly {
    fn wake(self: Arc<Self>) {
        std::mem::forget(self);
        panic::resume_unwind(Box::new(Self));
    }
}

#[test]
fn a_panic_s_panic_harms_neither_the_driver_nor_other_queues() {
    let _turn = alone();
    let queue = every(3_600_000);
    let other = every(3_600_000);
    other.enqueue().unwrap().wait().unwrap();
    let parked = other.enqueue().unwrap();
    let parked = thread::spawn(|| parked.wait().map(drop));
    queue.enqueue().unwrap().wait().unwrap();
    let mut deadly = queue.enqueue().unwrap();
    let waker = Waker::from(Arc::new(Deadly));
    assert!(poll(&mut deadly, &waker).is_pending());
    std::mem::forget(waker);
    queue.set_rate(Rate::per_second(1000).unwrap());
    await_that("the release", || !deadly.is_waiting());
    for _ in 0..3 {
        queue.enqueue().unwrap().wait().unwrap();
    }
    other.set_rate(Rate::per_second(1000).unwrap());
    assert_eq!(parked.join().unwrap(), Ok(()));
}

#[test]
fn a_thread_that_panics_with_a_waiter_in_hand_leaves_the_line() {
    let _turn = alone();
    let queue = every(2);
    queue.enqueue().unwrap().wait().unwrap();
    let doomed = queue.enqueue().unwrap();
    let next = queue.enqueue().unwrap();
    let _ = panic::catch_unwind(AssertUnwindSafe(move || {
        let _held = doomed;
        panic::resume_unwind(Box::new("the caller's panic"));
    }));
    next.wait().unwrap();
    assert!(queue.is_empty());
}

#[test]
fn a_waker_may_use_queues() {
    struct Again(ApiQueue, Mutex<Option<Waiter>>);
    impl Wake for Again {
        fn wake(self: Arc<Self>) {
            *self.1.lock().unwrap() = Some(self.0.enqueue().unwrap());
        }
    }
    let _turn = alone();
    let queue = every(3_600_000);
    queue.enqueue().unwrap().wait().unwrap();
    let again = Arc::new(Again(queue.clone(), Mutex::new(None)));
    let mut first = queue.enqueue().unwrap();
    let _ = poll(&mut first, &Waker::from(Arc::clone(&again)));
    queue.set_rate(Rate::per_second(1000).unwrap());
    await_that("the waker's own place", || {
        again.1.lock().unwrap().is_some()
    });
    let second = again.1.lock().unwrap().take().unwrap();
    second.wait().unwrap();
}
