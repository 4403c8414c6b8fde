//! Lines that are longer than the SDK's patience: five seconds for a stalled stream, five minutes for a signature.
#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "../examples/snapshots/listing.rs"]
#[expect(dead_code, reason = "the example lists, this calls")]
mod listing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{ApiQueue, Route};
use apiqueue_aws::{Attempt, Paced};
use apiqueue_scan::{Buckets, Endpoint, limits};
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_ec2::config::Credentials;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

const CALLERS: u64 = 64;

/// 2026-01-01, in seconds.
const BEGIN: u64 = 1_767_225_600;

/// The time of the queue, of the server's buckets and of signatures.
#[derive(Clone, Debug)]
struct Time(Arc<ManualClock<u64>>);

impl TimeSource for Time {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(BEGIN) + Duration::from_nanos(self.0.now())
    }
}

fn loader(endpoint: &Endpoint, http: impl HttpClient + 'static) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint.url())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("EXAMPLE", "example", None, None, "test"))
        .http_client(http)
}

/// As many calls, from all callers together: attempts, retries and failures.
async fn calls(config: &SdkConfig, each: u64) -> (u64, u64, u64) {
    let (client, counts) = listing::counted(config);
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut failed = 0;
                for _ in 0..each {
                    let page = client.describe_snapshots().max_results(5);
                    failed += u64::from(page.send().await.is_err());
                }
                failed
            })
        })
        .collect();
    let mut failed = 0;
    for caller in callers {
        failed += caller.await.unwrap();
    }
    (counts.attempts(), counts.retries(), failed)
}

/// Notes how old the oldest signature is that is sent, in seconds.
#[derive(Clone, Debug)]
struct Ages<C> {
    inner: C,
    time: Time,
    oldest: Arc<AtomicU64>,
}

impl<C: HttpClient + Clone + 'static> HttpClient for Ages<C> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Ages {
            inner: self.inner.http_connector(settings, components),
            time: self.time.clone(),
            oldest: self.oldest.clone(),
        })
    }
}

impl HttpConnector for Ages<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // 20260101T001530Z, of the first day.
        let date = request.headers().get("x-amz-date").unwrap();
        let number = |from: usize| date[from..from + 2].parse::<u64>().unwrap();
        let signed = (number(9) * 60 + number(11)) * 60 + number(13);
        let now = Duration::from_nanos(self.time.0.now()).as_secs();
        self.oldest.fetch_max(now - signed, Ordering::SeqCst);
        self.inner.call(request)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_calls_of_sixty_four_callers_pass_ec2s_buckets_without_a_retry() {
    let time = Time(Arc::new(ManualClock::<u64>::new(0)));
    let clock = time.0.clone();
    let buckets = Buckets::new(limits::SCANNED, 1.0);
    let buckets = buckets.by_clock(move || Duration::from_nanos(clock.now()));
    let endpoint = Endpoint::start(buckets).unwrap();
    let builder = ApiQueue::builder().per_second(19);
    let queue = builder.auto_advance(time.0.clone()).start().unwrap();
    let ages = Ages {
        inner: aws_smithy_http_client::Builder::new().build_http(),
        time: time.clone(),
        oldest: Arc::default(),
    };
    let loader = loader(&endpoint, ages.clone()).time_source(time.clone());
    let route: Route<Attempt> = Route::to(queue.clone());
    let config = Paced::routed(route).config(&loader.load().await).unwrap();

    let each = 2_000_u64.div_ceil(CALLERS);
    let count = each * CALLERS;
    assert_eq!(calls(&config, each).await, (count, 0, 0));
    assert_eq!((queue.stats().released, endpoint.stop()), (count, 0));
    // All of it in a line of minutes.
    let took = Duration::from_nanos(time.0.now());
    assert!(took >= Duration::from_secs((count - 1) / 19), "{took:?}");
    // No older than the mocked time can go on meanwhile: by all callers' turns.
    let oldest = ages.oldest.load(Ordering::SeqCst);
    assert!(oldest <= CALLERS / 19 + 2, "{oldest} s");
}

/// In real time, with the SDK's own settings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_eight_seconds_kills_nobody() {
    let endpoint = Endpoint::start(Buckets::new(limits::SCANNED, 1.0)).unwrap();
    let queue = ApiQueue::builder().per_second(8).start().unwrap();
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = loader(&endpoint, http).load().await;
    let config = Paced::routed(queue.clone()).config(&config).unwrap();
    assert_eq!(calls(&config, 1).await, (CALLERS, 0, 0));
    assert_eq!(endpoint.stop(), 0);
    let longest = queue.stats().waits.unwrap().max;
    assert!(longest >= Duration::from_secs(7), "{longest:?}");
}
