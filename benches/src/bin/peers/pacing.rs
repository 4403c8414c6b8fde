//! How steadily tasks and threads are let through.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue_benches::machine::{self, Grid, Usage};
use apiqueue_benches::report::{Better, Column, Report, Role, Table, column};

use crate::busy::Busy;
use crate::contenders::{Entry, Pace, Tasks, Threads, every_task, every_thread, runtime};

const WAITING: usize = 16;
const INTERVALS: [Duration; 4] = [
    Duration::from_millis(10),
    Duration::from_millis(2),
    Duration::from_millis(1),
    Duration::from_micros(200),
];
const BUSY_INTERVALS: [Duration; 3] = [
    Duration::from_millis(10),
    Duration::from_millis(1),
    Duration::from_micros(200),
];
/// The one whose gaps are drawn.
const DRAWN: Duration = Duration::from_millis(1);
const COLUMNS: [Column; 9] = [
    column("elapsed ÷ ideal", "", Better::One),
    column("gap p1", "intervals", Better::One),
    column("p50", "", Better::One),
    column("p99", "", Better::One),
    column("max", "", Better::One),
    column("gaps < 90 %", "%", Better::Less),
    column("most in 100 ms ÷ allowed", "", Better::One),
    column("most in 1 s ÷ allowed", "", Better::One),
    column("switches", "each", Better::Less),
];

/// Gaps of a contender in intervals, over all rounds.
pub(crate) type Gaps = (&'static str, Role, Vec<f64>);

type Run = fn(Duration, Duration) -> Paced;

/// When the calls were made, and how often a thread had to wait meanwhile.
struct Paced {
    times: Vec<Instant>,
    switches: u64,
}

/// So many seconds of each interval, each contender in its turn. Gives the gaps at 1 ms.
pub(crate) fn run(report: &mut Report, quick: bool) -> Vec<Gaps> {
    let mut drawn: Vec<Gaps> = Vec::new();
    for interval in INTERVALS {
        let mut table = Table::new(
            format!("peers-pacing-{interval:?}"),
            format!("Pacing at one each {interval:?}, {WAITING} tasks or threads"),
            &COLUMNS,
        );
        paced(&mut table, interval, quick, |name, role, gaps| {
            if interval == DRAWN {
                match drawn.iter_mut().find(|(known, ..)| *known == name) {
                    Some((.., all)) => all.extend(gaps),
                    None => drawn.push((name, role, gaps)),
                }
            }
        });
        report.show(table);
    }
    drawn
}

/// The same beside two other processes that are always busy.
pub(crate) fn run_busy(report: &mut Report, quick: bool) {
    let _busy = Busy::start();
    for interval in BUSY_INTERVALS {
        let mut table = Table::new(
            format!("peers-busy-{interval:?}"),
            format!(
                "Pacing at one each {interval:?} beside two busy processes, {WAITING} tasks or threads"
            ),
            &COLUMNS,
        );
        paced(&mut table, interval, quick, |_, _, _| {});
        report.show(table);
    }
}

fn paced(
    table: &mut Table,
    interval: Duration,
    quick: bool,
    mut done: impl FnMut(&'static str, Role, Vec<f64>),
) {
    let (rounds, time) = if quick { (1, 150) } else { (3, 1500) };
    let time = Duration::from_millis(time);
    let limits: [Entry<Run>; 2] = [
        ("absolute sleeps, one thread", Role::Machine, absolute),
        ("relative sleeps, one thread", Role::Machine, relative),
    ];
    let tasks: [Entry<Run>; 9] = every_task!(
        tasks as Run,
        Ours,
        OursTask,
        ByHand,
        Governor,
        Leaky,
        LeakyBatches,
        Tower,
        TowerBatches,
        Ticks
    );
    let threaded: [Entry<Run>; 5] = every_thread!(threads as Run);
    let again: [Entry<Run>; 2] = every_thread!(threads as Run, SlotCas, OursAgain);
    for _ in 0..rounds {
        let all = limits.iter().chain(&tasks).chain(&threaded).chain(&again);
        for (name, role, run) in all {
            let paced = run(interval, time);
            let gaps = gaps(&paced.times, interval);
            table.add(name, *role, &figures(&paced, &gaps, interval));
            done(name, *role, gaps);
        }
    }
}

fn tasks<C: Tasks>(interval: Duration, time: Duration) -> Paced {
    let runtime = runtime();
    let times = Arc::new(Mutex::new(Vec::with_capacity(1 << 16)));
    let contender = {
        let _inside = runtime.enter();
        C::new(Pace::every(interval))
    };
    let before = Usage::now();
    for _ in 0..WAITING {
        let (contender, times) = (contender.clone(), Arc::clone(&times));
        runtime.spawn(async move {
            loop {
                contender.acquire().await;
                times.lock().unwrap().push(Instant::now());
            }
        });
    }
    thread::sleep(time);
    let times = std::mem::take(&mut *times.lock().unwrap());
    let switches = Usage::now().since(before).voluntary;
    runtime.shutdown_timeout(Duration::from_secs(2));
    Paced { times, switches }
}

fn threads<C: Threads>(interval: Duration, time: Duration) -> Paced {
    let contender = C::new(Pace::every(interval));
    let times = Mutex::new(Vec::with_capacity(1 << 16));
    let before = Usage::now();
    let end = Instant::now() + time;
    thread::scope(|scope| {
        for _ in 0..WAITING {
            scope.spawn(|| {
                while Instant::now() < end {
                    contender.acquire();
                    times.lock().unwrap().push(Instant::now());
                }
            });
        }
    });
    let switches = Usage::now().since(before).voluntary;
    let times = times.into_inner().unwrap();
    Paced { times, switches }
}

/// The machine's own: a thread that sleeps until each slot.
fn absolute(interval: Duration, time: Duration) -> Paced {
    sleeps(time, move |grid, n| {
        let _late = grid.sleep_until(interval * n);
    })
}

fn relative(interval: Duration, time: Duration) -> Paced {
    sleeps(time, move |_, _| thread::sleep(interval))
}

fn sleeps(time: Duration, sleep: impl Fn(Grid, u32) + Send + 'static) -> Paced {
    let sleeper = thread::spawn(move || {
        machine::sharpen();
        let before = Usage::now();
        let (grid, end) = (Grid::begin(), Instant::now() + time);
        let mut times = vec![Instant::now()];
        for n in 1.. {
            sleep(grid, n);
            times.push(Instant::now());
            if Instant::now() >= end {
                break;
            }
        }
        let switches = Usage::now().since(before).voluntary;
        Paced { times, switches }
    });
    sleeper.join().unwrap()
}

/// In intervals.
fn gaps(times: &[Instant], interval: Duration) -> Vec<f64> {
    times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64() / interval.as_secs_f64())
        .collect()
}

fn figures(paced: &Paced, gaps: &[f64], interval: Duration) -> [f64; 9] {
    let mut sorted = gaps.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).copied().unwrap_or(f64::NAN)
    };
    let short = gaps.iter().filter(|&&gap| gap < 0.9).count();
    let count = gaps.len() as f64;
    [
        gaps.iter().sum::<f64>() / count,
        at(1),
        at(50),
        at(99),
        at(100),
        100.0 * short as f64 / count,
        crowding(&paced.times, interval, Duration::from_millis(100)),
        crowding(&paced.times, interval, Duration::from_secs(1)),
        paced.switches as f64 / paced.times.len() as f64,
    ]
}

/// The most calls in any window of that length, divided by what the rate allows there. Not a number where the run was
/// shorter.
fn crowding(times: &[Instant], interval: Duration, window: Duration) -> f64 {
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return f64::NAN;
    };
    if *last - *first < window {
        return f64::NAN;
    }
    let allowed = 1 + window.as_nanos() / interval.as_nanos();
    let mut from = 0;
    let mut most = 0;
    for (at, time) in times.iter().enumerate() {
        while *time - times[from] > window {
            from += 1;
        }
        most = most.max(at + 1 - from);
    }
    most as f64 / allowed as f64
}
