//! Many that call as fast as they are let, for a time, on threads or on tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::contenders::{Pace, Tasks, Threads, runtime};

const STACK: usize = 128 * 1024;

/// Calls a second of `count` threads together.
///
/// Each thread begins and ends by the clock: a gate in common would be a lock that those who already spin keep others from.
pub(crate) fn of_threads(count: usize, time: Duration, call: &(dyn Fn() + Sync)) -> f64 {
    let start = Instant::now() + Duration::from_micros(100) * u32::try_from(count).unwrap();
    let caller = || {
        thread::sleep(start.saturating_duration_since(Instant::now()));
        calls_until(start + time, call)
    };
    let calls: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|_| {
                let thread = thread::Builder::new().stack_size(STACK);
                thread.spawn_scoped(scope, caller).unwrap()
            })
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    calls as f64 / time.as_secs_f64()
}

/// Looks at the clock after each call, or where calls are short, after some.
fn calls_until(end: Instant, call: &(dyn Fn() + Sync)) -> u64 {
    let (mut calls, mut batch) = (0, 1);
    let mut last = Instant::now();
    loop {
        (0..batch).for_each(|_| call());
        let now = Instant::now();
        if now >= end {
            return calls;
        }
        calls += batch;
        batch = match now - last {
            short if short < Duration::from_micros(5) => (2 * batch).min(64),
            _ => 1,
        };
        last = now;
    }
}

/// The same for a contender.
pub(crate) fn threads<C: Threads>(pace: Pace, count: usize, time: Duration) -> f64 {
    let contender = C::new(pace);
    of_threads(count, time, &|| contender.acquire())
}

/// Calls a second of `count` tasks together, on two workers.
pub(crate) fn tasks<C: Tasks>(pace: Pace, count: usize, time: Duration) -> f64 {
    let runtime = runtime();
    let contender = {
        let _inside = runtime.enter();
        C::new(pace)
    };
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Vec<_> = (0..count)
        .map(|_| {
            let (contender, stop) = (contender.clone(), Arc::clone(&stop));
            let calls = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&calls);
            runtime.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    contender.acquire().await;
                    // Nobody else writes it.
                    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                }
            });
            calls
        })
        .collect();
    let sum = || -> u64 {
        let calls = counts.iter().map(|calls| calls.load(Ordering::Relaxed));
        calls.sum()
    };
    // On a thread of its own, as workers that never wait do not look at timers.
    let (first, start) = (sum(), Instant::now());
    thread::sleep(time);
    let (calls, elapsed) = (sum() - first, start.elapsed());
    stop.store(true, Ordering::Relaxed);
    runtime.shutdown_timeout(Duration::from_secs(2));
    calls as f64 / elapsed.as_secs_f64()
}
