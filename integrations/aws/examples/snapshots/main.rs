//! The real SDK lists snapshots page by page, many listings at a time: once as it is, once with every attempt in line.
//!
//! `cargo run --release --example snapshots` does that on a throttling endpoint on loopback. With `--real` it uses the
//! usual AWS configuration (environment, profile, `AWS_ENDPOINT_URL`) and lists that account's own snapshots.

mod listing;

use std::process::ExitCode;

use apiqueue::{Limit, Limits, Rate, Registry};
use apiqueue_aws::Paced;
use apiqueue_scan::{Buckets, Endpoint, limits};
use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_ec2::config::Credentials;
use clap::Parser;

use crate::listing::Failure;

/// Lists snapshots with the AWS SDK, with and without a queue before it.
#[derive(Parser)]
struct Options {
    /// Listings at the same time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    listings: u32,
    /// Snapshots on a page.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i32).range(5..=1_000))]
    page: i32,
    /// Calls to describe per second that the queue lets through.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// The account of the usual AWS configuration in place of an endpoint on loopback. Without `--paced-only` this
    /// throttles it.
    #[arg(long)]
    real: bool,
    /// Leave out the run without a queue.
    #[arg(long)]
    paced_only: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("snapshots: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Failure> {
    println!("mode   time s  snapshots  attempts  retries  failed listings");
    for paced in [false, true] {
        if !paced && options.paced_only {
            continue;
        }
        let http = aws_smithy_http_client::Builder::new().build_http();
        let describe = Limit::rate(Rate::per_second(options.rate)?);
        let limits = Limits::new(Limit::None).set("ec2/*/describe", describe);
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        loader = if paced {
            loader.http_client(PacedHttpClient::new(http, Registry::from(limits)))
        } else {
            loader.http_client(http)
        };
        // A new account's worth of buckets for each mode: 100 calls, refilled at five times EC2's pace.
        let endpoint = (!options.real)
            .then(|| Endpoint::start(Buckets::new(limits::SCANNED, 5.0)))
            .transpose()?;
        if let Some(endpoint) = &endpoint {
            loader = on_loopback(loader, &endpoint.url());
        }
        let outcome = listing::run(&loader.load().await, options.listings, options.page).await?;
        println!(
            "{:<6} {:>6.2}  {:>9}  {:>8}  {:>7}  {:>15}",
            if paced { "queue" } else { "retry" },
            outcome.time.as_secs_f64(),
            outcome.snapshots,
            outcome.attempts,
            outcome.retries,
            outcome.failed
        );
        if let Some(endpoint) = endpoint {
            let throttled = endpoint.stop();
            if paced && throttled > 0 {
                return Err(format!("{throttled} attempts were throttled all the same").into());
            }
        }
    }
    Ok(())
}

fn on_loopback(loader: ConfigLoader, url: &str) -> ConfigLoader {
    loader
        .endpoint_url(url)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new(
            "EXAMPLE", "example", None, None, "loopback",
        ))
}
