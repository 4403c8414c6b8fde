//! Which of the SDK's timeouts count the wait in line.

use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Closed};
use apiqueue_aws::{NoHttpClient, Paced};
use apiqueue_loopback::Loopback;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_sdk_polly::Client;
use aws_sdk_polly::error::SdkError;

use crate::setup::{HOUR, call, loader, only};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_millis(400);

/// Whose first call passes and whose second waits for `interval` of real time.
async fn second_call_waits(interval: Duration, loader: ConfigLoader) -> (ApiQueue, Client) {
    let queue = ApiQueue::builder().every(interval).start().unwrap();
    let config = Paced::routed(only(&queue))
        .config(&loader.load().await)
        .unwrap();
    let _ = queue.try_acquire();
    (queue, Client::new(&config))
}

#[tokio::test]
async fn the_operation_timeout_counts_the_wait() {
    let server = Loopback::start();
    let timeouts = TimeoutConfig::builder().operation_timeout(SHORT).build();
    let loader = loader(&server, "/").timeout_config(timeouts);
    let (queue, client) = second_call_waits(HOUR, loader).await;
    let why = client.delete_lexicon().name("x").send().await.unwrap_err();
    assert!(matches!(why, SdkError::TimeoutError(_)), "{why:?}");
    assert_eq!((queue.stats().cancelled, queue.under_way()), (1, 0));
    assert!(server.arrivals().is_empty());
}

#[tokio::test]
async fn a_configurations_attempt_timeout_begins_at_the_turn() {
    let server = Loopback::start();
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(SHORT);
    let timeouts = timeouts.build();
    let waits = loader(&server, "/").timeout_config(timeouts.clone());
    let (_, client) = second_call_waits(LONG, waits).await;
    assert!(
        call(&client).await,
        "the line takes longer than the timeout"
    );

    let hangs = loader(&server, "/hang").timeout_config(timeouts);
    let (queue, client) = second_call_waits(Duration::from_millis(1), hangs).await;
    let before = server.arrivals().len();
    let why = client.delete_lexicon().name("x").send().await.unwrap_err();
    let told = format!("{}", aws_sdk_polly::error::DisplayErrorContext(&why));
    assert!(told.contains("no answer within 50ms"), "{told}");
    assert_eq!(server.arrivals().len() - before, 3, "the SDK retries it");
    assert_eq!(queue.under_way(), 0);
}

#[tokio::test]
async fn the_attempt_timeout_of_a_services_own_configuration_counts_the_wait() {
    let server = Loopback::start();
    let (queue, client) = second_call_waits(HOUR, loader(&server, "/")).await;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(SHORT);
    let config = client
        .config()
        .to_builder()
        .timeout_config(timeouts.build());
    let client = Client::from_conf(config.build());
    assert!(!call(&client).await);
    assert_eq!(queue.stats().cancelled, 3, "the SDK's three attempts");
    assert!(server.arrivals().is_empty());
}

#[tokio::test]
async fn connect_read_and_stalled_stream_times_do_not_count_the_wait() {
    let server = Loopback::start();
    let timeouts = TimeoutConfig::builder().connect_timeout(SHORT);
    let timeouts = timeouts.read_timeout(LONG / 2).build();
    let stalled = StalledStreamProtectionConfig::enabled().grace_period(SHORT);
    let loader = loader(&server, "/")
        .timeout_config(timeouts)
        .stalled_stream_protection(stalled.build());
    // The protection looks each second.
    let (_, client) = second_call_waits(Duration::from_secs(3), loader).await;
    let began = Instant::now();
    assert!(call(&client).await);
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert_eq!(server.arrivals().len(), 1, "no retry");
}

#[tokio::test]
async fn a_queue_that_is_stopped_ends_who_waits_and_the_sdk_does_not_retry() {
    let server = Loopback::start();
    let (queue, client) = second_call_waits(HOUR, loader(&server, "/")).await;
    let waits = tokio::spawn(async move { client.delete_lexicon().name("x").send().await });
    while queue.stats().depth == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let _ = queue.stop(apiqueue::Stop::Now);
    let why = waits.await.unwrap().unwrap_err();
    let told = format!("{}", aws_sdk_polly::error::DisplayErrorContext(&why));
    assert!(told.contains(&Closed.to_string()), "{told}");
    assert!(server.arrivals().is_empty());
}

#[tokio::test]
async fn a_configuration_without_an_http_client_is_refused() {
    let queue = ApiQueue::builder().every(HOUR).start().unwrap();
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .build();
    let why = Paced::routed(only(&queue)).config(&config).unwrap_err();
    assert_eq!(why, NoHttpClient);
    assert!(why.to_string().contains("http_client("), "{why}");
}
