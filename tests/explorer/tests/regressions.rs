//! Defects that an attack from outside found, each as the shortest story of it. Each test failed on the core as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{RawWaker, RawWakerVTable, Wake, Waker};

use apiqueue_core_stepped as core;
use core::stepped::with_hook;
use core::{
    Due, Inline, ManualClock, Next, Queue, QueueOver, Rate, Schedule, Single, Status, Weighted,
    WeightedQueue, Word,
};

type Line<const N: usize, K = Single> = QueueOver<&'static ManualClock<u32>, Inline<N>, K>;

fn strict(interval: u32, burst: u32) -> Rate<u32> {
    let rate = Rate::<u32>::every(interval).unwrap();
    rate.burst(burst).unwrap().strict()
}

fn clock() -> &'static ManualClock<u32> {
    Box::leak(Box::new(ManualClock::<u32>::new(1_000)))
}

fn plain<const N: usize>(rate: Rate<u32>) -> (&'static Line<N>, &'static ManualClock<u32>) {
    let clock = clock();
    (Box::leak(Box::new(Queue::new(clock, rate))), clock)
}

/// A queue of weights whose burst is used up.
fn weighted(rate: Rate<u32>) -> (&'static Line<4, Weighted>, &'static ManualClock<u32>) {
    let clock = clock();
    let queue: &Line<4, Weighted> = Box::leak(Box::new(WeightedQueue::new(clock, rate)));
    while queue.try_acquire().is_ok() {}
    (queue, clock)
}

fn taken<const N: usize>(queue: &Line<N>) -> usize {
    (0..2_000)
        .take_while(|_| queue.try_acquire().is_ok())
        .count()
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn driver() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (count.clone(), count.into())
}

/// Runs `operation` with `middle` before its atomic access number `at`. False when there is no such access.
fn interrupted(at: usize, middle: impl Fn() + 'static, operation: impl FnOnce()) -> bool {
    let hit: &'static Cell<bool> = Box::leak(Box::new(Cell::new(false)));
    let mut step = 0;
    let hook = move || {
        if step == at {
            hit.set(true);
            middle();
        }
        step += 1;
    };
    with_hook(hook, operation);
    hit.get()
}

/// Calls `story` with each step of an operation, until it says that there was no such step.
fn at_every_step(story: impl Fn(usize) -> bool) {
    let steps = (0..).take_while(|&at| story(at)).count();
    assert!(steps > 3, "{steps} steps");
}

#[test]
fn a_heavy_waiter_that_leaves_lets_the_light_one_behind_it_go_in_time() {
    let (queue, clock) = weighted(strict(10, 50));
    let (heavy, light) = (
        queue.enqueue_weighted(50).unwrap(),
        queue.enqueue().unwrap(),
    );
    let (woken, waker) = driver();
    assert_eq!(queue.advance_with(&waker).next, Next::At(1_500));
    drop(heavy);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "asleep until 1500");
    clock.set(1_010);
    assert_eq!(queue.advance().released, 1);
    assert_eq!(light.status(), Status::Released);
}

#[test]
fn a_smaller_burst_lets_a_heavy_head_go_in_time() {
    let (queue, _) = weighted(strict(10, 50));
    let _heavy = queue.enqueue_weighted(50).unwrap();
    let (woken, waker) = driver();
    assert_eq!(queue.advance_with(&waker).next, Next::At(1_500));
    queue.set_rate(strict(10, 2));
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "asleep until 1500");
}

#[test]
fn a_rate_that_is_half_set_is_seen_by_nobody() {
    at_every_step(|at| {
        let (queue, _) = plain::<4>(strict(1_000, 10));
        let all: &'static Cell<usize> = Box::leak(Box::new(Cell::new(0)));
        let handler = move || all.set(taken(queue));
        let hit = interrupted(at, handler, || queue.set_rate(strict(10, 1)));
        assert!(all.get() <= 10, "step {at}: {} at one reading", all.get());
        hit
    });
}

#[test]
fn a_ring_of_one_makes_no_ghosts() {
    at_every_step(|at| {
        let (queue, clock) = plain::<1>(strict(100, 1));
        assert!(queue.try_acquire().is_ok());
        let _first = queue.enqueue().unwrap();
        clock.advance(100);
        let handler = move || {
            for _ in 0..50 {
                drop(queue.enqueue());
            }
        };
        let hit = interrupted(at, handler, || {
            let _ = queue.advance();
        });
        let _ = queue.advance();
        let next = queue.enqueue().unwrap();
        clock.advance(100);
        let _ = queue.advance();
        assert_eq!(next.status(), Status::Released, "step {at}");
        hit
    });
}

#[test]
fn one_reading_far_ahead_admits_nobody_early() {
    for ahead in [u32::MAX_SPAN + 1, u32::MAX_SPAN + 1_000, u32::MAX_SPAN * 2] {
        let (queue, clock) = plain::<4>(strict(100, 1));
        assert_eq!(taken(queue), 1);
        clock.set(1_000 + ahead);
        let _ = queue.advance();
        clock.set(1_001);
        assert_eq!(taken(queue), 0, "for once {ahead} ahead");
    }
}

#[test]
fn a_rate_made_fast_again_wakes_a_driver_that_slept_by_a_slow_one() {
    at_every_step(|at| {
        let (queue, _) = plain::<4>(strict(10, 1));
        assert_eq!(taken(queue), 1);
        let _waiter = queue.enqueue().unwrap();
        let (woken, waker) = driver();
        let until: &'static Cell<u32> = Box::leak(Box::new(Cell::new(0)));
        let before: &'static Cell<usize> = Box::leak(Box::new(Cell::new(0)));
        let count = woken.clone();
        let handler = move || {
            queue.set_rate(strict(1_000, 1));
            if let Next::At(at) = queue.advance_with(&waker).next {
                until.set(at);
            }
            before.set(count.0.load(Ordering::SeqCst));
        };
        let hit = interrupted(at, handler, || queue.set_rate(strict(10, 1)));
        if let Next::At(due) = queue.advance().next {
            let rung = woken.0.load(Ordering::SeqCst) > before.get();
            assert!(
                rung || until.get() <= due,
                "step {at}: asleep until {}, due at {due}",
                until.get()
            );
        }
        hit
    });
}

#[test]
fn a_schedule_that_is_kept_tidy_answers_in_time_after_any_pause() {
    let mut pace = Schedule::new(strict(100, 1));
    pace.take(1_000);
    let mut now = 1_000_u32;
    for _ in 0..20 {
        now = now.wrapping_add(u32::MAX_SPAN);
        pace.tidy(now);
        assert_eq!(pace.next(now), Due::Now, "at {now}");
    }
}

#[test]
fn of_many_rates_set_during_one_suspended_change_one_wins_whole() {
    for changes in 1..=7 {
        at_every_step(|at| {
            let (queue, _) = plain::<4>(strict(10, 1));
            let rates: Vec<Rate<u32>> = (2..10).map(|n| strict(10 * n, n)).collect();
            let others = rates.clone();
            let handler = move || {
                others[1..=changes]
                    .iter()
                    .for_each(|&rate| queue.set_rate(rate))
            };
            let hit = interrupted(at, handler, || queue.set_rate(rates[0]));
            let rate = queue.rate();
            assert!(
                rates.contains(&rate),
                "step {at}: {rate:?}, which nobody set"
            );
            queue.set_rate(strict(7, 3));
            assert_eq!(
                queue.rate(),
                strict(7, 3),
                "step {at}: a later rate is ignored"
            );
            hit
        });
    }
}

#[test]
fn a_faster_rate_of_the_same_burst_gives_no_permit_twice() {
    let (queue, clock) = plain::<4>(strict(1_000, 10));
    clock.advance(50_000);
    for _ in 0..9 {
        queue.try_acquire().unwrap();
    }
    queue.set_rate(strict(10, 10));
    assert_eq!(taken(queue), 1, "of ten at one reading");
}

#[test]
fn one_permit_put_back_at_a_slow_rate_is_one_at_a_fast_rate() {
    let (queue, clock) = plain::<4>(strict(10, 100));
    clock.advance(50_000);
    assert_eq!(taken(queue), 100);
    queue.set_rate(strict(1_000, 100));
    queue.refund(1);
    queue.set_rate(strict(10, 100));
    clock.advance(1);
    assert_eq!(taken(queue), 1);
}

#[test]
fn an_unseen_release_comes_back_though_the_one_behind_it_has_left() {
    let (queue, clock) = plain::<4>(strict(100, 1));
    let first = queue.enqueue().unwrap();
    drop({
        let second = queue.enqueue().unwrap();
        assert_eq!(queue.advance().released, 1);
        second
    });
    let third = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 0); // passes over the second
    drop(first);
    clock.advance(1);
    let _ = queue.advance();
    assert_eq!(third.status(), Status::Released);
}

#[test]
fn a_hold_until_the_present_moment_changes_nothing() {
    let (queue, _) = plain::<4>(strict(100, 5));
    queue.hold_until(1_000).unwrap();
    assert_eq!(taken(queue), 5);
}

#[test]
fn a_waker_whose_clone_wakes_the_driver_does_not_keep_it_from_sleeping() {
    static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(0);
    const RATE: Rate<u32> = match Rate::<u32>::every(10) {
        Ok(rate) => rate,
        Err(_) => unreachable!(),
    };
    static QUEUE: Queue<&ManualClock<u32>, 4> = Queue::new(&CLOCK, RATE);
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            assert!(CLONES.fetch_add(1, Ordering::SeqCst) < 100, "for ever");
            QUEUE.wake_driver();
            RawWaker::new(data, &TABLE)
        },
        |_| {},
        |_| {},
        |_| {},
    );
    // SAFETY: the functions of the table do nothing with the pointer.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) };
    assert_eq!(QUEUE.advance_with(&waker).next, Next::OnEnqueue);
}

/// The version of the head's word repeated after 16 changes on 32 bits: on 64 it never did within what can be tried.
#[test]
fn sixteen_changes_during_one_suspended_release_let_nobody_go_in_a_hold() {
    at_every_step(|at| {
        let (queue, clock) = plain::<4>(strict(100, 1));
        assert_eq!(taken(queue), 1);
        let place = queue.enqueue().unwrap();
        clock.advance(100);
        let released: &'static Cell<bool> = Box::leak(Box::new(Cell::new(false)));
        let waiter: &'static _ = Box::leak(Box::new(place));
        let handler = move || {
            for _ in 0..15 {
                queue.set_rate(strict(100, 1));
            }
            queue.hold_until(50_000).unwrap();
            released.set(!waiter.is_waiting());
        };
        let hit = interrupted(at, handler, || {
            let _ = queue.advance();
        });
        assert!(
            !hit || released.get() != waiter.is_waiting(),
            "step {at}: released in the hold"
        );
        hit
    });
}
