//! The story that this project exists for: a scanner of many threads calls an API that throttles the whole account.
//!
//! `cargo run --release --example scan` starts a throttling HTTP endpoint on loopback (a token bucket of EC2's shape) and
//! scans it twice: with the usual retries and backoff, and through a queue. The queue's row shows no throttled call.

mod bucket;
mod endpoint;
mod scanner;

use std::process::ExitCode;
use std::time::Duration;

use apiqueue::{ApiQueue, Stop};
use clap::Parser;

use crate::bucket::Bucket;
use crate::endpoint::Endpoint;
use crate::scanner::{Mode, Outcome};

/// Scans a throttling endpoint, once with retries only, once through a queue.
#[derive(Parser)]
struct Options {
    /// Threads of the scanner.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512))]
    threads: u16,
    /// Calls to make in each mode.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    calls: u32,
    /// The account's bucket: calls that it allows at once.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    bucket: u32,
    /// The bucket's refill, in calls per second.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    refill: u32,
    /// The queue's rate, in calls per second. By default nine tenths of the refill, at least 1: the rest is left to others.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
    /// One JSON object a line for each mode, in place of the table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match scan(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("scan: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn scan(options: &Options) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let rate = options.rate.unwrap_or((options.refill * 9 / 10).max(1));
    if !options.json {
        println!(
            "{} threads, {} calls; the account's bucket holds {} and refills {} a second; the queue runs at {rate} a second\n",
            options.threads, options.calls, options.bucket, options.refill
        );
        println!(
            "{:<8} {:>8} {:>8} {:>8} {:>10}",
            "mode", "time s", "ideal s", "calls/s", "throttled"
        );
    }
    for name in ["retry", "queue"] {
        let endpoint = Endpoint::start(Bucket::new(options.bucket, f64::from(options.refill)))?;
        let url = format!("http://{}/?Action=DescribeSnapshots", endpoint.address);
        let (mode, ideal) = if name == "retry" {
            let paid = options.calls.saturating_sub(options.bucket);
            (Mode::Retry, f64::from(paid) / f64::from(options.refill))
        } else {
            let queue = ApiQueue::builder().per_second(rate).name("ec2").start()?;
            (
                Mode::Queue(queue),
                f64::from(options.calls - 1) / f64::from(rate),
            )
        };
        let outcome = scanner::run(
            &mode,
            &url,
            options.calls as usize,
            usize::from(options.threads),
        )?;
        if let Mode::Queue(queue) = mode {
            queue.stop(Stop::Drain {
                timeout: Duration::from_secs(1),
            });
        }
        let counted = endpoint.stop();
        if counted != outcome.throttled {
            return Err(format!(
                "the endpoint throttled {counted} calls, the scanner saw {}",
                outcome.throttled
            )
            .into());
        }
        report(options.json, name, ideal, &outcome);
    }
    Ok(())
}

fn report(json: bool, mode: &str, ideal: f64, outcome: &Outcome) {
    let Outcome {
        wall,
        done,
        throttled,
    } = outcome;
    let wall = wall.as_secs_f64();
    if json {
        println!(
            r#"{{"mode":"{mode}","wall_s":{wall:.3},"ideal_s":{ideal:.3},"calls":{done},"throttled":{throttled}}}"#
        );
    } else {
        let per_second = *done as f64 / wall;
        println!("{mode:<8} {wall:>8.2} {ideal:>8.2} {per_second:>8.1} {throttled:>10}");
    }
}
