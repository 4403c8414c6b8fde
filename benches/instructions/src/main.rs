//! The hot paths, one a run, for callgrind to count: `benches/instructions/count.sh`.
//!
//! `instructions NAME` sets a path up, goes it a few times, and then so many times within the function `measured`, which is
//! what callgrind is told to count. Clocks stand still or are moved by hand, so that a run repeats to the instruction.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Waker;

use apiqueue::{Account, ApiQueue, Limit, Limits, Rate, Registry};
use apiqueue_core::{Clock, ManualClock, Queue, QueueOver, Slot, WeightedQueue};

/// How often a path is gone.
const TIMES: u32 = 1_000;

type Ticks<W> = apiqueue_core::Rate<W>;

/// What callgrind counts within.
#[unsafe(no_mangle)]
#[inline(never)]
fn measured(run: &mut dyn FnMut()) {
    run();
}

fn count(mut path: impl FnMut()) {
    for _ in 0..20 {
        path();
    }
    measured(&mut || {
        for _ in 0..TIMES {
            path();
        }
    });
}

/// A rate whose burst outlasts any run, so that a permit is always there while the clock stands.
fn unlimited() -> Ticks<u64> {
    Ticks::<u64>::every(1).unwrap().burst(1 << 40).unwrap()
}

fn spaced() -> Ticks<u64> {
    Ticks::<u64>::every(100).unwrap()
}

fn cycle<C: Clock, S: std::ops::Deref<Target = [Slot]>>(queue: &QueueOver<C, S>) {
    let waiter = black_box(queue).enqueue().unwrap();
    let _ = black_box(queue).advance();
    assert!(!waiter.is_waiting());
}

/// A release and an enqueue with so many in line throughout.
fn with_queued(queued: usize) {
    let clock = ManualClock::<u64>::new(0);
    let slots: Box<[Slot]> = (0..(2 * queued).next_power_of_two())
        .map(|_| Slot::new())
        .collect();
    let queue = QueueOver::over(&clock, spaced(), slots).unwrap();
    let mut line: std::collections::VecDeque<_> =
        (0..queued).map(|_| queue.enqueue().unwrap()).collect();
    count(|| {
        clock.advance(100);
        let _ = black_box(&queue).advance();
        line.push_back(queue.enqueue().unwrap());
        assert!(!line.pop_front().unwrap().is_waiting());
    });
}

fn std_queue(rate: Rate) -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .rate(rate)
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    (queue, clock)
}

fn std_unlimited() -> Rate {
    Rate::per_second(1_000_000_000)
        .unwrap()
        .burst(u32::MAX)
        .unwrap()
}

fn run(name: &str) -> bool {
    let clock = ManualClock::<u64>::new(1_000);
    match name {
        "core.cycle" => {
            let queue: Queue<_, 16> = Queue::new(&clock, unlimited());
            count(|| cycle(&queue));
        }
        "core.cycle-u32" => {
            let clock = ManualClock::<u32>::new(1_000);
            let rate = Ticks::<u32>::every(1).unwrap().burst(1 << 20).unwrap();
            let queue: Queue<_, 16> = Queue::new(&clock, rate);
            count(|| cycle(&queue));
        }
        "core.10-queued" => with_queued(10),
        "core.100000-queued" => with_queued(100_000),
        "core.weighted" => {
            let queue: WeightedQueue<_, 16> = WeightedQueue::new(&clock, unlimited());
            count(|| {
                let waiter = black_box(&queue).enqueue_weighted(3).unwrap();
                let _ = black_box(&queue).advance();
                assert!(!waiter.is_waiting());
            });
        }
        "core.try_acquire" => {
            let queue: Queue<_, 16> = Queue::new(&clock, unlimited());
            count(|| assert!(black_box(&queue).try_acquire().is_ok()));
        }
        "core.advance-not-due" => {
            let queue: Queue<_, 16> = Queue::new(&clock, spaced());
            queue.try_acquire().unwrap();
            let _waiter = queue.enqueue().unwrap();
            count(|| assert_eq!(black_box(&queue).advance().released, 0));
        }
        "core.enqueue-leave" => {
            let queue: Queue<_, 16> = Queue::new(&clock, spaced());
            queue.try_acquire().unwrap();
            count(|| drop(black_box(&queue).enqueue().unwrap()));
        }
        "core.wake" => {
            let queue: Queue<_, 16> = Queue::new(&clock, unlimited());
            count(|| {
                let waiter = black_box(&queue).enqueue().unwrap();
                assert!(waiter.poll_release(Waker::noop()).is_pending());
                let _ = black_box(&queue).advance();
                assert!(!waiter.is_waiting());
            });
        }
        "core.set_rate" => {
            let queue: Queue<_, 16> = Queue::new(&clock, spaced());
            count(|| black_box(&queue).set_rate(spaced()));
        }
        "core.hold-resume" => {
            let queue: Queue<_, 16> = Queue::new(&clock, spaced());
            count(|| {
                black_box(&queue).hold_until(2_000).unwrap();
                black_box(&queue).resume();
            });
        }
        "std.free-permit" => {
            let (queue, _) = std_queue(std_unlimited());
            count(|| drop(black_box(&queue).enqueue().unwrap().wait().unwrap()));
        }
        "std.try_acquire" => {
            let (queue, _) = std_queue(std_unlimited());
            count(|| drop(black_box(&queue).try_acquire().unwrap()));
        }
        "std.wait_turn" => {
            let (queue, _) = std_queue(std_unlimited());
            count(|| drop(black_box(&queue).wait_turn().unwrap()));
        }
        "std.release" => {
            let (queue, clock) = std_queue(Rate::per_second(10_000_000).unwrap());
            queue.try_acquire().unwrap();
            count(|| {
                let waiter = black_box(&queue).enqueue().unwrap();
                clock.advance(100);
                let _ = black_box(&queue).advance();
                waiter.wait().unwrap();
            });
        }
        "std.account" => {
            let account = Account::builder()
                .limit(std_unlimited())
                .manual()
                .start()
                .unwrap();
            let queue = ApiQueue::builder().within(&account).start().unwrap();
            count(|| {
                let waiter = black_box(&queue).enqueue().unwrap();
                let _ = black_box(&account).advance();
                waiter.wait().unwrap();
            });
        }
        "std.account-free" => {
            let account = Account::builder().limit(std_unlimited()).start().unwrap();
            let queue = ApiQueue::builder().within(&account).start().unwrap();
            count(|| drop(black_box(&queue).wait_turn().unwrap()));
        }
        "std.registry" => {
            let registry: Registry = Limits::new(Limit::rate(std_unlimited())).into();
            let key = "ec2".to_owned();
            registry.queue(&key).unwrap();
            count(|| drop(black_box(&registry).queue(&key).unwrap()));
        }
        _ => return false,
    }
    true
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    if run(&name) {
        ExitCode::SUCCESS
    } else {
        eprintln!("no path {name:?}: see `run` in benches/instructions/src/main.rs");
        ExitCode::FAILURE
    }
}
