//! The ways to wait, and the order in which waiters are released.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Rate, WaitError};
use futures_lite::future::{self, block_on};

/// For how long lateness is made up unless told otherwise.
const CATCH_UP: Duration = Duration::from_millis(10);

fn every(ms: u64) -> ApiQueue {
    ApiQueue::builder()
        .every(Duration::from_millis(ms))
        .start()
        .unwrap()
}

#[test]
fn ten_blocking_waiters_at_50_ms_take_at_least_nine_intervals() {
    let queue = every(50);
    let start = Instant::now();
    let waiters: Vec<_> = (0..10).map(|_| queue.enqueue().unwrap()).collect();
    for waiter in waiters {
        waiter.wait().unwrap();
    }
    // What was made up for lateness is at most the slack.
    assert!(start.elapsed() >= Duration::from_millis(9 * 50) - CATCH_UP);
}

#[test]
fn a_hundred_awaited_waiters_at_10_ms_take_at_least_99_intervals_and_keep_their_order() {
    let queue = every(10);
    let order = Mutex::new(Vec::new());
    let start = Instant::now();
    block_on(async {
        let mut all: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
        for n in 0..100 {
            let waiter = queue.enqueue().unwrap();
            let order = &order;
            all.push(Box::pin(async move {
                waiter.await.unwrap();
                order.lock().unwrap().push(n);
            }));
        }
        while !all.is_empty() {
            future::poll_fn(|cx| {
                all.retain_mut(|one| one.as_mut().poll(cx).is_pending());
                if all.is_empty() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    });
    assert!(start.elapsed() >= Duration::from_millis(99 * 10) - CATCH_UP);
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_faster_rate_shortens_the_run_of_those_already_queued() {
    let queue = every(60_000);
    let waiters: Vec<_> = (0..50).map(|_| queue.enqueue().unwrap()).collect();
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(100));
            queue.set_rate(Rate::every(Duration::from_millis(2)).unwrap());
        });
        for waiter in waiters {
            waiter.wait().unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(100 + 48 * 2));
        assert!(start.elapsed() < Duration::from_secs(50 * 60));
    });
}

#[test]
fn two_hundred_threads_are_released_in_the_order_in_which_they_enqueued() {
    let queue = every(1);
    let start = Instant::now();
    queue.hold_for(Duration::from_millis(200)).unwrap();
    let threads: Vec<_> = (0..200u32)
        .map(|n| {
            let waiter = queue.enqueue().unwrap();
            let queue = queue.clone();
            thread::spawn(move || {
                waiter.wait().unwrap();
                (n, Instant::now(), queue.len())
            })
        })
        .collect();
    for thread in threads {
        let (n, at, behind) = thread.join().unwrap();
        // Everybody up to n has been released by now, or somebody was overtaken.
        assert!(
            behind <= 199 - n as usize,
            "{behind} were in line after the release of {n}"
        );
        let due = Duration::from_millis(200 + u64::from(n)) - CATCH_UP;
        assert!(at >= start + due, "{n} came early");
    }
}

#[test]
fn blocking_and_async_waiters_stand_in_one_line() {
    let queue = every(5);
    let waiters: Vec<_> = (0..10).map(|_| queue.enqueue().unwrap()).collect();
    let mut waiters: VecDeque<_> = waiters.into();
    for n in 0..10 {
        let waiter = waiters.pop_front().unwrap();
        if n % 2 == 0 {
            waiter.wait().unwrap();
        } else {
            block_on(waiter).unwrap();
        }
        // From the last to the first: whoever is looked at after one that was released must be released too.
        let waiting: Vec<_> = waiters
            .iter()
            .rev()
            .map(|waiter| waiter.is_waiting())
            .collect();
        assert!(
            waiting.is_sorted_by(|later, earlier| later >= earlier),
            "{waiting:?}"
        );
    }
}

#[test]
fn a_waiter_that_is_polled_by_hand_sees_its_release() {
    let queue = every(5);
    let _first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    while second.is_waiting() {
        thread::yield_now();
    }
    second.wait().unwrap();
}

#[test]
fn a_free_permit_is_had_at_once_on_the_callers_own_thread() {
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(60))
        .burst(100)
        .start()
        .unwrap();
    for _ in 0..100 {
        let waiter = queue.enqueue().unwrap();
        assert!(!waiter.is_waiting());
        waiter.wait().unwrap();
    }
    assert!(queue.enqueue().unwrap().is_waiting());
}

#[test]
fn waiters_that_leave_cost_nobody_a_turn() {
    let queue = every(60_000);
    queue.enqueue().unwrap().wait().unwrap();
    let mut waiters: Vec<_> = (0..101).map(|_| queue.enqueue().unwrap()).collect();
    let mut last = waiters.pop().unwrap();
    drop(waiters);
    queue.set_rate(Rate::every(Duration::from_secs(1)).unwrap());
    // A turn each would be 100 s.
    last.wait_timeout(Duration::from_secs(60)).unwrap();
}

#[test]
fn a_permit_that_nobody_looked_at_goes_to_the_next_one() {
    let queue = every(60_000);
    let unseen = queue.enqueue().unwrap();
    let mut next = queue.enqueue().unwrap();
    drop(unseen);
    next.wait_timeout(Duration::from_secs(30)).unwrap();
}

#[test]
fn a_wait_that_times_out_gives_its_place_up() {
    let queue = every(60_000);
    queue.enqueue().unwrap().wait().unwrap();
    let timeout = Duration::from_millis(20);
    let mut impatient = queue.enqueue().unwrap();
    let patient = queue.enqueue().unwrap();
    let start = Instant::now();
    assert_eq!(
        impatient.wait_timeout(timeout).map(drop),
        Err(WaitError::TimedOut { timeout })
    );
    assert!(start.elapsed() >= timeout);
    queue.set_rate(Rate::every(Duration::from_millis(1)).unwrap());
    patient.wait().unwrap();
    assert!(queue.is_empty());
}

#[test]
fn a_wait_of_no_time_takes_a_release_that_is_there() {
    let queue = every(60_000);
    queue
        .enqueue()
        .unwrap()
        .wait_timeout(Duration::ZERO)
        .unwrap();
    queue
        .enqueue()
        .unwrap()
        .wait_timeout(Duration::ZERO)
        .unwrap_err();
}

#[test]
fn a_thousand_async_waiters_are_released_in_order() {
    let queue = ApiQueue::builder().per_second(2000).start().unwrap();
    let mut waiters: Vec<_> = (0..1000).map(|n| (n, queue.enqueue().unwrap())).collect();
    let mut order = Vec::new();
    block_on(future::poll_fn(|cx| {
        // Looked at from the last to the first: one that is found released with an earlier one still waiting after it
        // was released before its turn.
        let mut round = Vec::new();
        for at in (0..waiters.len()).rev() {
            if let Poll::Ready(outcome) = Pin::new(&mut waiters[at].1).poll(cx) {
                outcome.unwrap();
                round.push(waiters.remove(at).0);
            }
        }
        order.extend(round.into_iter().rev());
        if waiters.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    assert_eq!(order, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_hold_delays_those_already_queued_and_resume_ends_it() {
    let queue = every(1);
    queue.hold_for(Duration::from_secs(3600)).unwrap();
    let waiter = queue.enqueue().unwrap();
    assert!(waiter.is_waiting());
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(30));
            queue.resume();
        });
        waiter.wait().unwrap();
        assert!(start.elapsed() >= Duration::from_millis(30));
    });
}

#[test]
fn a_hold_ends_by_itself() {
    let queue = every(1);
    let start = Instant::now();
    queue.hold_for(Duration::from_millis(40)).unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(40));
}

#[test]
fn try_acquire_never_overtakes_a_waiter() {
    let queue = every(60_000);
    queue.try_acquire().unwrap();
    assert!(matches!(
        queue.try_acquire().map(drop),
        Err(apiqueue::TryAcquireError::NotYet { at: Some(_) })
    ));
    let _waiter = queue.enqueue().unwrap();
    assert_eq!(
        queue.try_acquire().map(drop),
        Err(apiqueue::TryAcquireError::Queued)
    );
}

#[test]
fn no_wake_up_is_lost_between_enqueue_and_a_driver_going_to_sleep() {
    let queue = ApiQueue::builder()
        .every(Duration::from_micros(20))
        .start()
        .unwrap();
    thread::scope(|scope| {
        for n in 0..4u64 {
            let queue = &queue;
            scope.spawn(move || {
                for round in 0..1000 {
                    let mut waiter = queue.enqueue().unwrap();
                    if (round + n) % 5 == 0 {
                        drop(waiter);
                    } else if round % 2 == 0 {
                        waiter.wait_timeout(Duration::from_secs(60)).unwrap();
                    } else {
                        block_on(waiter).unwrap();
                    }
                    if round % 7 == 0 {
                        // Long enough for the driver to find nothing and lie down, or almost.
                        thread::sleep(Duration::from_micros(20 * (round % 5)));
                    }
                }
            });
        }
    });
    assert!(
        queue
            .enqueue()
            .unwrap()
            .wait_timeout(Duration::from_secs(60))
            .is_ok()
    );
}

#[test]
fn a_waiter_tells_where_it_stands_and_when_its_turn_will_come() {
    let queue = every(60_000);
    let before = Instant::now();
    queue.enqueue().unwrap().wait().unwrap();
    let waiters: Vec<_> = (0..3).map(|_| queue.enqueue().unwrap()).collect();
    for (n, waiter) in waiters.iter().enumerate() {
        assert_eq!(waiter.position(), Some(n));
        assert!(waiter.estimate().unwrap() >= before + Duration::from_secs(60) * (n as u32 + 1));
    }
}

#[test]
fn a_full_queue_says_so_at_once() {
    let queue = ApiQueue::builder()
        .every(Duration::from_secs(60))
        .capacity(3)
        .start()
        .unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let _four: Vec<_> = (0..4).map(|_| queue.enqueue().unwrap()).collect();
    let why = queue.enqueue().unwrap_err();
    assert_eq!(why.to_string(), "all 4 places of the queue are taken");
}
