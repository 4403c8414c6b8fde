//! Memory of each waiter, what coming and leaving costs with many in line, and allocations.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue_benches::allocations::counted;
use apiqueue_benches::report::{Better, Column, Report, Role, Table, column};
use futures_lite::future::block_on;

use crate::contenders::{Entry, OwnLine, Pace, Tasks, Threads, every_task, every_thread, runtime};

const LINE: [Column; 3] = [
    column("bytes", "each", Better::Less),
    column("to come", "ns", Better::Less),
    column("to leave", "ns", Better::Less),
];
const ALLOCATIONS: [Column; 2] = [
    column("a permit is free", "allocations each", Better::Less),
    column("16 wait at 1 ms", "allocations each", Better::Less),
];

type InLine = fn(usize) -> [f64; 3];
type Calls = fn(Duration) -> [f64; 2];

pub(crate) fn run(report: &mut Report, quick: bool) {
    let (rounds, waiters) = if quick { (1, 20_000) } else { (3, 100_000) };
    let mut table = Table::new(
        "peers-memory",
        format!("{waiters} waiters in line, their futures included"),
        &LINE,
    );
    let tasks: [Entry<InLine>; 7] = every_task!(line as InLine);
    for _ in 0..rounds {
        let waker = [size_of::<Waker>() as f64, f64::NAN, f64::NAN];
        table.add("one waker", Role::Machine, &waker);
        for (name, role, run) in &tasks {
            table.add(name, *role, &run(waiters));
        }
        table.add(OwnLine::NAME, OwnLine::ROLE, &own_line(waiters));
    }
    report.show(table);

    let mut table = Table::new("peers-allocations", "Allocations", &ALLOCATIONS);
    let time = Duration::from_millis(if quick { 50 } else { 500 });
    let tasks: [Entry<Calls>; 7] = every_task!(by_tasks as Calls);
    let threads: [Entry<Calls>; 5] = every_thread!(by_threads as Calls);
    for (name, role, run) in tasks.iter().chain(&threads) {
        table.add(name, *role, &run(time));
    }
    report.show(table);
}

/// Futures polled once each, in boxes of their own. What the contender itself takes counts: a ring is memory too.
fn line<C: Tasks>(waiters: usize) -> [f64; 3] {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hour = Pace::every(Duration::from_secs(3600));
    let (contender, own) = counted(|| C::new(hour.waiting(waiters)));
    block_on(contender.acquire());
    let mut cx = Context::from_waker(Waker::noop());
    let mut line = Vec::with_capacity(waiters);
    let (come, queued) = counted(|| {
        let start = Instant::now();
        for _ in 0..waiters {
            let mut future = Box::pin(contender.acquire());
            assert!(Pin::as_mut(&mut future).poll(&mut cx).is_pending());
            line.push(future);
        }
        start.elapsed()
    });
    let start = Instant::now();
    // From the back, so that each leaves a line that is as long as it says.
    while let Some(future) = line.pop() {
        drop(future);
    }
    let leave = start.elapsed();
    let each = |time: Duration| time.as_nanos() as f64 / waiters as f64;
    [
        (own.bytes + queued.bytes) as f64 / waiters as f64,
        each(come),
        each(leave),
    ]
}

/// Nobody can leave it.
fn own_line(waiters: usize) -> [f64; 3] {
    let mut line = Vec::with_capacity(waiters);
    let mut come = Duration::ZERO;
    let (_own, counted) = counted(|| {
        let own = OwnLine::new(Pace::every(Duration::from_secs(3600)));
        own.acquire();
        let start = Instant::now();
        line.extend((0..waiters).map(|_| own.join()));
        come = start.elapsed();
        own
    });
    let waiters = waiters as f64;
    [
        counted.bytes as f64 / waiters,
        come.as_nanos() as f64 / waiters,
        f64::NAN,
    ]
}

fn by_tasks<C: Tasks>(time: Duration) -> [f64; 2] {
    const CALLS: u32 = 1000;
    let runtime = runtime();
    let _inside = runtime.enter();
    let contender = C::new(Pace::unlimited());
    let free = || (0..CALLS).for_each(|_| block_on(contender.acquire()));
    free();
    let ((), counted_free) = counted(free);

    let contender = C::new(Pace::every(Duration::from_millis(1)));
    let through = Arc::new(AtomicU64::new(0));
    for _ in 0..16 {
        let (contender, through) = (contender.clone(), Arc::clone(&through));
        runtime.spawn(async move {
            loop {
                contender.acquire().await;
                through.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    thread::sleep(time);
    let first = through.load(Ordering::Relaxed);
    let ((), counted) = counted(|| thread::sleep(time));
    let calls = through.load(Ordering::Relaxed) - first;
    runtime.shutdown_timeout(Duration::from_secs(2));
    [
        counted_free.calls as f64 / f64::from(CALLS),
        counted.calls as f64 / calls as f64,
    ]
}

fn by_threads<C: Threads>(time: Duration) -> [f64; 2] {
    const CALLS: u32 = 1000;
    let contender = C::new(Pace::unlimited());
    let free = || (0..CALLS).for_each(|_| contender.acquire());
    free();
    let ((), counted_free) = counted(free);

    let contender = C::new(Pace::every(Duration::from_millis(1)));
    let through = AtomicU64::new(0);
    let end = Instant::now() + 3 * time;
    let (calls, counted) = thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while Instant::now() < end {
                    contender.acquire();
                    through.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(time);
        let first = through.load(Ordering::Relaxed);
        let ((), counted) = counted(|| thread::sleep(time));
        (through.load(Ordering::Relaxed) - first, counted)
    });
    [
        counted_free.calls as f64 / f64::from(CALLS),
        counted.calls as f64 / calls as f64,
    ]
}
