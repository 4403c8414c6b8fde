//! A scan of the account in one mode, and somebody else on the account meanwhile.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::ApiQueue;

use super::api::{Answer, Bucket, Client, EC2, serve};
use crate::error::Failure;

/// How many times faster than EC2's the time goes.
pub(super) const SCALE: f64 = 32.0;
/// EC2's bucket for this action, calls at once and a second.
pub(super) const BUCKET: f64 = 50.0;
pub(super) const REFILL: f64 = 10.0 * SCALE;
pub(super) const THREADS: u32 = 16;
pub(super) const ITEMS: usize = 800;
/// What is used of the refill: the rest is for others on the account.
pub(super) const SHARE: f64 = 0.9;
/// Other services that each item calls.
const OTHERS: [&str; 3] = ["/kms", "/trail", "/price"];
/// The first and the longest backoff of an SDK, in seconds of EC2's time.
const BACKOFF: (f64, f64) = (1.0, 20.0);
/// What the bystander uses of the refill.
const BYSTANDER: f64 = 0.05;
/// How fine the picture is.
pub(super) const BIN: Duration = Duration::from_millis(100);

/// What stands between a thread and its call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Retry,
    Latency,
    Queue,
}

impl Mode {
    pub(super) const ALL: [Self; 3] = [Self::Retry, Self::Latency, Self::Queue];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Latency => "latency",
            Self::Queue => "queue",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Retry => "backs off when throttled, as every SDK does",
            Self::Latency => "delays every call to every service, as a network conditioner does",
            Self::Queue => "calls to EC2 take their turn in a queue",
        }
    }
}

/// Calls of the scanner to EC2 within one [`BIN`].
#[derive(Clone, Copy, Default)]
pub(super) struct Bin {
    pub(super) done: usize,
    pub(super) throttled: usize,
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) mode: Mode,
    pub(super) took: Duration,
    pub(super) throttled: usize,
    pub(super) bystander_calls: usize,
    pub(super) bystander_failures: usize,
    pub(super) bins: Vec<Bin>,
}

struct Scan {
    mode: Mode,
    queue: ApiQueue,
    address: SocketAddr,
    began: Instant,
    next: AtomicUsize,
    items: AtomicUsize,
    bins: Mutex<Vec<Bin>>,
    is_over: AtomicBool,
}

/// Scans; `tell` is told now and then how many items are done.
pub(super) fn run(mode: Mode, tell: impl Fn(usize) + Sync) -> Result<Outcome, Failure> {
    let failed = |why: io::Error| Failure::trouble(format_args!("the demo's API: {why}"));
    let interval = Duration::from_secs_f64((REFILL * SHARE).recip());
    let bucket = Bucket {
        size: BUCKET,
        per_second: REFILL,
    };
    let scan = Scan {
        mode,
        queue: ApiQueue::builder()
            .every(interval)
            .start()
            .map_err(Failure::trouble)?,
        address: serve(bucket).map_err(failed)?,
        began: Instant::now(),
        next: AtomicUsize::new(0),
        items: AtomicUsize::new(0),
        bins: Mutex::default(),
        is_over: AtomicBool::new(false),
    };
    let (done, took, seen) = thread::scope(|scope| {
        let bystander = scope.spawn(|| scan.bystander());
        let show = scope.spawn(|| {
            while !scan.is_over.load(Ordering::Relaxed) {
                tell(scan.items.load(Ordering::Relaxed));
                thread::sleep(BIN);
            }
        });
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| scan.work())).collect();
        let panicked = || Err(io::Error::other("a thread panicked"));
        let ends = threads
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|_| panicked()));
        let done = ends.fold(Ok(()), Result::and);
        let took = scan.began.elapsed();
        scan.is_over.store(true, Ordering::Relaxed);
        let seen = bystander
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a thread panicked")));
        drop(show.join());
        (done, took, seen)
    });
    done.map_err(failed)?;
    let (calls, failures) = seen.map_err(failed)?;
    let bins = scan
        .bins
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    Ok(Outcome {
        mode,
        took,
        throttled: bins.iter().map(|bin| bin.throttled).sum(),
        bystander_calls: calls,
        bystander_failures: failures,
        bins,
    })
}

impl Scan {
    fn work(&self) -> io::Result<()> {
        let mut client = Client::new(self.address)?;
        while self.next.fetch_add(1, Ordering::Relaxed) < ITEMS {
            for path in [EC2].into_iter().chain(OTHERS) {
                self.call_until_done(&mut client, path)?;
            }
            self.items.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn call_until_done(&self, client: &mut Client, path: &str) -> io::Result<()> {
        for attempt in 0.. {
            match self.mode {
                Mode::Retry => {}
                Mode::Latency => {
                    // So long that nothing is throttled even if all threads call EC2.
                    thread::sleep(Duration::from_secs_f64(
                        f64::from(THREADS) / (REFILL * SHARE),
                    ));
                }
                Mode::Queue if path == EC2 => {
                    self.queue.wait_turn().map_err(io::Error::other)?;
                }
                Mode::Queue => {}
            }
            let answer = client.call(path)?;
            if path == EC2 {
                self.count(answer);
            }
            if answer == Answer::Done {
                break;
            }
            let (first, most) = BACKOFF;
            let most = (first * 2_f64.powi(attempt)).min(most);
            thread::sleep(Duration::from_secs_f64(most * random() / SCALE));
        }
        Ok(())
    }

    fn count(&self, answer: Answer) {
        let bin = (self.began.elapsed().as_nanos() / BIN.as_nanos()) as usize;
        let mut bins = self.bins.lock().unwrap_or_else(PoisonError::into_inner);
        if bins.len() <= bin {
            bins.resize(bin + 1, Bin::default());
        }
        match answer {
            Answer::Done => bins[bin].done += 1,
            Answer::Throttled => bins[bin].throttled += 1,
        }
    }

    /// An auto-scaling group, which takes a throttled call as a failure: how many calls, and how many of them failed.
    fn bystander(&self) -> io::Result<(usize, usize)> {
        let mut client = Client::new(self.address)?;
        let (mut calls, mut failures) = (0, 0);
        while !self.is_over.load(Ordering::Relaxed) {
            let pause = (REFILL * BYSTANDER).recip() * (0.5 + random());
            thread::sleep(Duration::from_secs_f64(pause));
            calls += 1;
            failures += usize::from(client.call(EC2)? == Answer::Throttled);
        }
        Ok((calls, failures))
    }
}

/// In 0..1.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(0) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
