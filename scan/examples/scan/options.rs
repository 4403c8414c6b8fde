//! What may be asked for on the command line, and the numbers that follow from it.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use apiqueue_scan::limits;
use clap::Parser;
use ureq::http::Uri;

use crate::modes::Mode;

/// Calls to other services that go with each EC2 call: a snapshot's key, its trail and its price, say.
pub(crate) const OTHER_SERVICES: [&str; 3] = ["kms", "trail", "price"];

/// The part of the refill and of the bucket that the queue takes by default. The rest is for others on the account.
const SHARE: f64 = 0.9;

/// Scans an API that throttles the whole account, once in each mode, and shows what that does to somebody else on the
/// account.
///
/// Each item is one EC2 call, which is throttled, and three calls to other services, which are not.
#[derive(Parser)]
#[command(
    after_help = "Ctrl-C ends softly and still reports (exit code 130), a second one ends at once."
)]
pub(crate) struct Options {
    /// Runs this mode only (default: all, one after the other)
    #[arg(long)]
    pub(crate) mode: Option<Mode>,

    /// Threads of the scanner
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) threads: u16,

    /// Snapshots to list in each mode
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) calls: u32,

    /// How many times faster than EC2 refills and backoffs go. Buckets keep their size [default: 32, with --endpoint 1]
    #[arg(long, value_name = "X", value_parser = number(0.1..=1000.0))]
    scale: Option<f64>,

    /// The account's bucket for the scanned action: calls that it allows at once
    #[arg(long, value_name = "N", default_value_t = limits::SCANNED.size, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) bucket: u32,

    /// The bucket's refill in calls per second, before --scale
    #[arg(long, value_name = "RATE", default_value_t = limits::SCANNED.refill, value_parser = number(0.01..=10_000.0))]
    refill: f64,

    /// The rate of the modes `latency` and `queue` in calls per second, as is [default: nine tenths of the scaled refill]
    #[arg(long, value_name = "RATE", value_parser = number(0.01..=1_000_000.0))]
    rate: Option<f64>,

    /// The queue uses the bucket's full start too: N calls at once [default N: nine tenths of the bucket]
    #[arg(long, value_name = "N", num_args = 0..=1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    burst: Option<Option<u32>>,

    /// Scans this server (http only) in place of the one inside. It gets GET requests for `URL/?Action=…` and for
    /// `URL/kms`, `URL/trail` and `URL/price`, and answers with status 200, or 429 or 503 for a throttled call
    #[arg(long, value_name = "URL", value_parser = plain_http)]
    pub(crate) endpoint: Option<String>,

    /// The mode `queue` takes its turns from a schedule on this Redis, which it shares with all others who do: one bucket for
    /// several of these programs. `--rate` is then that of all of them together
    #[arg(long, value_name = "REDIS-URL")]
    pub(crate) fleet: Option<String>,

    /// Scans nothing, but serves the endpoint for others to scan, until Ctrl-C
    #[arg(long, conflicts_with_all = ["endpoint", "fleet", "mode"])]
    pub(crate) serve: bool,

    /// How long a call may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = number(0.1..=600.0))]
    timeout: f64,

    /// Where the picture goes: PREFIX.svg and PREFIX.png
    #[arg(long, value_name = "PREFIX", default_value = "target/scan")]
    pub(crate) picture: PathBuf,

    /// One JSON object a line for each mode, in place of the table
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    /// How many times faster than EC2's the time goes here. That of somebody's own server is as it is.
    pub(crate) fn scale(&self) -> f64 {
        let usual = if self.endpoint.is_some() { 1.0 } else { 32.0 };
        self.scale.unwrap_or(usual)
    }

    /// The refill of the scanned action, in calls per real second.
    pub(crate) fn refill(&self) -> f64 {
        self.refill * self.scale()
    }

    /// The refill of the scanned action, in calls per second of EC2's time.
    pub(crate) fn refill_unscaled(&self) -> f64 {
        self.refill
    }

    /// The most calls to EC2 that a mode which keeps to a rate makes in a real second.
    pub(crate) fn rate(&self) -> f64 {
        self.rate.unwrap_or(self.refill() * SHARE)
    }

    /// How many calls the queue lets go at once. One: the first need not wait for anything.
    pub(crate) fn burst(&self) -> u32 {
        match self.burst {
            None => 1,
            Some(None) => ((f64::from(self.bucket) * SHARE) as u32).max(1),
            Some(Some(n)) => n,
        }
    }

    /// What the mode `latency` puts before every call to every service. With it the threads stay under the rate even
    /// when all of them happen to make EC2 calls only, which is what a delay that knows no services has to allow for. They
    /// may make them at once, so the bucket has to hold a call for each.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.threads) / self.rate())
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }
}

fn number(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) => Err(format!("it is not in {}..={}", range.start(), range.end())),
        Err(_) => Err("it is not a number".into()),
    }
}

/// A URL that paths and queries can be put behind.
fn plain_http(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|why| format!("{why}"))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) if !host.is_empty() => {}
        (Some(other), _) if other != "http" => {
            return Err(format!("{other} is not spoken here, only http"));
        }
        _ => return Err("it has to look like http://host:port/path".into()),
    }
    if uri.query().is_some() {
        return Err("it may not have a query".into());
    }
    Ok(text.trim_end_matches('/').to_owned())
}
