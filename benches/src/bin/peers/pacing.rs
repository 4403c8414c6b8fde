//! How steadily, and in what order, tasks and threads are let through.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::ApiQueue;
use governor::clock::Clock;
use governor::{Quota, RateLimiter};

use crate::contenders::{Contender, Governor, Leaky, Ours, Ticks, Tower};
use crate::report::{Report, median};

const WAITING: usize = 16;
const COLUMNS: [(&str, &str); 5] = [
    ("elapsed ÷ ideal", ""),
    ("gap p50", "ms"),
    ("gap p99", "ms"),
    ("gaps < 90 %", "%"),
    ("voluntary switches", "each"),
];

/// One second's worth of calls, by 16 tasks or threads, each contender in its turn.
pub(crate) fn run(report: &mut Report, interval: Duration, rounds: usize) {
    let calls = (Duration::from_secs(1).as_nanos() / interval.as_nanos()) as usize;
    let of = format!("pacing at {interval:?}, {WAITING} waiting");
    report.table(&of, &COLUMNS);
    type Run = fn(Duration, usize) -> Vec<f64>;
    let contenders: [(&str, Run); 7] = [
        (Ours::NAME, tasks::<Ours>),
        ("apiqueue, threads", |interval, calls| {
            let queue = ApiQueue::builder().every(interval).start().unwrap();
            threads(interval, calls, move || {
                queue.enqueue().unwrap().wait().unwrap()
            })
        }),
        (Governor::NAME, tasks::<Governor>),
        ("governor, threads", |interval, calls| {
            let limiter = RateLimiter::direct(Quota::with_period(interval).unwrap());
            let clock = governor::clock::DefaultClock::default();
            threads(interval, calls, move || {
                while let Err(not_until) = limiter.check() {
                    thread::sleep(not_until.wait_time_from(clock.now()));
                }
            })
        }),
        (Leaky::NAME, tasks::<Leaky>),
        (Tower::NAME, tasks::<Tower>),
        (Ticks::NAME, tasks::<Ticks>),
    ];
    let mut figures = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for ((_, run), figures) in contenders.iter().zip(&mut figures) {
            figures.push(run(interval, calls));
        }
    }
    for ((name, _), figures) in contenders.iter().zip(figures) {
        let medians: Vec<f64> = (0..COLUMNS.len())
            .map(|column| {
                median(
                    &mut figures
                        .iter()
                        .map(|round| round[column])
                        .collect::<Vec<_>>(),
                )
            })
            .collect();
        report.row(&of, name, &COLUMNS, &medians);
    }
}

fn tasks<C: Contender>(interval: Duration, calls: usize) -> Vec<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let contender = C::new(interval);
        let times = Arc::new(Mutex::new(Vec::with_capacity(calls)));
        let before = switches();
        let tasks: Vec<_> = (0..WAITING)
            .map(|_| {
                let (contender, times) = (contender.clone(), Arc::clone(&times));
                tokio::spawn(async move {
                    loop {
                        contender.acquire().await;
                        let mut times = times.lock().unwrap();
                        if times.len() >= calls {
                            return;
                        }
                        times.push(Instant::now());
                    }
                })
            })
            .collect();
        while times.lock().unwrap().len() < calls {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let switches = switches() - before;
        for task in tasks {
            task.abort();
        }
        let times = times.lock().unwrap();
        figures(&times, interval, switches)
    })
}

fn threads(interval: Duration, calls: usize, acquire: impl Fn() + Sync) -> Vec<f64> {
    let times = Mutex::new(Vec::with_capacity(calls));
    let before = switches();
    thread::scope(|scope| {
        for _ in 0..WAITING {
            scope.spawn(|| {
                loop {
                    acquire();
                    let mut times = times.lock().unwrap();
                    if times.len() >= calls {
                        return;
                    }
                    times.push(Instant::now());
                }
            });
        }
    });
    let switches = switches() - before;
    figures(&times.into_inner().unwrap(), interval, switches)
}

fn figures(times: &[Instant], interval: Duration, switches: f64) -> Vec<f64> {
    let ideal = interval.as_secs_f64();
    let mut gaps: Vec<f64> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect();
    let elapsed: f64 = gaps.iter().sum();
    gaps.sort_by(f64::total_cmp);
    let at = |percent: usize| gaps[(gaps.len() * percent / 100).min(gaps.len() - 1)];
    let short = gaps.iter().filter(|&&gap| gap < 0.9 * ideal).count();
    vec![
        elapsed / (ideal * gaps.len() as f64),
        at(50) * 1e3,
        at(99) * 1e3,
        100.0 * short as f64 / gaps.len() as f64,
        switches / times.len() as f64,
    ]
}

/// Voluntary context switches of this process so far, the ended threads' included.
fn switches() -> f64 {
    // SAFETY: `usage` lives through the call, which fills it in; all zeros are a valid value.
    #[allow(unsafe_code)]
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage.ru_nvcsw as f64
    }
}

const ORDER: [(&str, &str); 2] = [("pairs out of order", "%"), ("late", "ms")];

/// 100 tasks that come 1 ms apart to a release each 5 ms.
pub(crate) fn order(report: &mut Report) {
    let of = "order, 100 tasks";
    report.table(of, &ORDER);
    type Run = fn() -> [f64; 2];
    let contenders: [(&str, Run); 5] = [
        (Ours::NAME, in_order::<Ours>),
        (Governor::NAME, in_order::<Governor>),
        (Leaky::NAME, in_order::<Leaky>),
        (Tower::NAME, in_order::<Tower>),
        (Ticks::NAME, in_order::<Ticks>),
    ];
    for (name, run) in contenders {
        report.row(of, name, &ORDER, &run());
    }
}

fn in_order<C: Contender>() -> [f64; 2] {
    const TASKS: usize = 100;
    let interval = Duration::from_millis(5);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let contender = C::new(interval);
        let through = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now();
        let mut tasks = Vec::new();
        for n in 0..TASKS {
            let (contender, through) = (contender.clone(), Arc::clone(&through));
            tasks.push(tokio::spawn(async move {
                contender.acquire().await;
                through.lock().unwrap().push(n);
            }));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        let late = start.elapsed().as_secs_f64() * 1e3
            - (interval.as_secs_f64() * 1e3 * (TASKS - 1) as f64);
        let through = through.lock().unwrap();
        let pairs = TASKS * (TASKS - 1) / 2;
        let inverted: usize = (0..TASKS)
            .map(|at| {
                through[at + 1..]
                    .iter()
                    .filter(|&&later| later < through[at])
                    .count()
            })
            .sum();
        [100.0 * inverted as f64 / pairs as f64, late]
    })
}
