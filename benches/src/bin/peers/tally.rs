//! Order, wake-ups and switches: a crowd that comes one by one and is let through one by one.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue_benches::machine::Usage;
use apiqueue_benches::report::{Better, Column, Report, Table, column};

use crate::contenders::{Entry, Pace, Tasks, Threads, every_task, every_thread, runtime};

const COLUMNS: [Column; 4] = [
    column("pairs out of order", "%", Better::Less),
    column("last is late by", "ms", Better::Less),
    column("polls", "each", Better::Less),
    column("voluntary switches", "each", Better::Less),
];

type Run = fn(Duration) -> [f64; 4];

/// 100 tasks and 200 threads.
pub(crate) fn run(report: &mut Report, quick: bool) {
    let (rounds, interval) = if quick { (1, 2) } else { (5, 5) };
    let interval = Duration::from_millis(interval);
    let tasks: [Entry<Run>; 7] = every_task!(tasks as Run);
    let threads: [Entry<Run>; 5] = every_thread!(threads as Run);
    for (name, entries, who) in [
        ("peers-order-tasks", &tasks[..], "100 tasks"),
        ("peers-order-threads", &threads[..], "200 threads"),
    ] {
        let title = format!("Order: {who} that come 1 ms apart, one release each {interval:?}");
        let mut table = Table::new(name, title, &COLUMNS);
        for _ in 0..rounds {
            for (name, role, run) in entries {
                table.add(name, *role, &run(interval));
            }
        }
        report.show(table);
    }
}

/// What a future costs in polls.
pub(crate) async fn counting_polls(future: impl Future<Output = ()>, polls: &AtomicU64) {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await;
}

fn tasks<C: Tasks>(interval: Duration) -> [f64; 4] {
    const TASKS: usize = 100;
    let runtime = runtime();
    let contender = {
        let _inside = runtime.enter();
        C::new(Pace::every(interval))
    };
    let through = Arc::new(Mutex::new(Vec::with_capacity(TASKS)));
    let polls = Arc::new(AtomicU64::new(0));
    let (before, start) = (Usage::now(), Instant::now());
    let mut tasks = Vec::new();
    for n in 0..TASKS {
        let (contender, through) = (contender.clone(), Arc::clone(&through));
        let polls = Arc::clone(&polls);
        tasks.push(runtime.spawn(async move {
            counting_polls(contender.acquire(), &polls).await;
            through.lock().unwrap().push((n, Instant::now()));
        }));
        thread::sleep(Duration::from_millis(1));
    }
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    // What this thread slept itself is not theirs.
    let switches = Usage::now().since(before).voluntary as f64 - TASKS as f64;
    let through = std::mem::take(&mut *through.lock().unwrap());
    let polls = polls.load(Ordering::Relaxed) as f64 / TASKS as f64;
    figures(&through, start, interval, polls, switches)
}

fn threads<C: Threads>(interval: Duration) -> [f64; 4] {
    const THREADS: usize = 200;
    let contender = C::new(Pace::every(interval));
    let (arrived, through) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (before, start) = (Usage::now(), Instant::now());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let n = arrived.fetch_add(1, Ordering::Relaxed);
                contender.acquire();
                let now = Instant::now();
                through.lock().unwrap().push((n, now));
            });
            thread::sleep(Duration::from_millis(1));
        }
    });
    let switches = Usage::now().since(before).voluntary as f64 - THREADS as f64;
    let mut through = through.into_inner().unwrap();
    through.sort_by_key(|(_, at)| *at);
    figures(&through, start, interval, f64::NAN, switches)
}

fn figures(
    through: &[(usize, Instant)],
    start: Instant,
    interval: Duration,
    polls: f64,
    switches: f64,
) -> [f64; 4] {
    let count = through.len();
    let inverted: usize = (0..count)
        .map(|at| {
            let me = through[at].0;
            through[at + 1..]
                .iter()
                .filter(|later| later.0 < me)
                .count()
        })
        .sum();
    let ideal = interval.as_secs_f64() * (count - 1) as f64;
    let last = through[count - 1].1 - start;
    [
        100.0 * inverted as f64 / (count * (count - 1) / 2) as f64,
        ((last.as_secs_f64() - ideal) * 1e3).max(0.0),
        polls,
        (switches / count as f64).max(0.0),
    ]
}
