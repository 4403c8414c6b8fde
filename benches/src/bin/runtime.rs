//! What the std runtime costs and how precise it is, beside what the machine can do:
//! `cargo run --release -p apiqueue-benches --bin runtime`. Linux only.
//!
//! Takes about two minutes; `-- --quick` about twenty seconds.
#![allow(clippy::unwrap_used, missing_docs, unsafe_code)]

use std::hint::black_box;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::core::Clock;
use apiqueue::{ApiQueue, Limit, MonotonicClock, Registry, Waiter};
use futures_lite::future::block_on;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    fast_path();
    for interval in [10_000, 1_000] {
        precision(Duration::from_micros(interval), if quick { 2 } else { 10 });
    }
    for shortest in [1, 4] {
        many_queues(
            Duration::from_secs(if quick { 3 } else { 10 }),
            Duration::from_secs(shortest),
        );
    }
    for capacity in [16, 256] {
        many_keys(capacity);
    }
    idle(Duration::from_secs(5));
}

/// The median of 15 runs of nanoseconds a call.
fn nanos(calls: u32, mut call: impl FnMut()) -> f64 {
    let mut runs: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..calls {
                call();
            }
            start.elapsed().as_nanos() as f64 / f64::from(calls)
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

fn fast_path() {
    println!("a permit is free, ns a call");
    let always = apiqueue::Rate::every(Duration::from_nanos(1))
        .and_then(|rate| rate.burst(u32::MAX))
        .unwrap();
    let queue = ApiQueue::builder().rate(always).start().unwrap();
    let rows: [(&str, &mut dyn FnMut()); 5] = [
        ("Instant::now()", &mut || {
            black_box(Instant::now());
        }),
        ("try_acquire", &mut || drop(queue.try_acquire().unwrap())),
        ("enqueue, wait", &mut || {
            queue.enqueue().unwrap().wait().unwrap();
        }),
        ("enqueue, await", &mut || {
            block_on(queue.enqueue().unwrap()).unwrap();
        }),
        ("enqueue_wait, wait", &mut || {
            queue.enqueue_wait().unwrap().wait().unwrap();
        }),
    ];
    for (name, call) in rows {
        println!("  {name:<24} {:>7.1}", nanos(100_000, call));
    }
}

/// Lateness against the grid that the first release begins, for the machine's own absolute sleep and for a queue with
/// somebody in line all the time, in turn.
fn precision(interval: Duration, rounds: u32) {
    let releases = u32::try_from(Duration::from_secs(1).as_nanos() / interval.as_nanos()).unwrap();
    let (mut bare, mut released, mut woken) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare.extend(bare_sleeps(interval, releases));
        let (at, seen) = queue_releases(interval, releases);
        released.extend(at);
        woken.extend(seen);
    }
    println!("lateness against the slot, {interval:?}, µs          p50     p90     p99");
    let bare = row("clock_nanosleep(TIMER_ABSTIME), slack 1 ns", bare);
    let released = row("the driver's release", released);
    row("the waiting thread is back", woken);
    println!(
        "  release ÷ bare sleep                          {:>6.2}  {:>6.2}  {:>6.2}",
        released[0] / bare[0],
        released[1] / bare[1],
        released[2] / bare[2]
    );
}

fn row(name: &str, mut late: Vec<f64>) -> [f64; 3] {
    late.sort_by(f64::total_cmp);
    let at = |percent: usize| late[(late.len() * percent / 100).min(late.len() - 1)];
    let row = [at(50), at(90), at(99)];
    println!(
        "  {name:<44} {:>6.1}  {:>6.1}  {:>6.1}",
        row[0], row[1], row[2]
    );
    row
}

/// On a thread of its own, with the timer slack that the driver asks for.
fn bare_sleeps(interval: Duration, count: u32) -> Vec<f64> {
    thread::spawn(move || {
        // SAFETY: changes this thread's timer slack and nothing else.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
        let start = now();
        (1..=count)
            .map(|n| {
                let due = start + u64::from(n) * interval.as_nanos() as u64;
                let at = libc::timespec {
                    tv_sec: (due / 1_000_000_000) as libc::time_t,
                    tv_nsec: (due % 1_000_000_000) as libc::c_long,
                };
                // SAFETY: `at` lives through the call; with TIMER_ABSTIME nothing is written back.
                unsafe {
                    libc::clock_nanosleep(
                        libc::CLOCK_MONOTONIC,
                        libc::TIMER_ABSTIME,
                        &raw const at,
                        std::ptr::null_mut(),
                    );
                }
                (now() - due) as f64 / 1e3
            })
            .collect()
    })
    .join()
    .unwrap()
}

fn now() -> u64 {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` lives through the call, which fills it in.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut at) };
    at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64
}

/// When each release was made, as a waker called by the driver sees it, and when a thread that waits is back.
fn queue_releases(interval: Duration, count: u32) -> (Vec<f64>, Vec<f64>) {
    (by_waker(interval, count), by_thread(interval, count))
}

/// Against the queue's own grid: one that was late by more than is made up has begun a new one.
fn late(times: &[u64], start: u64, interval: Duration) -> Vec<f64> {
    const CATCH_UP: u64 = 10_000_000;
    let interval = interval.as_nanos() as u64;
    let mut used = start;
    times
        .iter()
        .map(|&at| {
            let slot = used + interval;
            let late = at.saturating_sub(slot);
            used = match late {
                _ if late <= CATCH_UP => slot,
                _ if late < interval || interval <= CATCH_UP => at - CATCH_UP,
                _ => at,
            };
            late as f64 / 1e3
        })
        .collect()
}

struct Stamp(Mutex<Vec<u64>>);

impl std::task::Wake for Stamp {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.lock().unwrap().push(MonotonicClock.now());
    }
}

fn by_waker(interval: Duration, count: u32) -> Vec<f64> {
    let queue = ApiQueue::builder()
        .every(interval)
        .capacity(count as usize)
        .start()
        .unwrap();
    let stamps = std::sync::Arc::new(Stamp(Mutex::new(Vec::with_capacity(count as usize))));
    let waker = std::task::Waker::from(std::sync::Arc::clone(&stamps));
    queue.enqueue().unwrap().wait().unwrap();
    let start = MonotonicClock.now();
    let mut line: Vec<Waiter> = (0..count).map(|_| queue.enqueue().unwrap()).collect();
    for waiter in &mut line {
        let _ = std::pin::Pin::new(waiter).poll(&mut std::task::Context::from_waker(&waker));
    }
    line.pop().unwrap().wait().unwrap();
    let times = stamps.0.lock().unwrap().clone();
    late(&times, start, interval)
}

fn by_thread(interval: Duration, count: u32) -> Vec<f64> {
    let queue = ApiQueue::builder().every(interval).start().unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let start = MonotonicClock.now();
    let times: Vec<u64> = (0..count)
        .map(|_| {
            queue.enqueue().unwrap().wait().unwrap();
            MonotonicClock.now()
        })
        .collect();
    late(&times, start, interval)
}

/// CPU time of this process, user and system.
fn cpu() -> Duration {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` lives through the call, which fills it in.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut at) };
    Duration::new(at.tv_sec as u64, at.tv_nsec as u32)
}

/// 10,000 queues on the one thread, each with its own rate and somebody in line at every slot.
fn many_queues(time: Duration, shortest: Duration) {
    const QUEUES: u32 = 10_000;
    let queues: Vec<ApiQueue> = (0..QUEUES)
        .map(|n| {
            ApiQueue::builder()
                .every(shortest + shortest * n / QUEUES)
                .capacity(32)
                .start()
                .unwrap()
        })
        .collect();
    let line: Vec<Vec<Waiter>> = queues
        .iter()
        .map(|queue| (0..32).map(|_| queue.enqueue().unwrap()).collect())
        .collect();
    let count = || -> u64 { queues.iter().map(|queue| queue.stats().released).sum() };
    let first = count();
    let before = cpu();
    thread::sleep(time);
    let used = (cpu() - before).as_secs_f64() / time.as_secs_f64();
    let released = count() - first;
    println!(
        "{QUEUES} queues on the driver's thread, a release each {shortest:?} to {:?}, for {time:?}",
        2 * shortest
    );
    println!("  {released} releases, {:.1} % of one core", 100.0 * used);
    assert!(line.iter().flatten().any(|waiter| waiter.is_waiting()));
}

/// Resident memory of this process, in bytes.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096.0
}

/// A registry of 100,000 keys that were all used once.
fn many_keys(capacity: usize) {
    const KEYS: u32 = 100_000;
    let registry: Registry<u32> =
        Registry::new(move |_| Limit::Queue(ApiQueue::builder().per_second(10).capacity(capacity)));
    let before = resident();
    for key in 0..KEYS {
        let queue = registry.queue(&key).unwrap().unwrap();
        queue.enqueue().unwrap().wait().unwrap();
    }
    let each = (resident() - before) / f64::from(KEYS);
    let before = cpu();
    thread::sleep(Duration::from_secs(2));
    let idle = (cpu() - before).as_secs_f64() / 2.0;
    let mut key = 0;
    let look_up = nanos(100_000, || {
        key = (key + 7_919) % KEYS;
        black_box(registry.queue(&key).unwrap());
    });
    println!("a registry of {KEYS} keys, {capacity} places each");
    println!(
        "  {each:.0} bytes a key, {:.1} % of one core while idle, {look_up:.0} ns a look-up",
        100.0 * idle
    );
}

/// Wake-ups of the whole process but the thread that measures, with a queue there and nobody in line.
fn idle(time: Duration) {
    let queue = ApiQueue::builder().per_second(1000).start().unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    thread::sleep(Duration::from_millis(50));
    let before = switches();
    thread::sleep(time);
    println!(
        "idle for {time:?}\n  {} wake-ups of the driver (limit 0)",
        switches() - before
    );
    drop(queue);
}

/// Context switches of all threads but this one, by the scheduler's own count.
fn switches() -> u64 {
    let me = std::fs::read_link("/proc/thread-self").unwrap();
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|task| task.unwrap())
        .filter(|task| Some(task.file_name().as_os_str()) != me.file_name())
        .map(|task| std::fs::read_to_string(task.path().join("status")).unwrap_or_default())
        .flat_map(|status| {
            status
                .lines()
                .filter(|line| line.contains("ctxt_switches"))
                .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok())
                .collect::<Vec<_>>()
        })
        .sum()
}
