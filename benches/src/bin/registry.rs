//! Whether a registry of 100,000 keys keeps their rates on one core, with a tenth of them in line: each on its own, and all on one
//! account. `cargo run --release -p apiqueue-benches --bin registry`. Linux only.
//!
//! Takes about a minute and a half; `-- --quick` about 15 seconds. The whole process is kept on one core.
#![allow(clippy::unwrap_used, missing_docs, unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{Account, ApiQueue, Builder, Limit, Rate, Registry, Waiter};

const KEYS: u32 = 100_000;
const IN_LINE: u32 = KEYS / 10;
/// Waiters of each key in line.
const LINE: usize = 32;

fn main() {
    on_one_core();
    let quick = std::env::args().any(|argument| argument == "--quick");
    let time = Duration::from_secs(if quick { 2 } else { 10 });
    println!("{KEYS} keys, {IN_LINE} of them in line, on one core, for {time:?}");
    for interval in [8, 4, 2, 1] {
        let interval = Duration::from_secs(interval);
        let asked = f64::from(IN_LINE) / interval.as_secs_f64();
        let name = format!("each on its own, a release each {interval:?}");
        measure(&name, asked, time, ApiQueue::builder().every(interval));
    }
    for per_second in [1_000, 5_000, 10_000, 20_000] {
        let rate = Rate::per_second(per_second).unwrap();
        let account = Account::builder().limit(rate).start().unwrap();
        let name = format!("all on one account, {per_second} releases a second");
        let builder = ApiQueue::builder().within(&account);
        measure(&name, f64::from(per_second), time, builder);
    }
}

/// Keeps this thread, and those that it starts, on the first core that it may use.
fn on_one_core() {
    // SAFETY: a set of cores is plain bits, which live through both calls.
    unsafe {
        let mut may: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        assert_eq!(libc::sched_getaffinity(0, size, &raw mut may), 0);
        let first = (0..libc::CPU_SETSIZE as usize).find(|&core| libc::CPU_ISSET(core, &may));
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(first.unwrap(), &mut one);
        assert_eq!(libc::sched_setaffinity(0, size, &raw const one), 0);
    }
}

fn measure(name: &str, asked: f64, time: Duration, builder: Builder) {
    let builder = builder.capacity(LINE);
    let registry: Registry<u32> = Registry::new(move |_| Limit::Queue(builder.clone()));
    for key in 0..KEYS {
        drop(registry.queue(&key).unwrap().unwrap());
    }
    let queues: Vec<ApiQueue> = (0..IN_LINE)
        .map(|n| registry.queue(&(n * (KEYS / IN_LINE))).unwrap().unwrap())
        .collect();
    // The keys begin one after the other in the first interval, as those of a program do, and not all at the same moment.
    let spread = Duration::from_secs_f64(f64::from(IN_LINE) / asked);
    let start = Instant::now();
    let waiters: Vec<Vec<Waiter>> = (0..)
        .zip(&queues)
        .map(|(n, queue)| {
            if n % 100 == 0 {
                let begins = start + spread * n / IN_LINE;
                thread::sleep(begins.saturating_duration_since(Instant::now()));
            }
            (0..LINE).map(|_| queue.enqueue().unwrap()).collect()
        })
        .collect();
    let released = || -> u64 { queues.iter().map(|queue| queue.stats().released).sum() };
    // Each queue's count is read as long after its first one as the whole takes.
    let from = Instant::now();
    let first = released();
    let (counted, used) = (from.elapsed(), cpu());
    thread::sleep(time - counted);
    let used = (cpu() - used).as_secs_f64() / (time - counted).as_secs_f64();
    let took = from.elapsed().as_secs_f64();
    let rate = (released() - first) as f64 / took;
    println!(
        "  {name}: {rate:.0} a second of {asked:.0} ({:.2} %), {:.1} % of the core",
        100.0 * rate / asked,
        100.0 * used
    );
    assert!(
        waiters.iter().flatten().any(Waiter::is_waiting),
        "all have gone"
    );
}

/// The processor time of this process so far.
fn cpu() -> Duration {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` lives through the call, which fills it in.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut at) };
    Duration::new(at.tv_sec as u64, at.tv_nsec as u32)
}
