//! What an acquire costs when a permit is free.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, CycleClock, MonotonicClock, Rate, core::Queue};
use apiqueue_benches::report::{Better, Column, Report, Role, Table, column};
use futures_lite::future::block_on;

use crate::contenders::{
    Governor, Leaky, Ours, OwnLine, Pace, RatelimitSleeps, Tasks, Threads, Ticks, Tower, runtime,
};
use crate::crowd;

const THREADS: [usize; 4] = [1, 2, 4, 8];
const COLUMNS: [Column; 4] = [
    column("1 thread", "ns", Better::Less),
    column("2 threads", "ns", Better::Less),
    column("4 threads", "ns", Better::Less),
    column("8 threads", "ns", Better::Less),
];

/// Wall time divided by the calls of all threads, which call at once.
pub(crate) fn run(report: &mut Report, quick: bool) {
    let (rounds, time) = if quick { (3, 8) } else { (15, 20) };
    let runtime = runtime();
    let _inside = runtime.enter();
    let free = Pace::unlimited();
    let always = Rate::every(free.interval).and_then(|rate| rate.burst(free.burst));
    let ours = ApiQueue::builder().rate(always.unwrap()).start().unwrap();
    let by_cycles = ApiQueue::builder()
        .rate(always.unwrap())
        .clock(Arc::new(CycleClock::new()))
        .start()
        .unwrap();
    let core: Queue<_, 64> = Queue::new(MonotonicClock, always.unwrap().into());
    let governor =
        governor::RateLimiter::direct(governor::Quota::per_second(u32::MAX.try_into().unwrap()));
    let by_system: governor::RateLimiter<_, _, _, governor::middleware::NoOpMiddleware<_>> =
        governor::RateLimiter::direct_with_clock(
            governor::Quota::per_second(u32::MAX.try_into().unwrap()),
            governor::clock::MonotonicClock,
        );
    let until_ready = Governor::new(free);
    let leaky = Leaky::new(free);
    let ratelimit = RatelimitSleeps::new(free);
    let tower = Tower::new(free);
    let semaphore = Ticks::new(free);
    let own = OwnLine::new(free);
    use Role::{Machine, Ours as We, Peer};
    let rows: [(&str, Role, &(dyn Fn() + Sync)); 16] = [
        ("Instant::now()", Machine, &|| {
            black_box(Instant::now());
        }),
        (<Ours as Threads>::NAME, We, &|| {
            ours.enqueue().unwrap().wait().unwrap();
        }),
        (<Ours as Tasks>::NAME, We, &|| {
            block_on(ours.enqueue().unwrap()).unwrap();
        }),
        ("apiqueue wait_turn", We, &|| {
            ours.wait_turn().unwrap();
        }),
        ("apiqueue wait_turn, cycle counter", We, &|| {
            by_cycles.wait_turn().unwrap();
        }),
        ("apiqueue try_acquire", We, &|| {
            ours.try_acquire().unwrap();
        }),
        ("apiqueue core, by hand", We, &|| {
            let waiter = core.enter().unwrap();
            while waiter.is_waiting() {
                let _ = core.advance();
            }
        }),
        ("apiqueue core try_acquire", We, &|| {
            core.try_acquire().unwrap();
        }),
        ("governor check", Peer, &|| governor.check().unwrap()),
        ("governor check, system clock", Peer, &|| {
            by_system.check().unwrap();
        }),
        (Governor::NAME, Peer, &|| block_on(until_ready.acquire())),
        (Leaky::NAME, Peer, &|| block_on(leaky.acquire())),
        ("ratelimit try_wait", Peer, &|| ratelimit.acquire()),
        (Tower::NAME, Peer, &|| block_on(tower.acquire())),
        (Ticks::NAME, Peer, &|| block_on(semaphore.acquire())),
        (OwnLine::NAME, Peer, &|| own.acquire()),
    ];
    let mut table = Table::new(
        "peers-cost",
        "A permit is free: wall time ÷ calls of all threads",
        &COLUMNS,
    );
    for _ in 0..rounds {
        for (name, role, call) in &rows {
            let nanos = THREADS.map(|threads| {
                1e9 / crowd::of_threads(threads, Duration::from_millis(time), *call)
            });
            table.add(name, *role, &nanos);
        }
    }
    report.show(table);
}
