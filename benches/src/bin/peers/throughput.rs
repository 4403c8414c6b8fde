//! Enqueue, release, running: how many a second, with few and with many that call as fast as they are let.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use apiqueue_benches::report::{Better, Column, Report, Role, Table, column};
use tokio::sync::Notify;

use crate::contenders::{Entry, Pace, every_task, every_thread, runtime};
use crate::crowd;

const CALLERS: [usize; 4] = [2, 8, 64, 512];
const COLUMNS: [Column; 4] = [
    column("2", "calls/s", Better::More),
    column("8", "calls/s", Better::More),
    column("64", "calls/s", Better::More),
    column("512", "calls/s", Better::More),
];

type Run = fn(Pace, usize, Duration) -> f64;
type Limit = fn(usize, Duration) -> f64;

pub(crate) fn run(report: &mut Report, quick: bool) {
    let (rounds, time) = if quick { (1, 15) } else { (5, 150) };
    let time = Duration::from_millis(time);
    let tasks: [Entry<Run>; 7] = every_task!(task_calls as Run);
    let threads: [Entry<Run>; 5] = every_thread!(thread_calls as Run);
    let mut free = Table::new(
        "peers-throughput",
        "Throughput of so many tasks or threads where a permit is always free",
        &COLUMNS,
    );
    let mut waiting = Table::new(
        "peers-handover",
        "Throughput of so many tasks or threads at one release each µs, so that they wait for one another",
        &COLUMNS,
    );
    for _ in 0..rounds {
        let limits: [Entry<Limit>; 2] = [
            ("futex, from thread to thread", Role::Machine, thread_ring),
            ("tokio Notify, from task to task", Role::Machine, task_ring),
        ];
        for (name, role, run) in limits {
            waiting.add(name, role, &CALLERS.map(|callers| run(callers, time)));
        }
        for (name, role, run) in tasks.iter().chain(&threads) {
            let calls = |pace: Pace| CALLERS.map(|callers| run(pace, callers, time));
            free.add(name, *role, &calls(Pace::unlimited()));
            waiting.add(name, *role, &calls(Pace::every(Duration::from_micros(1))));
        }
    }
    report.show(free);
    report.show(waiting);
}

fn task_calls<C: crate::contenders::Tasks>(pace: Pace, count: usize, time: Duration) -> f64 {
    crowd::tasks::<C>(pace, count, time)
}

fn thread_calls<C: crate::contenders::Threads>(pace: Pace, count: usize, time: Duration) -> f64 {
    crowd::threads::<C>(pace, count, time)
}

/// What the system can do: each of `count` parked threads wakes the next one.
fn thread_ring(count: usize, time: Duration) -> f64 {
    let (turn, laps) = (AtomicUsize::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let ring: std::sync::OnceLock<Vec<Thread>> = std::sync::OnceLock::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|me| {
                let (turn, laps, stop, ring) = (&turn, &laps, &stop, &ring);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if turn.load(Ordering::Acquire) != me || ring.get().is_none() {
                            thread::park();
                            continue;
                        }
                        laps.fetch_add(1, Ordering::Relaxed);
                        let next = (me + 1) % count;
                        turn.store(next, Ordering::Release);
                        ring.get().unwrap()[next].unpark();
                    }
                })
            })
            .collect();
        let all: Vec<_> = threads.iter().map(|one| one.thread().clone()).collect();
        ring.set(all).unwrap();
        let wake = || threads.iter().for_each(|one| one.thread().unpark());
        wake();
        let start = Instant::now();
        thread::sleep(time);
        let handed = laps.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        wake();
        handed
    })
}

/// The same for tasks on two workers.
fn task_ring(count: usize, time: Duration) -> f64 {
    let runtime = runtime();
    let ring: Arc<Vec<Notify>> = Arc::new((0..count).map(|_| Notify::new()).collect());
    let laps = Arc::new(AtomicU64::new(0));
    for me in 0..count {
        let (ring, laps) = (Arc::clone(&ring), Arc::clone(&laps));
        runtime.spawn(async move {
            loop {
                ring[me].notified().await;
                laps.fetch_add(1, Ordering::Relaxed);
                ring[(me + 1) % count].notify_one();
            }
        });
    }
    let start = Instant::now();
    ring[0].notify_one();
    thread::sleep(time);
    let handed = laps.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    runtime.shutdown_timeout(Duration::from_secs(2));
    handed
}
