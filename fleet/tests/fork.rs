//! A forked child has its parent's queues, but none of its slots: nobody is released there, nothing is asked of the backend, and
//! nobody hangs.
#![cfg(unix)]
#![allow(clippy::unwrap_used, unsafe_code)]

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Closed, Rate, Stop};
use apiqueue_fleet::InProcess;

/// Runs `check` in a forked child, and says whether it came back true within 20 seconds.
fn in_a_child(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `check` and ends without returning to the test harness. What `check` uses that other threads
    // of this process may hold at the moment (the allocator) is made safe for a fork by the C library.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    if child == 0 {
        // SAFETY: both only concern the child's own process.
        unsafe {
            libc::alarm(20);
            libc::_exit(i32::from(!check()));
        }
    }
    let mut status = -1;
    // SAFETY: `status` lives through the call, and `child` is this process's own.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    waited == child && status == 0
}

fn start() -> (ApiQueue, apiqueue_fleet::FleetLimit) {
    let limit = InProcess::new().limit("limit");
    let builder = ApiQueue::builder().per_second(100).shared(limit.clone());
    let queue = builder.start().unwrap();
    (queue, limit)
}

#[test]
fn nobody_is_released_in_a_child_and_who_waits_is_told_closed() {
    let (queue, limit) = start();
    let line: Vec<_> = (0..1_000).map(|_| queue.enqueue().unwrap()).collect();
    let end = Instant::now() + Duration::from_secs(30);
    while limit.stats().slots_held == 0 {
        assert!(Instant::now() < end, "no slots came");
        std::thread::sleep(Duration::from_millis(1));
    }
    let last = &line[999];
    assert!(in_a_child(|| {
        let released = queue.stats().released;
        let is_told = !last.is_waiting();
        let blocking = queue.enqueue().unwrap().wait().map(drop) == Err(Closed);
        // Slots that the parent has may be due meanwhile.
        std::thread::sleep(Duration::from_millis(100));
        let driven = queue.advance().released == 0;
        let tried = queue.try_acquire().is_err();
        is_told && blocking && driven && tried && queue.stats().released == released
    }));
    assert!(last.is_waiting(), "the parent's own line is as it was");
}

#[test]
fn a_child_can_change_stop_and_drop_what_it_inherited_and_the_parent_goes_on() {
    let (queue, limit) = start();
    queue.wait_turn().unwrap();
    let before = limit.stats().epoch;
    assert!(in_a_child(|| {
        queue.set_rate(Rate::per_second(1).unwrap());
        queue.hold_for(Duration::from_secs(3600)).unwrap();
        queue.resume();
        let _ = (queue.charge(3), queue.rate(), limit.stats());
        queue.stop(Stop::Now);
        drop((queue.clone(), limit.clone()));
        queue.is_closed()
    }));
    queue.wait_turn().unwrap();
    assert_eq!(queue.rate(), Rate::per_second(100).unwrap());
    assert_eq!(limit.stats().epoch, before, "the backend was told nothing");
}

#[test]
fn a_child_can_start_a_queue_with_a_limit_that_it_inherited() {
    // Which no thread of the parent is just asking, as the child would find it in the middle of that.
    let limit = InProcess::new().limit("limit");
    assert!(in_a_child(|| {
        let builder = ApiQueue::builder().per_second(100).shared(limit.clone());
        let own = builder.start().unwrap();
        (0..3).all(|_| own.wait_turn().is_ok())
    }));
}

#[test]
fn a_child_is_told_its_own_news_whatever_the_parent_was_being_told() {
    let parent = std::process::id();
    let (began, begins) = channel();
    let (told, is_told) = channel();
    let began = Mutex::new(began);
    let told = Mutex::new(told);
    let limit = InProcess::new().limit("limit").on_news(move |_| {
        if std::process::id() == parent {
            began.lock().unwrap().send(()).unwrap();
            loop {
                std::thread::park();
            }
        }
        told.lock().unwrap().send(()).unwrap();
    });
    let start = || {
        let builder = ApiQueue::builder().per_second(100).shared(limit.clone());
        let queue = builder.start().unwrap();
        // Which a fleet can't keep to: that is news.
        queue.set_rate(Rate::per_second(50).unwrap().strict());
        queue
    };
    let _queue = start();
    begins.recv().unwrap();
    assert!(in_a_child(|| {
        let _own = start();
        is_told.recv_timeout(Duration::from_secs(10)).is_ok()
    }));
}
