//! Costs that should not depend on how many are in line.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use apiqueue::ApiQueue;
use apiqueue_core::{ManualClock, QueueOver, Rate, Slot, Waiter};

use crate::{Curve, Order};

const CYCLES: u32 = 50_000;
/// Ticks, which only the clock of these queues moves.
const INTERVAL: u64 = 1000;

pub(crate) fn curves() -> Vec<Curve> {
    let of = |name, cost: fn(u32) -> f64| Curve {
        name,
        order: Order::Constant,
        cost: Box::new(cost),
    };
    vec![
        of("core: a release and an enqueue", release),
        of("core: one in the middle leaves", leave),
        of(
            "runtime: a release, its waker and an enqueue",
            runtime_release,
        ),
    ]
}

type Core = QueueOver<ManualClock<u64>, Box<[Slot]>>;

/// A queue whose first permit is spent, with room for twice as many.
fn core(waiters: u32) -> Core {
    let slots = (0..(2 * waiters).next_power_of_two())
        .map(|_| Slot::new())
        .collect();
    let rate = Rate::<u64>::every(INTERVAL).unwrap();
    let queue = Core::over(ManualClock::<u64>::new(0), rate, slots).unwrap();
    queue.try_acquire().unwrap();
    queue
}

fn nanos(cycles: u32, run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64 / f64::from(cycles)
}

fn release(waiters: u32) -> f64 {
    let queue = core(waiters);
    let mut line: VecDeque<Waiter<&Core>> =
        (0..waiters).map(|_| queue.enqueue().unwrap()).collect();
    nanos(CYCLES, || {
        for _ in 0..CYCLES {
            queue.clock().advance(INTERVAL);
            assert_eq!(queue.advance().released, 1);
            assert!(!line.pop_front().unwrap().is_waiting());
            line.push_back(queue.enqueue().unwrap());
        }
    })
}

/// Alone where only one is in line; else up to a thousand from the middle. Repeated until there are as many as in the
/// other curves' shortest runs.
fn leave(waiters: u32) -> f64 {
    let some = (waiters / 2).clamp(1, 1000);
    let rounds = 1000 / some;
    let (mut spent, mut left) = (0.0, 0);
    for _ in 0..rounds {
        let queue = core(waiters);
        let mut line: Vec<Waiter<&Core>> = (0..waiters).map(|_| queue.enqueue().unwrap()).collect();
        let first = (line.len() - some as usize) / 2;
        let mut leaving: Vec<_> = line.drain(first..first + some as usize).collect();
        spent += nanos(1, || {
            while let Some(waiter) = leaving.pop() {
                drop(waiter);
            }
        });
        left += some;
    }
    spent / f64::from(left)
}

fn runtime_release(waiters: u32) -> f64 {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .every(std::time::Duration::from_nanos(INTERVAL))
        .clock(Arc::clone(&clock))
        .manual()
        .capacity(2 * waiters as usize)
        .start()
        .unwrap();
    queue.try_acquire().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut enqueue = || {
        let mut waiter = queue.enqueue().unwrap();
        assert!(Pin::new(&mut waiter).poll(&mut cx).is_pending());
        waiter
    };
    let mut line: VecDeque<apiqueue::Waiter> = (0..waiters).map(|_| enqueue()).collect();
    nanos(CYCLES, || {
        for _ in 0..CYCLES {
            clock.advance(INTERVAL);
            assert_eq!(queue.advance().released, 1);
            assert!(!line.pop_front().unwrap().is_waiting());
            line.push_back(enqueue());
        }
    })
}
