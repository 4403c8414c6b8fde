//! The real SDK lists snapshots page by page, many listings at a time: as it is, with every attempt in line where it is sent, and
//! with every attempt in line before it is signed.
//!
//! `cargo run --release --example snapshots` does that on a throttling endpoint on loopback. With `--real` it uses the
//! usual AWS configuration (environment, profile, `AWS_ENDPOINT_URL`) and lists that account's own snapshots, in line before the
//! signature alone.

mod account;
mod listing;

use std::error::Error;
use std::process::ExitCode;

use apiqueue::{Limit, Limits, Rate, Registry};
use apiqueue_aws::Paced;
use apiqueue_scan::{Buckets, Endpoint, limits};
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_ec2::config::Credentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use clap::{Parser, ValueEnum};

use crate::listing::Failure;

/// Lists snapshots with the AWS SDK, with and without a queue before it.
#[derive(Parser)]
struct Options {
    /// Listings at the same time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    listings: u32,
    /// Snapshots on a page.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i32).range(5..=1_000))]
    page: i32,
    /// Pages per second that the queue lets through. On loopback 90; with `--real` what AWS publishes, less a tenth.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
    /// How many times faster than EC2's the buckets on loopback are refilled.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    scale: u32,
    /// What to run.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Mode::Retry, Mode::Queue])]
    modes: Vec<Mode>,
    /// The account of the usual AWS configuration in place of an endpoint on loopback.
    #[arg(long)]
    real: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The SDK alone.
    Retry,
    /// Attempts wait in the HTTP client, after they were signed.
    Client,
    /// Attempts wait before they are signed.
    Queue,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("snapshots: {}", causes(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Failure> {
    if options.real {
        return on_account(options).await;
    }
    println!("mode   time s  snapshots  attempts  retries  failed listings");
    for &mode in &options.modes {
        // A new account's worth of buckets for each.
        let buckets = Buckets::new(limits::SCANNED, options.scale.into());
        let endpoint = Endpoint::start(buckets)?;
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = on_loopback(&endpoint.url()).http_client(http).load().await;
        let rate = Rate::per_second(options.rate.unwrap_or(90))?;
        let limits = Limits::new(Limit::None).set("ec2/*/Describe*", Limit::rate(rate));
        let paced = Paced::new(Registry::from(limits));
        let config = match mode {
            Mode::Retry => config,
            Mode::Client => in_client(&config, &paced)?,
            Mode::Queue => paced.config(&config)?,
        };
        list(options, mode, &config).await?;
        let throttled = endpoint.stop();
        if mode == Mode::Queue && throttled > 0 {
            return Err(format!("{throttled} attempts were throttled all the same").into());
        }
    }
    Ok(())
}

async fn on_account(options: &Options) -> Result<(), Failure> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    let config = loader.load().await;
    account::check(&config).await?;
    // Here each call asks for a page, so that the larger of EC2's buckets counts.
    let rate = match options.rate {
        Some(rate) => Rate::per_second(rate)?,
        None => Rate::per_second(20)?.burst(100)?.leave_percent(10)?,
    };
    let limits = Limits::aws().set("ec2/*/DescribeSnapshots", Limit::rate(rate));
    let config = Paced::new(Registry::from(limits)).config(&config)?;
    println!("{rate}");
    println!("mode   time s  snapshots  attempts  retries  failed listings");
    list(options, Mode::Queue, &config).await
}

async fn list(options: &Options, mode: Mode, config: &SdkConfig) -> Result<(), Failure> {
    let outcome = listing::run(config, options.listings, options.page).await?;
    println!(
        "{:<6} {:>6.2}  {:>9}  {:>8}  {:>7}  {:>15}",
        format!("{mode:?}").to_lowercase(),
        outcome.time.as_secs_f64(),
        outcome.snapshots,
        outcome.attempts,
        outcome.retries,
        outcome.failed
    );
    Ok(())
}

/// What was the way before there was an identity cache to wait in.
fn in_client(config: &SdkConfig, paced: &Paced) -> Result<SdkConfig, Failure> {
    let http = config.http_client().ok_or("no HTTP client")?;
    let builder = config.to_builder().http_client(paced.http_client(http));
    Ok(builder.build())
}

fn on_loopback(url: &str) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new(
            "EXAMPLE", "example", None, None, "loopback",
        ))
}

/// An error with all of its causes, one behind the other. The SDK's own says nothing but "dispatch failure".
fn causes(failure: &(dyn Error + 'static)) -> String {
    let all = std::iter::successors(Some(failure), |&cause| cause.source());
    let mut said: Vec<String> = all.map(ToString::to_string).collect();
    // Some repeat the next one in their own text.
    said.dedup_by(|next, before| before.ends_with(&*next));
    said.join(": ")
}
