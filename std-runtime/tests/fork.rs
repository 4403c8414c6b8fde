//! A forked child has its parent's queues but not their driver: it is told so, and never hangs.
#![cfg(unix)]
#![allow(clippy::unwrap_used, unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apiqueue::{Account, ApiQueue, Closed, Rate, StartError, Stop, StopReport, WaitError};
use futures_lite::future::block_on;

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

#[test]
fn a_forked_child_is_told_closed_where_it_would_have_to_wait_for_the_driver() {
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let mut inherited = queue.enqueue().unwrap();
    assert!(in_a_child(|| {
        let status = !inherited.is_waiting() && inherited.try_wait().is_err();
        let blocking = queue.enqueue().unwrap().wait().map(drop) == Err(Closed);
        let awaited = block_on(queue.enqueue().unwrap()).map(drop) == Err(Closed);
        let limited = queue
            .enqueue()
            .unwrap()
            .wait_timeout(Duration::from_secs(60))
            .is_err();
        drop(queue.clone());
        status && blocking && awaited && limited
    }));
    assert!(inherited.is_waiting(), "the parent's own line is as it was");
    assert_eq!(queue.len(), 1);
}

#[test]
fn a_forked_child_that_waits_for_room_is_told_closed() {
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .capacity(1)
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let _in_line = queue.enqueue().unwrap();
    assert!(in_a_child(
        || queue.enqueue_wait().is_err() && block_on(queue.enqueue_async()).is_err()
    ));
}

#[test]
fn a_forked_child_can_stop_what_it_inherited() {
    let queue = ApiQueue::builder()
        .every(Duration::from_millis(5))
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    queue.hold_for(Duration::from_secs(1)).unwrap();
    let _line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    assert!(in_a_child(|| {
        queue.resume();
        let timeout = Duration::from_secs(10);
        queue.stop(Stop::Drain { timeout })
            == StopReport {
                released: 2,
                abandoned: 0,
                ..StopReport::default()
            }
    }));
    assert!(!queue.is_closed());
}

#[test]
fn a_forked_child_can_start_queues_of_its_own() {
    let _parents = ApiQueue::builder().per_second(1).start().unwrap();
    assert!(in_a_child(|| {
        let queue = ApiQueue::builder().per_second(1000).start().unwrap();
        (0..5).all(|_| queue.enqueue().unwrap().wait().is_ok())
    }));
}

#[test]
fn a_child_forked_while_other_threads_start_queues_can_start_its_own() {
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Each of these is the only queue for the moment, or not: the driver's thread comes and goes.
            while !end.load(Ordering::Relaxed) {
                drop(ApiQueue::builder().per_second(1).start().unwrap());
            }
        });
        let all = (0..40).all(|_| {
            in_a_child(|| {
                let queue = ApiQueue::builder().per_second(1000).start().unwrap();
                (0..2).all(|_| queue.enqueue().unwrap().wait().is_ok())
            })
        });
        end.store(true, Ordering::Relaxed);
        assert!(all);
    });
}

/// Whatever the parent's other threads were in the middle of.
#[test]
fn a_forked_child_never_waits_for_what_other_threads_held() {
    let full = ApiQueue::builder()
        .every(Duration::from_secs(3600))
        .capacity(1)
        .start()
        .unwrap();
    full.wait_turn().unwrap();
    let _in_line = full.enqueue().unwrap();
    let fast = ApiQueue::builder().per_second(100_000).start().unwrap();
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    let _ = full.wait_turn_timeout(Duration::ZERO);
                }
            });
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    fast.wait_turn().unwrap();
                    let _ = fast.stats();
                }
            });
        }
        let timeout = Duration::from_millis(10);
        let calls: [(&str, &dyn Fn() -> bool); 6] = [
            ("wait_turn", &|| full.wait_turn().map(drop) == Err(Closed)),
            ("wait_turn_timeout", &|| {
                full.wait_turn_timeout(timeout).map(drop) == Err(WaitError::Closed)
            }),
            ("turn", &|| block_on(full.turn()).map(drop) == Err(Closed)),
            ("stats", &|| {
                full.stats().capacity == 1 && fast.stats().capacity > 1
            }),
            ("advance", &|| {
                let waiter = fast.enqueue();
                let _ = fast.advance();
                waiter.is_ok()
            }),
            ("stop", &|| {
                let _ = full.stop(Stop::Now);
                fast.stop(Stop::Drain { timeout }).abandoned <= 2
            }),
        ];
        let hung = calls
            .iter()
            .find(|(_, call)| !(0..25).all(|_| in_a_child(call)));
        end.store(true, Ordering::Relaxed);
        assert_eq!(hung.map(|(name, _)| name), None);
    });
}

#[test]
fn a_forked_child_is_refused_what_would_be_driven_with_its_parents_account() {
    let rate = Rate::every(Duration::from_millis(1)).unwrap();
    let hour = Rate::every(Duration::from_secs(3600)).unwrap();
    let account = Account::builder().limit(hour).start().unwrap();
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    queue.wait_turn().unwrap();
    assert!(in_a_child(|| {
        let member = ApiQueue::builder().within(&account).start();
        let inner = Account::builder().within(&account).start();
        let refused = [member.map(drop), inner.map(drop)]
            .iter()
            .all(|refused| matches!(refused, Err(StartError::Forked)));
        account.set_rate(0, hour).unwrap();
        account.hold_for(Duration::from_secs(1)).unwrap();
        account.resume();
        let _ = (account.advance(), account.stats(), account.to_string());
        let own = Account::builder().limit(rate).start().unwrap();
        let own = ApiQueue::builder().within(&own).start().unwrap();
        refused && (0..5).all(|_| own.wait_turn().is_ok()) && queue.wait_turn().is_err()
    }));
}
