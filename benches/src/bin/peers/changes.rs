//! A change of rate, and a hold, with a full line: how long until they are obeyed.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue_benches::report::{Better, Column, Report, Table, column};

use crate::contenders::{Entry, Has, Pace, Tasks, Threads, every_task, every_thread, runtime};

const WAITING: usize = 64;
const FAST: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(150);
/// How many releases after the change to the faster rate are looked at.
const AFTER: u32 = 20;
/// How long a contender may take for them. Above that it does not obey.
const PATIENCE: Duration = Duration::from_millis(1500);

const COLUMNS: [Column; 4] = [
    column(
        "from 200 ms to 5 ms: first release after",
        "ms",
        Better::Less,
    ),
    column("20 releases ÷ ideal", "", Better::One),
    column(
        "from 5 ms to 200 ms: released too many in 500 ms",
        "",
        Better::Less,
    ),
    column("hold of 150 ms: released in it", "", Better::Less),
];

/// A full line whose rate can be changed.
struct Live<'a> {
    set_interval: &'a (dyn Fn(Duration) -> Has + Sync),
    hold: &'a (dyn Fn(Duration) -> Has + Sync),
    times: &'a Mutex<Vec<Instant>>,
}

type Run = fn() -> [f64; 4];

pub(crate) fn run(report: &mut Report, quick: bool) {
    let rounds = if quick { 1 } else { 5 };
    let tasks: [Entry<Run>; 7] = every_task!(tasks as Run);
    let threads: [Entry<Run>; 4] = every_thread!(
        threads as Run,
        Ours,
        GovernorSleeps,
        RatelimitSleeps,
        OwnLine
    );
    let mut table = Table::new(
        "peers-changes",
        format!("Changes with {WAITING} in line (–: it has no such thing)"),
        &COLUMNS,
    );
    for _ in 0..rounds {
        for (name, role, run) in tasks.iter().chain(&threads) {
            table.add(name, *role, &run());
        }
    }
    report.show(table);
}

impl Live<'_> {
    fn count_since(&self, since: Instant) -> usize {
        let times = self.times.lock().unwrap();
        times.iter().filter(|&&time| time > since).count()
    }

    /// Right behind one.
    fn after_a_release(&self) {
        let seen = self.times.lock().unwrap().len();
        let start = Instant::now();
        while self.times.lock().unwrap().len() == seen && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_micros(500));
        }
    }

    fn figures(&self) -> [f64; 4] {
        self.after_a_release();
        // By then all who sleep by themselves are asleep, for the old rate's time.
        thread::sleep(SLOW / 4);
        let changed = Instant::now();
        if !(self.set_interval)(FAST) {
            return [f64::NAN; 4];
        }
        while self.count_since(changed) < AFTER as usize && changed.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        let times: Vec<Instant> = {
            let times = self.times.lock().unwrap();
            times
                .iter()
                .copied()
                .filter(|&time| time > changed)
                .collect()
        };
        let nth = |n: usize| {
            let time = times.get(n).map_or(PATIENCE, |&time| time - changed);
            time.as_secs_f64()
        };
        let (first, all) = (nth(0), nth(AFTER as usize - 1));

        let paused = Instant::now();
        let held = (self.hold)(PAUSE);
        // A release that was on its way is not one too many.
        thread::sleep(Duration::from_millis(1));
        let from = Instant::now();
        thread::sleep((paused + PAUSE).saturating_duration_since(Instant::now() + FAST));
        let in_hold = self.count_since(from);
        thread::sleep(20 * FAST);

        self.after_a_release();
        let changed = Instant::now();
        (self.set_interval)(SLOW);
        thread::sleep(Duration::from_millis(1));
        let from = Instant::now();
        thread::sleep((changed + 5 * SLOW / 2).saturating_duration_since(from));
        let too_many = self.count_since(from).saturating_sub(2);
        [
            first * 1e3,
            all / (FAST * (AFTER - 1)).as_secs_f64(),
            too_many as f64,
            if held { in_hold as f64 } else { f64::NAN },
        ]
    }
}

fn tasks<C: Tasks>() -> [f64; 4] {
    let runtime = runtime();
    let inside = runtime.enter();
    let contender = C::new(Pace::every(SLOW));
    let times = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..WAITING {
        let (contender, times) = (contender.clone(), Arc::clone(&times));
        runtime.spawn(async move {
            loop {
                contender.acquire().await;
                times.lock().unwrap().push(Instant::now());
            }
        });
    }
    let figures = Live {
        set_interval: &|interval| contender.set_interval(interval),
        hold: &|pause| contender.hold(pause),
        times: &times,
    }
    .figures();
    drop(inside);
    runtime.shutdown_timeout(Duration::from_secs(2));
    figures
}

fn threads<C: Threads>() -> [f64; 4] {
    let contender = C::new(Pace::every(SLOW));
    let times = Mutex::new(Vec::new());
    let end = Instant::now() + Duration::from_millis(3500);
    let is_over = Mutex::new(false);
    thread::scope(|scope| {
        for _ in 0..WAITING {
            scope.spawn(|| {
                let soon = || (Instant::now() + Duration::from_secs(5)).min(end);
                while !*is_over.lock().unwrap() && contender.acquire_until(soon()) {
                    times.lock().unwrap().push(Instant::now());
                }
            });
        }
        let figures = Live {
            set_interval: &|interval| contender.set_interval(interval),
            hold: &|pause| contender.hold(pause),
            times: &times,
        }
        .figures();
        *is_over.lock().unwrap() = true;
        // So that they are let through soon, and end.
        contender.set_interval(Duration::from_millis(1));
        figures
    })
}
