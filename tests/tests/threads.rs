//! Real threads on one queue, with a clock that one of them moves.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use apiqueue_core::{Clock, EnqueueError, ManualClock, Next, Queue, Rate, Status};
use apiqueue_tests::wakes::Wakes;

type Line<'c, const N: usize> = Queue<&'c ManualClock<u64>, N>;

const INTERVAL: u64 = 10;

fn queue<const N: usize>(clock: &ManualClock<u64>) -> Line<'_, N> {
    Queue::new(clock, Rate::<u64>::every(INTERVAL).unwrap())
}

fn bound(end: u64) -> usize {
    usize::try_from(1 + end / INTERVAL).unwrap()
}

/// Drives until told to stop; how many it released.
fn drive<const N: usize>(queue: &Line<'_, N>, stop: &AtomicBool) -> usize {
    let mut released = 0;
    while !stop.load(Ordering::SeqCst) {
        released += queue.advance().released;
        thread::yield_now();
    }
    released
}

fn tick(clock: &ManualClock<u64>, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        clock.advance(3);
        thread::yield_now();
    }
}

#[test]
fn every_waiter_of_many_threads_ends_released_or_cancelled_and_never_too_fast() {
    const THREADS: usize = 3;
    const EACH: usize = 300;
    let clock = ManualClock::<u64>::new(0);
    let queue: Line<'_, 8> = queue(&clock);
    let (stop, left) = (AtomicBool::new(false), AtomicUsize::new(THREADS));
    let (passed, cancelled) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let released: usize = thread::scope(|scope| {
        for thread in 0..THREADS {
            let (queue, stop, left, passed, cancelled) =
                (&queue, &stop, &left, &passed, &cancelled);
            scope.spawn(move || {
                for turn in 0..EACH {
                    let waiter = loop {
                        match queue.enqueue() {
                            Ok(waiter) => break waiter,
                            Err(EnqueueError::Full { .. }) => thread::yield_now(),
                            Err(error) => panic!("{error}"),
                        }
                    };
                    if (turn + thread) % 3 == 0 {
                        thread::yield_now();
                        drop(waiter);
                        cancelled.fetch_add(1, Ordering::SeqCst);
                        continue;
                    }
                    while waiter.is_waiting() {
                        thread::yield_now();
                    }
                    assert_eq!(waiter.status(), Status::Released);
                    passed.fetch_add(1, Ordering::SeqCst);
                }
                if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    stop.store(true, Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| tick(&clock, &stop));
        let drivers = [(); 2].map(|()| scope.spawn(|| drive(&queue, &stop)));
        drivers.map(|driver| driver.join().unwrap()).iter().sum()
    });
    let (passed, cancelled) = (passed.into_inner(), cancelled.into_inner());
    assert_eq!(passed + cancelled, THREADS * EACH);
    assert!(passed <= released && released <= passed + cancelled);
    assert!(passed <= bound(clock.now()));
}

#[test]
fn waiters_of_one_thread_are_released_and_woken_in_order_by_many_drivers() {
    const ALL: usize = 400;
    let clock = ManualClock::<u64>::new(0);
    let queue: Line<'_, 16> = queue(&clock);
    let (stop, wakes) = (AtomicBool::new(false), Wakes::default());
    thread::scope(|scope| {
        scope.spawn(|| tick(&clock, &stop));
        for _ in 0..2 {
            scope.spawn(|| drive(&queue, &stop));
        }
        let mut line = std::collections::VecDeque::new();
        let (mut next, mut woken) = (0, Vec::new());
        let mut pending = 0;
        while next < ALL || !line.is_empty() {
            if next < ALL
                && let Ok(waiter) = queue.enqueue()
            {
                pending += usize::from(waiter.poll_release(&wakes.waker(next)).is_pending());
                line.push_back(waiter);
                next += 1;
            }
            // Looked at from the back: whoever is released has nobody waiting ahead.
            let last = line.iter().rposition(|waiter| !waiter.is_waiting());
            if let Some(last) = last {
                assert!(line.drain(..=last).all(|w| w.status() == Status::Released));
            }
            woken.extend(wakes.take());
            thread::yield_now();
        }
        while woken.len() < pending {
            woken.extend(wakes.take());
            thread::yield_now();
        }
        stop.store(true, Ordering::SeqCst);
        woken.sort_unstable();
        let all = woken.len();
        woken.dedup();
        assert_eq!(woken.len(), all, "somebody was woken twice");
    });
    assert!(ALL <= bound(clock.now()));
}

#[test]
fn a_close_among_many_threads_leaves_nobody_waiting() {
    for round in 0..30 {
        let clock = ManualClock::<u64>::new(0);
        let queue: Line<'_, 4> = queue(&clock);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| drive(&queue, &stop));
            scope.spawn(|| tick(&clock, &stop));
            let threads = [(); 3].map(|()| {
                scope.spawn(|| {
                    let wakes = Wakes::default();
                    loop {
                        match queue.enqueue() {
                            Err(EnqueueError::Closed) => return,
                            Err(_) => thread::yield_now(),
                            Ok(waiter) => {
                                let poll = waiter.poll_release(&wakes.waker(0));
                                // Woken, or told: nobody may wait in vain.
                                while poll.is_pending() && wakes.take().is_empty() {
                                    thread::yield_now();
                                }
                                assert_ne!(waiter.status(), Status::Waiting);
                            }
                        }
                    }
                })
            });
            for _ in 0..round {
                thread::yield_now();
            }
            queue.close();
            for thread in threads {
                thread.join().unwrap();
            }
            stop.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn a_sleeping_driver_misses_no_enqueue() {
    const ALL: usize = 300;
    let clock = ManualClock::<u64>::new(0);
    let queue: Line<'_, 4> = queue(&clock);
    let (stop, wakes) = (AtomicBool::new(false), Wakes::default());
    let sleeps = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                match queue.advance_with(&wakes.waker(0)).next {
                    Next::At(at) => clock.set(at),
                    Next::Closed => return,
                    Next::OnEnqueue => {
                        sleeps.fetch_add(1, Ordering::SeqCst);
                        while wakes.take().is_empty() && !stop.load(Ordering::SeqCst) {
                            thread::yield_now();
                        }
                    }
                }
            }
        });
        for _ in 0..ALL {
            let waiter = queue.enqueue().unwrap();
            while waiter.is_waiting() {
                thread::yield_now();
            }
        }
        queue.close();
        stop.store(true, Ordering::SeqCst);
    });
    assert!(sleeps.into_inner() > 0);
}
