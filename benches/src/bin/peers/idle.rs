//! What it costs that many wait: CPU time and wake-ups while one in a hundred milliseconds is let through.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue_benches::machine::{Grid, Usage, sharpen, wait_until};
use apiqueue_benches::report::{Better, Column, Report, Role, Table, column};

use crate::contenders::{Entry, Pace, Tasks, Threads, every_task, every_thread, runtime};
use crate::tally::counting_polls;

const INTERVAL: Duration = Duration::from_millis(100);
const COLUMNS: [Column; 5] = [
    column("CPU", "ms/s", Better::Less),
    column("voluntary switches", "/s", Better::Less),
    column("polls", "/s", Better::Less),
    column("let through ÷ due", "", Better::One),
    column("all in line", "", Better::Neither),
];
/// How long a peer may take until all of its waiters wait.
const SETTLE: Duration = Duration::from_secs(10);
/// Threads are measured up to so many.
const MOST_THREADS: usize = 1000;

type Run = fn(usize, Duration) -> [f64; 5];

/// CPU time and wake-ups by the number of waiters, for the picture.
pub(crate) struct Waiting {
    pub(crate) contender: &'static str,
    pub(crate) role: Role,
    pub(crate) waiters: usize,
    /// In milliseconds each second.
    pub(crate) cpu: f64,
    /// Switches a second.
    pub(crate) switches: f64,
}

pub(crate) fn run(report: &mut Report, quick: bool) -> Vec<Waiting> {
    let tasks: [Entry<Run>; 7] = every_task!(tasks as Run);
    let threads: [Entry<Run>; 4] = every_thread!(
        threads as Run,
        Ours,
        GovernorSleeps,
        RatelimitSleeps,
        OwnLine
    );
    let limit: Entry<Run> = ("a thread that unparks another", Role::Machine, unparks);
    let mut drawn = Vec::new();
    for (waiters, seconds) in [(64, 10), (1000, 10), (10_000, 3), (100_000, 10)] {
        let time = if quick {
            Duration::from_millis(200)
        } else {
            Duration::from_secs(seconds)
        };
        let mut table = Table::new(
            format!("peers-waiting-{waiters}"),
            format!("{waiters} waiters for {time:?}, one release each {INTERVAL:?}"),
            &COLUMNS,
        );
        let threads = threads.iter().filter(|_| waiters <= MOST_THREADS);
        for (name, role, run) in [&limit].into_iter().chain(&tasks).chain(threads) {
            let figures = run(waiters, time);
            table.add(name, *role, &figures);
            drawn.push(Waiting {
                contender: name,
                role: *role,
                waiters,
                cpu: figures[0],
                switches: figures[1],
            });
        }
        report.show(table);
    }
    drawn
}

/// From here on for `time`, on a thread that sleeps.
fn measure(time: Duration, polls: &AtomicU64, through: &AtomicU64, settled: bool) -> [f64; 5] {
    let count = || {
        (
            polls.load(Ordering::Relaxed),
            through.load(Ordering::Relaxed),
        )
    };
    let (first, before, start) = (count(), Usage::now(), Instant::now());
    thread::sleep(time);
    let seconds = start.elapsed().as_secs_f64();
    let used = Usage::now().since(before);
    let last = count();
    [
        used.cpu.as_secs_f64() * 1e3 / seconds,
        // Without the one of this thread's own sleep.
        used.voluntary.saturating_sub(1) as f64 / seconds,
        (last.0 - first.0) as f64 / seconds,
        (last.1 - first.1) as f64 * INTERVAL.as_secs_f64() / seconds,
        f64::from(u8::from(settled)),
    ]
}

fn tasks<C: Tasks>(waiters: usize, time: Duration) -> [f64; 5] {
    let runtime = runtime();
    let contender = {
        let _inside = runtime.enter();
        C::new(Pace::every(INTERVAL).waiting(waiters))
    };
    let (polls, through) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let started = Arc::new(AtomicU64::new(0));
    for _ in 0..waiters {
        let (polls, through) = (Arc::clone(&polls), Arc::clone(&through));
        let (contender, started) = (contender.clone(), Arc::clone(&started));
        runtime.spawn(async move {
            started.fetch_add(1, Ordering::Relaxed);
            // Whoever is let through comes back, so that their number stays.
            loop {
                counting_polls(contender.acquire(), &polls).await;
                through.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let settled = wait_until(SETTLE, || started.load(Ordering::Relaxed) == waiters as u64);
    thread::sleep(INTERVAL);
    let figures = measure(time, &polls, &through, settled);
    runtime.shutdown_timeout(Duration::from_secs(5));
    figures
}

fn threads<C: Threads>(waiters: usize, time: Duration) -> [f64; 5] {
    let contender = C::new(Pace::every(INTERVAL).waiting(waiters));
    let (polls, through) = (AtomicU64::new(0), AtomicU64::new(0));
    let started = AtomicU64::new(0);
    // Late enough that none gives up while it is measured.
    let settle = Duration::from_micros(300) * u32::try_from(waiters).unwrap() + 2 * INTERVAL;
    let end = Instant::now() + settle + time + INTERVAL;
    let [cpu, switches, _, released, settled] = thread::scope(|scope| {
        for _ in 0..waiters {
            let thread = thread::Builder::new().stack_size(64 * 1024);
            let wait = || {
                started.fetch_add(1, Ordering::Relaxed);
                while contender.acquire_until(end) {
                    through.fetch_add(1, Ordering::Relaxed);
                }
            };
            thread.spawn_scoped(scope, wait).unwrap();
        }
        let settled = wait_until(settle / 2, || {
            started.load(Ordering::Relaxed) == waiters as u64
        });
        thread::sleep(INTERVAL);
        measure(time, &polls, &through, settled)
    });
    [cpu, switches, f64::NAN, released, settled]
}

/// The least that a release can cost: a thread that sleeps until each slot and unparks another.
fn unparks(_: usize, time: Duration) -> [f64; 5] {
    let through = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&through);
    let end = Instant::now() + time + 2 * INTERVAL;
    let woken = thread::spawn(move || {
        while Instant::now() < end {
            thread::park();
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let waking = woken.thread().clone();
    let driver = thread::spawn(move || {
        sharpen();
        let grid = Grid::begin();
        for n in 1.. {
            let _late = grid.sleep_until(INTERVAL * n);
            waking.unpark();
            if Instant::now() > end {
                // Once more: now it sees that it is over.
                waking.unpark();
                return;
            }
        }
    });
    thread::sleep(INTERVAL);
    let [cpu, switches, _, released, settled] = measure(time, &AtomicU64::new(0), &through, true);
    driver.join().unwrap();
    woken.join().unwrap();
    [cpu, switches, f64::NAN, released, settled]
}
