//! What single operations cost, alone and from several threads: `cargo bench -p apiqueue-benches --bench micro`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::LazyLock;

use apiqueue::{ApiQueue, Rate};
use apiqueue_core::{ManualClock, Queue, WeightedQueue};
use divan::{Bencher, black_box};

const THREADS: [usize; 3] = [1, 2, 4];

type Ticks = apiqueue_core::Rate<u64>;

static CLOCK: ManualClock<u64> = ManualClock::<u64>::new(1_000);

/// A rate whose burst outlasts any run, so that a permit is always there while the clock stands.
fn unlimited() -> Ticks {
    Ticks::every(1).unwrap().burst(1 << 50).unwrap()
}

fn main() {
    divan::main();
}

#[divan::bench(threads = THREADS)]
fn core_enqueue_advance_look(bencher: Bencher<'_, '_>) {
    let queue: Queue<_, 1024> = Queue::new(&CLOCK, unlimited());
    bencher.bench(|| {
        let waiter = black_box(&queue).enqueue().unwrap();
        let _ = black_box(&queue).advance();
        waiter.is_waiting()
    });
}

#[divan::bench(threads = THREADS)]
fn core_weighted(bencher: Bencher<'_, '_>) {
    let queue: WeightedQueue<_, 1024> = WeightedQueue::new(&CLOCK, unlimited());
    bencher.bench(|| {
        let waiter = black_box(&queue).enqueue_weighted(3).unwrap();
        let _ = black_box(&queue).advance();
        waiter.is_waiting()
    });
}

#[divan::bench(threads = THREADS)]
fn core_try_acquire(bencher: Bencher<'_, '_>) {
    let queue: Queue<_, 16> = Queue::new(&CLOCK, unlimited());
    bencher.bench(|| black_box(&queue).try_acquire().is_ok());
}

#[divan::bench(threads = THREADS)]
fn core_enqueue_leave(bencher: Bencher<'_, '_>) {
    let queue: Queue<_, 1024> = Queue::new(&CLOCK, Ticks::every(1 << 40).unwrap());
    queue.try_acquire().unwrap();
    bencher.bench(|| drop(black_box(&queue).enqueue()));
}

static STD: LazyLock<ApiQueue> = LazyLock::new(|| {
    let rate = Rate::per_second(1_000_000_000).unwrap();
    ApiQueue::builder()
        .rate(rate.burst(u32::MAX).unwrap())
        .start()
        .unwrap()
});

#[divan::bench(threads = THREADS)]
fn std_enqueue_wait() {
    black_box(&*STD).enqueue().unwrap().wait().unwrap();
}

#[divan::bench(threads = THREADS)]
fn std_try_acquire() -> bool {
    black_box(&*STD).try_acquire().is_ok()
}

#[divan::bench]
fn std_stats() -> apiqueue::Stats {
    black_box(&*STD).stats()
}
