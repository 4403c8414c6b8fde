//! What those who leave cost those behind them: half of 64 waiters leave before their turn, the head of the line among them.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use apiqueue_benches::report::{Better, Column, Report, Table, column};

use crate::contenders::{Entry, Pace, Tasks, Threads, every_task, every_thread, runtime};

const INTERVAL: Duration = Duration::from_millis(5);
const STAY: usize = 32;
/// So many leave side by side: one may just have been told something that the next ones must hear of.
const PAIR: usize = 2;
/// Whoever leaves does so before the second turn.
const LEAVE_AFTER: Duration = Duration::from_millis(2);
/// No run of theirs takes a tenth of that, unless it hangs.
const HUNG: Duration = Duration::from_secs(4);
const COLUMNS: [Column; 2] = [
    column("turns lost to 32 who leave", "", Better::Less),
    column("runs that hang", "%", Better::Less),
];

/// How long those who stay take, with or without others between them who leave. None when they hang.
type Run = fn(bool) -> Option<Duration>;

pub(crate) fn run(report: &mut Report, quick: bool) {
    let rounds = if quick { 1 } else { 12 };
    let tasks: [Entry<Run>; 7] = every_task!(tasks as Run);
    let threads: [Entry<Run>; 4] = every_thread!(
        threads as Run,
        Ours,
        GovernorSleeps,
        RatelimitSleeps,
        OwnLine
    );
    let mut table = Table::new(
        "peers-cancel",
        format!("{STAY} who stay and {STAY} who leave, one release each {INTERVAL:?}"),
        &COLUMNS,
    );
    let mut hung = vec![0_u32; tasks.len() + threads.len()];
    let mut lost = vec![Vec::new(); hung.len()];
    for _ in 0..rounds {
        for (at, (.., run)) in tasks.iter().chain(&threads).enumerate() {
            match (run(false), run(true)) {
                (Some(without), Some(with)) => {
                    let turns =
                        (with.as_secs_f64() - without.as_secs_f64()) / INTERVAL.as_secs_f64();
                    // Whole ones: what is left is how late the last one woke.
                    lost[at].push(turns.round().max(0.0));
                }
                _ => hung[at] += 1,
            }
        }
    }
    for (at, (name, role, _)) in tasks.iter().chain(&threads).enumerate() {
        let hung = 100.0 * f64::from(hung[at]) / f64::from(rounds);
        if lost[at].is_empty() {
            table.add(name, *role, &[f64::NAN, hung]);
        }
        for turns in &lost[at] {
            table.add(name, *role, &[*turns, hung]);
        }
    }
    report.show(table);
}

fn tasks<C: Tasks>(some_leave: bool) -> Option<Duration> {
    let runtime = runtime();
    let contender = {
        let _inside = runtime.enter();
        C::new(Pace::every(INTERVAL))
    };
    let elapsed = runtime.block_on(async {
        contender.acquire().await;
        let start = Instant::now();
        let (mut stay, mut leave) = (Vec::new(), Vec::new());
        for _ in 0..STAY / PAIR {
            let pair = || {
                (0..PAIR).map(|_| {
                    let contender = contender.clone();
                    tokio::spawn(async move { contender.acquire().await })
                })
            };
            if some_leave {
                leave.extend(pair());
            }
            stay.extend(pair());
        }
        thread::sleep(LEAVE_AFTER);
        leave.iter().for_each(tokio::task::JoinHandle::abort);
        let all = async {
            for task in stay {
                task.await.unwrap();
            }
        };
        let in_time = tokio::time::timeout(HUNG, all).await;
        in_time.ok().map(|()| start.elapsed())
    });
    runtime.shutdown_timeout(Duration::from_secs(2));
    elapsed
}

fn threads<C: Threads>(some_leave: bool) -> Option<Duration> {
    let contender = C::new(Pace::every(INTERVAL));
    contender.acquire();
    let start = Instant::now();
    let last = Mutex::new(Some(Duration::ZERO));
    thread::scope(|scope| {
        let staying = || {
            let through = contender.acquire_until(start + HUNG);
            let elapsed = start.elapsed();
            let mut last = last.lock().unwrap();
            *last = last.filter(|_| through).map(|known| known.max(elapsed));
        };
        for _ in 0..STAY / PAIR {
            if some_leave {
                for _ in 0..PAIR {
                    scope.spawn(|| contender.acquire_until(start + LEAVE_AFTER));
                }
            }
            for _ in 0..PAIR {
                scope.spawn(staying);
            }
        }
    });
    last.into_inner().unwrap()
}
