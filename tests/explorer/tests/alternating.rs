//! Defects of which the explorer can't tell, as there an interrupted operation goes on only when the one that it met is over: here
//! two take turns, each a few steps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;

use apiqueue_core_stepped as core;
use core::stepped::with_hook;
use core::{
    Clock, Inline, ManualClock, Queue, QueueOver, Rate, Single, TryAcquireError, Weighing,
    Weighted, WeightedQueue,
};

type Line<const N: usize, K> = QueueOver<&'static ManualClock<u32>, Inline<N>, K>;

const BEGIN: u32 = 1_000;

fn strict(interval: u32, burst: u32) -> Rate<u32> {
    let rate = Rate::<u32>::every(interval).unwrap();
    rate.burst(burst).unwrap().strict()
}

fn clock() -> &'static ManualClock<u32> {
    Box::leak(Box::new(ManualClock::<u32>::new(BEGIN)))
}

fn plain<const N: usize>(rate: Rate<u32>) -> &'static Line<N, Single> {
    Box::leak(Box::new(Queue::new(clock(), rate)))
}

fn weighted(rate: Rate<u32>) -> &'static Line<4, Weighted> {
    Box::leak(Box::new(WeightedQueue::new(clock(), rate)))
}

/// When the next permit is there.
fn due<const N: usize, K: Weighing>(queue: &Line<N, K>) -> u32 {
    match queue.try_acquire() {
        Err(TryAcquireError::NotYet { at }) => at,
        Ok(_) => queue.clock().now(),
        Err(why) => panic!("{why}"),
    }
}

#[derive(Default)]
struct Steps {
    allowed: usize,
    made: usize,
    is_at_rest: bool,
    is_over: bool,
}

/// An operation on a thread of its own, which makes its atomic accesses when it is told to.
struct Stepped<R> {
    steps: Arc<(Mutex<Steps>, Condvar)>,
    thread: JoinHandle<R>,
}

impl<R: Send + 'static> Stepped<R> {
    fn new(operation: impl FnOnce() -> R + Send + 'static) -> Self {
        let steps = Arc::new((Mutex::new(Steps::default()), Condvar::new()));
        let (mine, at_the_end) = (steps.clone(), steps.clone());
        let thread = std::thread::spawn(move || {
            let hook = move || {
                let (steps, changed) = &*mine;
                let mut steps = steps.lock().unwrap();
                steps.is_at_rest = true;
                changed.notify_all();
                while steps.made >= steps.allowed {
                    steps = changed.wait(steps).unwrap();
                }
                steps.is_at_rest = false;
                steps.made += 1;
            };
            let result = with_hook(hook, operation);
            let (steps, changed) = &*at_the_end;
            steps.lock().unwrap().is_over = true;
            changed.notify_all();
            result
        });
        Self { steps, thread }
    }

    /// Goes on until it has made so many accesses in all. Says whether there are more.
    fn to(&self, accesses: usize) -> bool {
        let (steps, changed) = &*self.steps;
        let mut steps = steps.lock().unwrap();
        steps.allowed = steps.allowed.max(accesses);
        changed.notify_all();
        while !(steps.is_over || (steps.is_at_rest && steps.made >= steps.allowed)) {
            steps = changed.wait(steps).unwrap();
        }
        !steps.is_over
    }

    fn finish(self) -> R {
        self.to(usize::MAX);
        self.thread.join().unwrap()
    }
}

#[test]
fn a_ring_in_which_nobody_is_is_not_full() {
    let mut cases = 0;
    for (first, join) in (0..8).flat_map(|a| (0..7).map(move |b| (a, b))) {
        for (second, more) in (first..14).flat_map(|a| (join..9).map(move |b| (a, b))) {
            for third in second..16 {
                let queue = plain::<1>(strict(10, 1));
                let waiter = queue.enqueue().unwrap();
                let driver = Stepped::new(move || queue.advance().released);
                driver.to(first);
                let was_waiting = waiter.is_waiting();
                drop(waiter);
                if was_waiting {
                    let joining = Stepped::new(move || queue.enqueue().map(std::mem::forget));
                    joining.to(join);
                    driver.to(second);
                    joining.to(more);
                    driver.to(third);
                    assert_eq!(
                        joining.finish(),
                        Ok(()),
                        "{:?}",
                        (first, join, second, more)
                    );
                    cases += 1;
                }
                driver.finish();
            }
        }
    }
    assert!(cases > 1_000, "{cases}");
}

/// A `try_acquire` that has found one of two permits stands still before it claims it. Whatever `meanwhile` uses that one up.
/// Then a release of a waiter that leaves is given up, of a weight that is as much as the permits and changes since.
fn a_permit_is_not_taken_any_more(
    before: usize,
    meanwhile: impl Fn(&'static Line<4, Weighted>) -> usize,
    release: impl Fn(&'static Line<4, Weighted>) -> bool + Copy + Send + 'static,
) {
    for claim in 0..18 {
        for over in claim..20 {
            for left in 1..4 {
                let queue = weighted(strict(10, 3));
                for _ in 0..before {
                    queue.try_acquire().unwrap();
                }
                let taker = Stepped::new(move || queue.try_acquire());
                let just_before_the_claim = 7;
                assert!(taker.to(just_before_the_claim));
                let heavy = queue.enqueue_weighted(meanwhile(queue)).unwrap();
                let line = [queue.enqueue(), queue.enqueue()].map(Result::unwrap);
                queue.clock().advance(30);
                let driver = Stepped::new(move || release(queue));
                driver.to(claim);
                let is_waiting = heavy.is_waiting();
                let leaver = Stepped::new(move || drop(heavy));
                leaver.to(left);
                driver.to(over);
                if is_waiting {
                    let took = taker.finish();
                    assert!(took.is_err(), "{:?}", (claim, over, left));
                } else {
                    let _ = taker.finish();
                }
                driver.finish();
                leaver.finish();
                drop(line);
            }
        }
    }
}

#[test]
fn a_release_that_is_given_up_brings_no_older_decision_back() {
    let advance = |queue: &'static Line<4, Weighted>| queue.advance().released > 0;
    let two_more = |queue: &'static Line<4, Weighted>| {
        queue.try_acquire().unwrap();
        queue.clock().advance(10);
        queue.try_acquire().unwrap();
        3
    };
    a_permit_is_not_taken_any_more(2, two_more, advance);
    let held = |queue: &'static Line<4, Weighted>| {
        queue.hold_until(BEGIN + 1_000).unwrap();
        2
    };
    a_permit_is_not_taken_any_more(1, held, |queue| queue.grant());
    let charged = |queue: &'static Line<4, Weighted>| {
        queue.charge(50).unwrap();
        2
    };
    a_permit_is_not_taken_any_more(1, charged, |queue| queue.grant());
}

/// Lets two operations take turns, a few steps each. Says how many rounds they went on for.
fn in_turns(
    one: Stepped<()>,
    other: Stepped<()>,
    first: (usize, usize),
    steps: (usize, usize),
) -> usize {
    let (mut mine, mut its) = first;
    let (mut is_under_way, mut rounds) = (one.to(mine) & other.to(its), 0);
    while is_under_way && rounds < 60 {
        (mine, its) = (mine + steps.0, its + steps.1);
        is_under_way = one.to(mine) && other.to(its);
        rounds += 1;
    }
    one.finish();
    other.finish();
    rounds
}

#[test]
fn of_two_who_put_back_or_charge_one_gets_through() {
    type Operation = fn(&'static Line<4, Single>);
    let charge: Operation = |queue| queue.charge(1).unwrap();
    let refund: Operation = |queue| queue.refund(1);
    let pairs = [[charge, refund], [charge, charge], [refund, refund]];
    for (pair, owed) in pairs.into_iter().zip([0, 2_000, -2_000]) {
        for (first, steps) in (4..14).flat_map(|first| (6..26).map(move |steps| (first, steps))) {
            let queue = plain::<4>(strict(1_000, 3));
            while queue.try_acquire().is_ok() {}
            queue.charge(3).unwrap();
            let before = i64::from(due(queue)) + owed;
            let [one, other] = pair.map(|operation| Stepped::new(move || operation(queue)));
            let rounds = in_turns(one, other, (first, first), (steps, steps));
            assert!(rounds < 10, "{rounds} rounds of {steps}, from {first}");
            let late = i64::from(due(queue)) - before;
            assert!(late <= 3, "{late} ticks late: {steps}, from {first}");
        }
    }
}

#[test]
fn a_waiter_that_leaves_gets_through_beside_a_refund() {
    for first in 6..20 {
        for mine in 10..24 {
            for its in 10..24 {
                let queue = plain::<4>(strict(1_000, 3));
                queue.try_acquire().unwrap();
                queue.try_acquire().unwrap();
                let waiter = queue.enqueue().unwrap();
                assert_eq!(queue.advance().released, 1);
                let one = Stepped::new(move || drop(waiter));
                let other = Stepped::new(move || queue.refund(1));
                let rounds = in_turns(one, other, (first, 8), (mine, its));
                assert!(rounds < 10, "{rounds} rounds: {:?}", (first, mine, its));
            }
        }
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("as a waker may");
    }
}

#[test]
fn a_driver_whose_waker_panics_leaves_no_ghost_in_line() {
    for enters in [false, true] {
        let queue = plain::<2>(strict(10, 1));
        queue.try_acquire().unwrap();
        let waker: Waker = Arc::new(Panics).into();
        let _ = queue.advance_with(&waker);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let waiter = if enters {
                queue.enter()
            } else {
                queue.enqueue()
            };
            std::mem::forget(waiter);
        }));
        assert!(outcome.is_err());
        assert_eq!(queue.waiting(), 0, "entering: {enters}");
    }
}
