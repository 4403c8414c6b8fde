//! What the core costs, beside what the machine costs: `cargo run --release -p apiqueue-benches --bin core`.
//!
//! Every row is the median of several runs, taken in turn with the others, so that a machine that slows down slows all of
//! them. Contended rows are wall time per operation over both threads.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use apiqueue_core::{Clock, ManualClock, Queue, QueueOver, Rate, Slot, Waiter};

const ROUNDS: usize = 15;
const CYCLES: u32 = 200_000;

/// A rate whose burst is larger than any run, so that the permit is always there and the clock can stand still.
fn unlimited() -> Rate<u64> {
    Rate::<u64>::every(1).unwrap().burst(1 << 40).unwrap()
}

fn per_cycle(cycles: u32, run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64 / f64::from(cycles)
}

/// From the first start to the last end, as the threads themselves saw them.
fn two_threads(run: impl Fn() + Sync) -> f64 {
    let gate = Barrier::new(2);
    let (start, end) = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| {
            scope.spawn(|| {
                gate.wait();
                let start = Instant::now();
                run();
                (start, Instant::now())
            })
        });
        let [(start, end), other] = threads.map(|thread| thread.join().unwrap());
        (start.min(other.0), end.max(other.1))
    });
    (end - start).as_nanos() as f64 / f64::from(2 * CYCLES)
}

fn fetch_add() -> f64 {
    let word = AtomicUsize::new(0);
    per_cycle(CYCLES, || {
        for _ in 0..CYCLES {
            black_box(&word).fetch_add(1, Ordering::AcqRel);
        }
    })
}

fn compare_exchange() -> f64 {
    let word = AtomicUsize::new(0);
    per_cycle(CYCLES, || {
        for n in 0..CYCLES as usize {
            let _ =
                black_box(&word).compare_exchange(n, n + 1, Ordering::AcqRel, Ordering::Relaxed);
        }
    })
}

fn instant_now() -> f64 {
    per_cycle(CYCLES, || {
        for _ in 0..CYCLES {
            black_box(Instant::now());
        }
    })
}

fn contended_fetch_add() -> f64 {
    let word = AtomicUsize::new(0);
    two_threads(|| {
        for _ in 0..CYCLES {
            black_box(&word).fetch_add(1, Ordering::AcqRel);
        }
    })
}

fn cycle<C: Clock>(queue: &Queue<C, 64>) {
    let waiter = queue.enqueue().unwrap();
    let _ = black_box(queue.advance());
    assert!(!black_box(&waiter).is_waiting());
}

fn one_thread() -> f64 {
    let queue: Queue<_, 64> = Queue::new(ManualClock::<u64>::new(0), unlimited());
    per_cycle(CYCLES, || {
        for _ in 0..CYCLES {
            cycle(black_box(&queue));
        }
    })
}

struct System(Instant);

impl Clock for System {
    type Tick = u64;

    fn now(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

fn one_thread_system_clock() -> f64 {
    let queue: Queue<_, 64> = Queue::new(System(Instant::now()), unlimited());
    per_cycle(CYCLES, || {
        for _ in 0..CYCLES {
            cycle(black_box(&queue));
        }
    })
}

fn try_acquire() -> f64 {
    let queue: Queue<_, 64> = Queue::new(ManualClock::<u64>::new(0), unlimited());
    per_cycle(CYCLES, || {
        for _ in 0..CYCLES {
            black_box(&queue).try_acquire().unwrap();
        }
    })
}

fn contended() -> f64 {
    let queue: Queue<_, 64> = Queue::new(ManualClock::<u64>::new(0), unlimited());
    two_threads(|| {
        for _ in 0..CYCLES {
            let waiter = queue.enqueue().unwrap();
            while waiter.is_waiting() {
                let _ = queue.advance();
            }
        }
    })
}

fn is_waiting() -> f64 {
    let queue: Queue<_, 64> =
        Queue::new(ManualClock::<u64>::new(0), Rate::<u64>::every(1).unwrap());
    queue.try_acquire().unwrap();
    let waiter = queue.enqueue().unwrap();
    per_cycle(CYCLES, || {
        for _ in 0..CYCLES {
            assert!(black_box(&waiter).is_waiting());
        }
    })
}

/// The cost of one release with `depth` waiters in line all the time.
fn release_at_depth(depth: usize) -> f64 {
    let slots: Box<[Slot]> = (0..(2 * depth).next_power_of_two())
        .map(|_| Slot::new())
        .collect();
    let queue = QueueOver::over(
        ManualClock::<u64>::new(0),
        Rate::<u64>::every(1).unwrap(),
        slots,
    )
    .unwrap();
    queue.try_acquire().unwrap();
    let mut line: std::collections::VecDeque<Waiter<&_>> =
        (0..depth).map(|_| queue.enqueue().unwrap()).collect();
    let cycles = CYCLES / 4;
    per_cycle(cycles, || {
        for _ in 0..cycles {
            queue.clock().advance(1);
            assert_eq!(queue.advance().released, 1);
            assert!(!line.pop_front().unwrap().is_waiting());
            line.push_back(queue.enqueue().unwrap());
        }
    })
}

fn main() {
    type Row = (&'static str, &'static str, fn() -> f64);
    let rows: [Row; 11] = [
        ("fetch_add", "", fetch_add),
        ("compare_exchange", "", compare_exchange),
        ("Instant::now()", "", instant_now),
        ("fetch_add, 2 threads", "", contended_fetch_add),
        (
            "enqueue + release + check",
            "<= 25 ns where fetch_add is 2",
            one_thread,
        ),
        ("the same, system clock", "", one_thread_system_clock),
        ("try_acquire", "", try_acquire),
        ("is_waiting", "", is_waiting),
        ("full cycle, 2 threads", "<= 130 ns", contended),
        ("release + enqueue, 10 queued", "", || release_at_depth(10)),
        ("release + enqueue, 100,000 queued", "as with 10", || {
            release_at_depth(100_000)
        }),
    ];
    let mut times = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, times) in rows.iter().zip(&mut times) {
            times.push(row.2());
        }
    }
    println!(
        "{:<36} {:>9} {:>9} {:>9}   target",
        "ns per operation", "min", "median", "max"
    );
    for ((name, target, _), times) in rows.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        println!(
            "{name:<36} {:>9.1} {:>9.1} {:>9.1}   {target}",
            times[0],
            times[times.len() / 2],
            times[times.len() - 1]
        );
    }
    println!();
    println!(
        "bytes: a slot {}, a queue of 16 {}, the queue without slots {}, a waiter {}",
        size_of::<Slot>(),
        size_of::<Queue<ManualClock<u32>, 16>>(),
        size_of::<Queue<ManualClock<u32>, 16>>() - 16 * size_of::<Slot>(),
        size_of::<Waiter<&Queue<ManualClock<u32>, 16>>>(),
    );
}
