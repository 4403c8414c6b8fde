//! What a wait costs: no allocation, few polls.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apiqueue::{ApiQueue, Rate};
use futures_lite::future::{block_on, poll_fn};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands every call on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same, and `alloc` took it from there.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

static TURN: Mutex<()> = Mutex::new(());

#[test]
fn waits_allocate_nothing_on_any_thread_after_the_first() {
    let _turn = TURN.lock().unwrap();
    let queue = ApiQueue::builder().per_second(2000).start().unwrap();
    let round = || {
        for _ in 0..50 {
            queue.enqueue().unwrap().wait().unwrap();
            block_on(queue.enqueue().unwrap()).unwrap();
            let _ = queue
                .enqueue()
                .unwrap()
                .wait_timeout(Duration::from_micros(10));
        }
    };
    round();
    // The test harness has threads of its own, which may allocate now and then: what the waits do, they do each time.
    let rounds = (0..20).map(|_| {
        let before = ALLOCATIONS.load(Ordering::SeqCst);
        round();
        ALLOCATIONS.load(Ordering::SeqCst) - before
    });
    assert_eq!(rounds.min(), Some(0));
}

#[test]
fn an_awaited_waiter_is_polled_twice_at_most() {
    let _turn = TURN.lock().unwrap();
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let mut waiters: Vec<_> = (0..50).map(|_| queue.enqueue().unwrap()).collect();
    queue.set_rate(Rate::per_second(1000).unwrap());
    for waiter in &mut waiters {
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            Pin::new(&mut *waiter).poll(cx)
        }))
        .unwrap();
        assert!(polls <= 2, "{polls} polls");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_blocked_wait_takes_three_voluntary_switches_at_most() {
    let _turn = TURN.lock().unwrap();
    let switches = || -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    };
    let queue = ApiQueue::builder().per_second(500).start().unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let before = switches();
    for _ in 0..50 {
        queue.enqueue().unwrap().wait().unwrap();
    }
    let each = (switches() - before) as f64 / 50.0;
    assert!(each <= 3.0, "{each} a wait");
}
