//! What an acquire costs when a permit is free.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::core::Queue;
use apiqueue::{ApiQueue, MonotonicClock, Rate};
use futures_lite::future::block_on;
use governor::{Quota, RateLimiter};

use crate::report::{Report, median};

const CALLS: u32 = 100_000;
const COLUMNS: [(&str, &str); 3] = [("1 thread", "ns"), ("2 threads", "ns"), ("8 threads", "ns")];

/// Wall time divided by the calls of all threads, which call at once.
fn nanos(threads: usize, call: &(dyn Fn() + Sync)) -> f64 {
    let gate = Barrier::new(threads);
    let time = |_| {
        gate.wait();
        let start = Instant::now();
        for _ in 0..CALLS / threads as u32 {
            call();
        }
        start.elapsed()
    };
    let longest: Duration = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|n| scope.spawn(move || time(n))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .max()
            .unwrap()
    });
    longest.as_nanos() as f64 / f64::from(CALLS / threads as u32) / threads as f64
}

pub(crate) fn run(report: &mut Report, rounds: usize) {
    let of = "a permit is free";
    report.table(of, &COLUMNS);
    let always = Rate::every(Duration::from_nanos(1))
        .and_then(|rate| rate.burst(u32::MAX))
        .unwrap();
    let ours = ApiQueue::builder().rate(always).start().unwrap();
    let core: Queue<_, 64> = Queue::new(MonotonicClock, always.into());
    let quota = Quota::per_second(u32::MAX.try_into().unwrap());
    let governor = RateLimiter::direct(quota);
    let leaky = leaky_bucket::RateLimiter::builder()
        .max(usize::MAX >> 1)
        .initial(usize::MAX >> 1)
        .refill(1)
        .interval(Duration::from_secs(3600))
        .build();
    let semaphore = tokio::sync::Semaphore::new(tokio::sync::Semaphore::MAX_PERMITS);
    let rows: [(&str, &(dyn Fn() + Sync)); 9] = [
        ("Instant::now()", &|| {
            black_box(Instant::now());
        }),
        ("apiqueue enqueue, wait", &|| {
            ours.enqueue().unwrap().wait().unwrap()
        }),
        ("apiqueue enqueue, await", &|| {
            block_on(ours.enqueue().unwrap()).unwrap()
        }),
        ("apiqueue try_acquire", &|| ours.try_acquire().unwrap()),
        ("apiqueue core try_acquire", &|| core.try_acquire().unwrap()),
        ("governor check", &|| governor.check().unwrap()),
        ("governor until_ready", &|| block_on(governor.until_ready())),
        ("leaky-bucket acquire_one", &|| {
            block_on(leaky.acquire_one())
        }),
        ("Semaphore acquire", &|| {
            block_on(semaphore.acquire()).unwrap().forget()
        }),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let mut figures = vec![[const { Vec::new() }; 3]; rows.len()];
    for _ in 0..rounds {
        for ((_, call), figures) in rows.iter().zip(&mut figures) {
            for (threads, figures) in [1, 2, 8].into_iter().zip(figures) {
                figures.push(nanos(threads, *call));
            }
        }
    }
    for ((name, _), figures) in rows.iter().zip(&mut figures) {
        report.row(
            of,
            name,
            &COLUMNS,
            &figures.each_mut().map(|figures| median(figures)),
        );
    }
}
