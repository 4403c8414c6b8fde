//! Servers that throttle, delay, reset, hang and close in the middle, with sixty-four callers.

use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Route, Throttled, TryAcquireError};
use apiqueue_aws::Paced;
use apiqueue_loopback::Loopback;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_polly::Client;

use crate::setup::{call, loader, only};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_sixty_four_get_an_answer_or_an_error_and_nothing_stays_under_way() {
    let server = Loopback::start();
    let quick = Duration::from_millis(100);
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(quick * 20);
    let stalled = StalledStreamProtectionConfig::enabled().grace_period(quick);
    for (path, works) in [
        ("/delay/30", true),
        ("/throttle/x", false),
        ("/reset", false),
        ("/cut/200", false),
        ("/cut/503", false),
        ("/stall/200", false),
        ("/stall/400", false),
        ("/hang", false),
    ] {
        let queue = ApiQueue::builder().per_second(2_000).at_once(64);
        let queue = queue.start().unwrap();
        let loader = loader(&server, path)
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .timeout_config(timeouts.clone().build())
            .stalled_stream_protection(stalled.clone().build());
        let paced = Paced::routed(only(&queue));
        let client = Client::new(&paced.config(&loader.load().await).unwrap());
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { call(&client).await })
            })
            .collect();
        for one in calls {
            let over = tokio::time::timeout(Duration::from_secs(60), one).await;
            let answered = over.unwrap_or_else(|_| panic!("{path} hangs")).unwrap();
            assert_eq!(answered, works, "{path}");
        }
        let stats = queue.stats();
        let counts = (stats.released, stats.given_back, queue.under_way());
        assert_eq!(counts, (64, 0, 0), "{path}");
    }
}

/// For how long a queue is held after one call that is answered so.
async fn held_after(path: &str) -> Duration {
    let server = Loopback::start();
    let queue = ApiQueue::builder().per_second(1_000).start().unwrap();
    let long = Duration::from_secs(100);
    let throttled = Throttled::default().cap(long).without_hint(Duration::ZERO);
    let route = Route::to(queue.clone()).hold(throttled);
    let loader = loader(&server, path);
    let loader = loader.retry_config(aws_config::retry::RetryConfig::disabled());
    let config = Paced::routed(route).config(&loader.load().await).unwrap();
    let began = Instant::now();
    call(&Client::new(&config)).await;
    match queue.try_acquire() {
        Err(TryAcquireError::NotYet { at }) => at.unwrap().duration_since(began),
        _ => Duration::ZERO,
    }
}

#[tokio::test]
async fn the_milliseconds_of_x_amz_retry_after_hold_the_queue() {
    let code = "x-amzn-errortype=ThrottlingException";
    let held = held_after(&format!("/answer/400/{code}/x-amz-retry-after=70000")).await;
    assert!(held >= Duration::from_secs(70), "{held:?}");
    assert!(
        held < Duration::from_secs(90),
        "{held:?}: seconds for milliseconds"
    );
    let code = "x-amzn-errortype=SlowDown";
    let held = held_after(&format!("/answer/503/{code}/x-amz-retry-after=80000")).await;
    assert!(held >= Duration::from_secs(80), "{held:?}");
}

/// The SDK's list, through the SDK's own client: each of its codes holds the queue.
#[tokio::test]
async fn each_code_that_the_sdk_takes_for_throttling_throttles() {
    for code in aws_runtime::retries::classifiers::THROTTLING_ERRORS {
        let path = format!("/answer/400/x-amzn-errortype={code}/retry-after=50");
        assert!(held_after(&path).await >= Duration::from_secs(50), "{code}");
    }
}
