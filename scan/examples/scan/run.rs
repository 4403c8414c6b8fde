//! One mode from start to end: its endpoint, the scanner, the bystander beside it, and the bar.

use std::sync::Arc;
use std::thread;

use apiqueue_scan::limits::Limit;
use apiqueue_scan::{Buckets, Endpoint};
use cpu_time::ProcessTime;

use crate::bystander::{self, Seen};
use crate::client::{Client, Failure};
use crate::interrupt::End;
use crate::modes::Mode;
use crate::options::Options;
use crate::progress;
use crate::scanner::Scanner;
use crate::tally::{Bin, Tally};

/// What a mode came to.
pub(crate) struct Outcome {
    pub(crate) mode: Mode,
    /// From the first call to the last, in seconds.
    pub(crate) wall: f64,
    /// What it would be if calls took no time.
    pub(crate) ideal: f64,
    /// Items done, which is the EC2 calls that were not throttled unless the scan was interrupted.
    pub(crate) items: usize,
    /// The scanner's EC2 calls that were throttled, and had to be made again.
    pub(crate) wasted: usize,
    pub(crate) bystander: Seen,
    /// Of this process, the endpoint in it included, in seconds.
    pub(crate) cpu: f64,
    pub(crate) bins: Vec<Bin>,
}

impl Outcome {
    /// All calls on the account that were throttled.
    pub(crate) fn throttled(&self) -> usize {
        self.wasted + self.bystander.describe.failed + self.bystander.launch.failed
    }
}

/// Runs `mode` on a bucket that is full at the start, until all is done or `end` is raised.
///
/// # Errors
/// A call that was not answered as expected, or a count of the endpoint's that differs from the clients'.
pub(crate) fn run(mode: Mode, options: &Options, end: &Arc<End>) -> Result<Outcome, Failure> {
    let endpoint = match options.endpoint {
        Some(_) => None,
        None => Some(Endpoint::start(buckets(options))?),
    };
    let url = endpoint.as_ref().map(Endpoint::url);
    let url = options.endpoint.as_ref().or(url.as_ref());
    let outcome = scan(mode, options, url.map_or("", String::as_str), end)?;
    if let Some(counted) = endpoint.map(Endpoint::stop)
        && counted != outcome.throttled()
    {
        let seen = outcome.throttled();
        return Err(
            format!("the endpoint throttled {counted} calls, its clients saw {seen}").into(),
        );
    }
    Ok(outcome)
}

pub(crate) fn buckets(options: &Options) -> Buckets {
    let scanned = Limit {
        size: options.bucket,
        refill: options.refill_unscaled(),
    };
    Buckets::new(scanned, options.scale())
}

fn scan(mode: Mode, options: &Options, url: &str, end: &Arc<End>) -> Result<Outcome, Failure> {
    let client = |user, connections| Client::new(url, user, connections, options.timeout());
    let (scanners, group) = (
        client("scanner", options.threads.into()),
        client("auto-scaling", 1),
    );
    let pace = mode.pace(options, end)?;
    let cpu = ProcessTime::try_now()?;
    let tally = Tally::new();
    let (scanned, wall, cpu, seen) = thread::scope(|scope| {
        let bar = scope.spawn(|| progress::run(mode, options, &*pace, &tally, end));
        let bystander = scope.spawn(|| bystander::run(options, &group, end));
        let scanned = Scanner {
            options,
            client: &scanners,
            pace: &*pace,
            tally: &tally,
            end,
        }
        .run();
        let (wall, cpu) = (tally.elapsed(), cpu.try_elapsed());
        end.raise();
        let seen = bystander
            .join()
            .unwrap_or_else(|_| Err("the bystander's thread panicked".into()));
        // A bar that panicked is only a missing bar.
        let _ = bar.join();
        (scanned, wall, cpu, seen)
    });
    scanned?;
    Ok(Outcome {
        mode,
        wall: wall.as_secs_f64(),
        ideal: mode.ideal(options),
        items: tally.items(),
        wasted: tally.throttled(),
        bystander: seen?,
        cpu: cpu?.as_secs_f64(),
        bins: tally.into_bins(),
    })
}
