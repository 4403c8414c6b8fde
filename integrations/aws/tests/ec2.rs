//! The real SDK for EC2 over real sockets, against the throttling endpoint of the `scan` example.
#![allow(clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "../examples/snapshots/listing.rs"]
#[expect(dead_code, reason = "how long it took is for the example's table")]
mod listing;

use std::time::Duration;

use apiqueue::{Limit, Limits, Rate, Registry, Route, Stop, Throttled};
use apiqueue_aws::{Attempt, Paced};
use apiqueue_scan::{Buckets, Endpoint, limits};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_ec2::config::Credentials;

const SNAPSHOTS: &str = "ec2/eu-west-1/DescribeSnapshots";

/// The account's numbers at `scale` times EC2's pace; unfiltered listings have a bucket of one call, for an hour.
fn endpoint(scale: f64) -> Endpoint {
    let scanned = limits::Limit {
        size: 1,
        refill: 1.0 / 3600.0 / scale,
    };
    Endpoint::start(Buckets::new(scanned, scale)).unwrap()
}

fn registry(rate: Rate) -> Registry<String> {
    Registry::from(Limits::new(Limit::None).set("ec2/*/Describe*", Limit::rate(rate)))
}

fn loader(endpoint: &Endpoint) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint.url())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("EXAMPLE", "example", None, None, "test"))
}

async fn paced(endpoint: &Endpoint, registry: &Registry<String>) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let held = Throttled::default().without_hint(Duration::from_millis(20));
    let route = Route::keyed(registry.clone(), Attempt::key).hold(held);
    let config = loader(endpoint).http_client(http).load().await;
    Paced::routed(route).config(&config).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paced_listings_are_never_throttled_and_others_are() {
    // With so few permits a second some are, however slow this machine is; whether all listings fail does not matter.
    let server = endpoint(0.5);
    let http = aws_smithy_http_client::Builder::new().build_http();
    let bare = loader(&server).http_client(http);
    let bare = bare.retry_config(RetryConfig::disabled()).load().await;
    let _ = listing::run(&bare, 16, 100).await;
    assert!(server.stop() > 0);

    let server = endpoint(5.0);
    let registry = registry(Rate::per_second(90).unwrap());
    let config = paced(&server, &registry).await;
    let paced = listing::run(&config, 16, 100).await.unwrap();
    assert_eq!((paced.retries, paced.failed), (0, 0), "{paced:?}");
    assert_eq!(paced.snapshots, 16 * 2_000);
    assert_eq!(server.stop(), 0);
    // A page a turn: each listing has twenty.
    let queue = registry.queue(SNAPSHOTS).unwrap().unwrap();
    assert_eq!((queue.stats().released, paced.attempts), (320, 320));
}

#[tokio::test]
async fn every_retry_waits_its_turn_and_a_throttling_answer_holds_the_queue() {
    let server = endpoint(1.0);
    let registry = registry(Rate::per_second(1_000).unwrap());
    let config = paced(&server, &registry).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    ec2.describe_snapshots().send().await.unwrap();
    let why = ec2.describe_snapshots().send().await.unwrap_err();
    assert_eq!(
        why.into_service_error().meta().code(),
        Some("RequestLimitExceeded")
    );
    let queue = registry.queue(SNAPSHOTS).unwrap().unwrap();
    assert_eq!(queue.stats().released, 1 + 3, "the SDK's three attempts");
    assert_eq!(server.stop(), 3);
}

#[tokio::test]
async fn other_operations_do_not_wait() {
    let server = endpoint(1.0);
    let registry = registry(Rate::every(Duration::from_secs(3600)).unwrap());
    let config = paced(&server, &registry).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    ec2.describe_volumes().max_results(5).send().await.unwrap();
    for _ in 0..3 {
        ec2.terminate_instances()
            .instance_ids("i-0")
            .send()
            .await
            .unwrap();
    }
    let limit = Duration::from_millis(20);
    let waits = tokio::time::timeout(limit, ec2.describe_volumes().max_results(5).send()).await;
    assert!(waits.is_err(), "an hour is not over");
    let volumes = "ec2/eu-west-1/DescribeVolumes";
    let queue = registry.queue(volumes).unwrap().unwrap();
    assert_eq!(queue.stats().cancelled, 1, "the dropped call left the line");
    let _ = server.stop();
}

#[tokio::test]
async fn a_stopped_queue_is_an_error_that_is_not_retried() {
    let server = endpoint(1.0);
    let registry = registry(Rate::per_second(1_000).unwrap());
    let config = paced(&server, &registry).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    ec2.describe_volumes().max_results(5).send().await.unwrap();
    registry.stop(Stop::Now);
    let why = ec2
        .describe_volumes()
        .max_results(5)
        .send()
        .await
        .unwrap_err();
    let told = format!("{}", aws_sdk_ec2::error::DisplayErrorContext(&why));
    assert!(told.contains("closed"), "{told}");
    let queue = registry.queue("ec2/eu-west-1/DescribeVolumes");
    let queue = queue.unwrap().unwrap();
    assert_eq!(queue.stats().released, 1);
    let _ = server.stop();
}
