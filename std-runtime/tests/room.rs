//! Waiting for room in a full line: in order, on threads and tasks, and given up without harm.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Closed, EnqueueError, Stop, WaitError, Waiter};
use futures_lite::future::block_on;

/// A queue of `capacity` places, driven by hand on a clock that stands until it is moved.
fn by_hand(capacity: usize) -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .every(Duration::from_nanos(100))
        .capacity(capacity)
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    assert!(queue.try_acquire().is_ok());
    (queue, clock)
}

fn release(queue: &ApiQueue, clock: &ManualClock<u64>) {
    clock.advance(100);
    assert_eq!(queue.advance().released, 1);
}

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn whoever_waits_for_room_gets_a_place_in_the_order_of_coming() {
    let (queue, clock) = by_hand(2);
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    let mut first = pin!(queue.enqueue_async());
    let mut second = pin!(queue.enqueue_async());
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(queue.stats().without_place, 2);
    release(&queue, &clock);
    assert!(poll(second.as_mut()).is_pending());
    let Poll::Ready(Ok(third_in_line)) = poll(first.as_mut()) else {
        panic!("a place is free");
    };
    assert_eq!(third_in_line.position(), Some(1));
    release(&queue, &clock);
    assert!(poll(second.as_mut()).is_ready());
    drop(line);
}

#[test]
fn nobody_slips_in_before_those_who_wait_for_room() {
    let (queue, clock) = by_hand(1);
    let _in_line = queue.enqueue().unwrap();
    let mut guest = pin!(queue.enqueue_async());
    assert!(poll(guest.as_mut()).is_pending());
    release(&queue, &clock);
    assert!(matches!(
        queue.enqueue(),
        Err(EnqueueError::Full { capacity: 1 })
    ));
    assert!(matches!(poll(guest.as_mut()), Poll::Ready(Ok(_))));
}

#[test]
fn a_waiter_that_leaves_makes_room() {
    let (queue, _clock) = by_hand(1);
    let in_line = queue.enqueue().unwrap();
    let mut guest = pin!(queue.enqueue_async());
    assert!(poll(guest.as_mut()).is_pending());
    drop(in_line);
    assert!(matches!(poll(guest.as_mut()), Poll::Ready(Ok(_))));
}

#[test]
fn a_guest_that_leaves_costs_nobody_a_place() {
    let (queue, clock) = by_hand(1);
    let _in_line = queue.enqueue().unwrap();
    let mut leaves_early = Box::pin(queue.enqueue_async());
    let mut leaves_late = Box::pin(queue.enqueue_async());
    let mut stays = pin!(queue.enqueue_async());
    assert!(poll(leaves_early.as_mut()).is_pending());
    assert!(poll(leaves_late.as_mut()).is_pending());
    assert!(poll(stays.as_mut()).is_pending());
    drop(leaves_early);
    release(&queue, &clock);
    drop(leaves_late); // with a place that it was handed and never saw
    assert!(matches!(poll(stays.as_mut()), Poll::Ready(Ok(_))));
    assert_eq!(queue.stats().without_place, 0);
}

#[test]
fn stopping_tells_those_who_wait_for_room() {
    for how in [
        Stop::Now,
        Stop::Drain {
            timeout: Duration::ZERO,
        },
    ] {
        let (queue, _clock) = by_hand(1);
        let _in_line = queue.enqueue().unwrap();
        let mut guest = pin!(queue.enqueue_async());
        assert!(poll(guest.as_mut()).is_pending());
        queue.stop(how);
        assert!(matches!(poll(guest.as_mut()), Poll::Ready(Err(Closed))));
        assert!(matches!(queue.enqueue_wait(), Err(Closed)));
        assert!(matches!(queue.enqueue(), Err(EnqueueError::Closed)));
    }
}

#[test]
fn a_wait_for_room_ends_with_its_time() {
    let (queue, _clock) = by_hand(1);
    let _in_line = queue.enqueue().unwrap();
    let timeout = Duration::from_millis(1);
    assert!(matches!(
        queue.enqueue_wait_timeout(timeout),
        Err(WaitError::TimedOut { timeout: told }) if told == timeout
    ));
    assert_eq!(queue.stats().without_place, 0);
    assert_eq!(queue.stats().refused, 1);
}

#[test]
fn a_future_polled_after_its_end_says_closed() {
    let (queue, _clock) = by_hand(2);
    let mut future = pin!(queue.enqueue_async());
    assert!(matches!(poll(future.as_mut()), Poll::Ready(Ok(_))));
    assert!(matches!(poll(future.as_mut()), Poll::Ready(Err(Closed))));
}

/// Threads and tasks on a line of 2, on the real driver: all get through, each once, and nothing hangs.
#[test]
fn many_more_than_there_is_room_for_all_get_through() {
    const EACH: usize = 40;
    let queue = ApiQueue::builder()
        .per_second(5_000)
        .capacity(2)
        .start()
        .unwrap();
    let through = Mutex::new(0);
    let pass = |waiter: Waiter| {
        waiter.wait().unwrap();
        *through.lock().unwrap() += 1;
    };
    thread::scope(|scope| {
        for n in 0..8 {
            let (queue, pass) = (&queue, &pass);
            scope.spawn(move || {
                for _ in 0..EACH {
                    if n % 2 == 0 {
                        pass(queue.enqueue_wait().unwrap());
                    } else {
                        pass(block_on(queue.enqueue_async()).unwrap());
                    }
                }
            });
        }
    });
    assert_eq!(*through.lock().unwrap(), 8 * EACH);
    let stats = queue.stats();
    assert_eq!((stats.released, stats.depth), (8 * EACH as u64, 0));
}

/// A waker that comes back to the queue from inside the hand-over must not wait for itself.
#[test]
fn a_waker_may_wait_for_room_itself() {
    struct Reenter(ApiQueue, Mutex<Option<apiqueue::Enqueue>>);
    impl std::task::Wake for Reenter {
        fn wake(self: Arc<Self>) {
            *self.1.lock().unwrap() = Some(self.0.enqueue_async());
        }
    }
    let (queue, clock) = by_hand(1);
    let _in_line = queue.enqueue().unwrap();
    let reenter = Arc::new(Reenter(queue.clone(), Mutex::new(None)));
    let mut guest = pin!(queue.enqueue_async());
    let waker = Waker::from(Arc::clone(&reenter));
    assert!(
        guest
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    release(&queue, &clock);
    assert!(matches!(poll(guest.as_mut()), Poll::Ready(Ok(_))));
    assert!(reenter.1.lock().unwrap().take().is_some());
}

/// A permit that is free belongs to those who wait, for a place too: also in the moment between a release and the place that it
/// makes free, in which a waker runs.
#[test]
fn try_acquire_does_not_slip_in_before_those_who_wait_for_room() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    struct Tries(ApiQueue, AtomicBool);
    impl Wake for Tries {
        fn wake(self: Arc<Self>) {
            self.1.store(self.0.try_acquire().is_ok(), Ordering::SeqCst);
        }
    }
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .every(Duration::from_nanos(100))
        .burst(2)
        .capacity(1)
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    queue.try_acquire().unwrap();
    queue.try_acquire().unwrap();
    let tries = Arc::new(Tries(queue.clone(), AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&tries));
    let mut first = pin!(queue.enqueue().unwrap());
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let mut second = pin!(queue.enqueue_async());
    assert!(poll(second.as_mut()).is_pending());
    clock.advance(200);
    let _ = queue.advance();
    assert!(!tries.1.load(Ordering::SeqCst));
    let Poll::Ready(Ok(second)) = poll(second.as_mut()) else {
        panic!("a place is free");
    };
    let _ = queue.advance();
    assert!(!second.is_waiting());
}
