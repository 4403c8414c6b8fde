//! Queues whose permits come from elsewhere: nothing passes but by a grant, each grant counts once, and what is not used
//! comes back.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use apiqueue::{ApiQueue, Next, Rate, Stop, TryAcquireError};

fn granted(capacity: usize) -> ApiQueue {
    ApiQueue::builder()
        .per_second(1_000_000_000)
        .capacity(capacity)
        .granted()
        .start()
        .unwrap()
}

#[derive(Default)]
struct Rings(AtomicUsize);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn nothing_passes_without_a_grant_whatever_is_done_to_rate_and_hold() {
    let queue = granted(4);
    let waiter = queue.enqueue().unwrap();
    queue.resume();
    queue.set_rate(
        Rate::per_second(1_000_000_000)
            .unwrap()
            .burst(1_000)
            .unwrap(),
    );
    queue.hold_for(Duration::from_nanos(1)).unwrap();
    queue.resume();
    thread::sleep(Duration::from_millis(2));
    assert_eq!(queue.advance().released, 0);
    assert!(waiter.is_waiting());
    drop(waiter);
    assert_eq!(
        queue.try_acquire().map(drop),
        Err(TryAcquireError::NotYet { at: None })
    );
    assert_eq!(queue.grant(1), 0, "nobody is in line");
}

#[test]
fn grants_go_to_those_in_line_in_order_and_pass_over_who_has_left() {
    let queue = granted(8);
    let mut line: Vec<_> = (0..5).map(|_| queue.enqueue().unwrap()).collect();
    drop(line.remove(0));
    drop(line.remove(1));
    assert_eq!(queue.grant(2), 2);
    let waiting: Vec<_> = line.iter().map(|waiter| waiter.is_waiting()).collect();
    assert_eq!(waiting, [false, false, true]);
    assert_eq!(queue.stats().released, 2);
}

#[test]
fn a_grant_that_nobody_saw_comes_back_once_and_tells_the_giver() {
    let queue = granted(4);
    let rings = Arc::new(Rings::default());
    let waker = Waker::from(Arc::clone(&rings));
    assert_eq!(queue.advance_with(&waker).next, Next::OnEnqueue);
    let waiter = queue.enqueue().unwrap();
    assert_eq!(rings.0.load(Ordering::SeqCst), 1);
    let _ = queue.advance_with(&waker);
    assert_eq!(queue.grant(1), 1);
    drop(waiter);
    assert_eq!(rings.0.load(Ordering::SeqCst), 2);
    assert_eq!(queue.take_returned(), 1);
    assert_eq!(queue.take_returned(), 0);
    assert_eq!(queue.stats().cancelled, 1);
}

#[test]
fn a_guest_without_a_place_gets_one_when_a_grant_makes_room() {
    let queue = granted(1);
    let first = queue.enqueue().unwrap();
    thread::scope(|scope| {
        let guest = scope.spawn(|| queue.enqueue_wait().unwrap().wait().map(drop));
        while queue.stats().without_place == 0 {
            thread::yield_now();
        }
        assert_eq!(queue.grant(2), 1, "the guest has no place yet");
        while queue.grant(1) == 0 {
            thread::yield_now();
        }
        assert_eq!(guest.join().unwrap(), Ok(()));
    });
    first.wait().unwrap();
}

#[test]
fn a_drain_ends_when_the_giver_has_granted_to_the_last() {
    let queue = granted(4);
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    thread::scope(|scope| {
        let stop = scope.spawn(|| {
            queue.stop(Stop::Drain {
                timeout: Duration::from_secs(60),
            })
        });
        while !queue.is_closed() {
            thread::yield_now();
        }
        assert_eq!(queue.grant(5), 2);
        assert_eq!(queue.advance_with(Waker::noop()).next, Next::Closed);
        assert_eq!(stop.join().unwrap().released, 2);
    });
    drop(line);
}

#[test]
fn grants_add_up_while_others_enqueue_leave_and_change_the_rate() {
    const GRANTS: usize = 2_000;
    let queue = granted(1024);
    let over = AtomicBool::new(false);
    let (mut used, mut returned) = (0, 0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let waiters = [queue.enqueue(), queue.enqueue(), queue.enqueue()];
                    queue.set_rate(Rate::per_second(1000).unwrap());
                    thread::yield_now();
                    drop(waiters);
                }
            });
        }
        while used < GRANTS {
            used += queue.grant(1);
            returned += queue.take_returned();
        }
        over.store(true, Ordering::SeqCst);
    });
    returned += queue.take_returned();
    assert_eq!(queue.stats().released, (used - returned) as u64);
}
