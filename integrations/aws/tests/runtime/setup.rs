//! Clients of a server on loopback, in time that is mocked.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{ApiQueue, Limit, Registry, Route};
use apiqueue_aws::{Attempt, Paced};
use apiqueue_loopback::{Arrival, Loopback};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_async::time::TimeSource;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// When the mocked time begins: 2026-01-01.
pub(crate) const BEGIN: u64 = 1_767_225_600;

/// The time of queues and of signatures.
#[derive(Clone, Debug)]
pub(crate) struct Time(pub(crate) Arc<ManualClock<u64>>);

impl Default for Time {
    fn default() -> Self {
        Self(Arc::new(ManualClock::<u64>::new(0)))
    }
}

impl TimeSource for Time {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(BEGIN) + Duration::from_nanos(self.0.now())
    }
}

impl Time {
    /// A queue of one call an hour, in which nobody really waits.
    pub(crate) fn hourly(&self) -> ApiQueue {
        let builder = ApiQueue::builder().every(HOUR);
        builder.auto_advance(self.0.clone()).start().unwrap()
    }

    /// A queue of one call an hour, which goes on when the test says so.
    pub(crate) fn stepped(&self) -> ApiQueue {
        let builder = ApiQueue::builder().every(HOUR).at_once(64);
        builder.clock(self.0.clone()).manual().start().unwrap()
    }

    /// An hour later.
    pub(crate) fn step(&self, queue: &ApiQueue) {
        self.0.advance(u64::try_from(HOUR.as_nanos()).unwrap());
        let _ = queue.advance();
    }
}

/// A route that holds nothing, so that a queue goes by its rate alone.
pub(crate) fn only(queue: &ApiQueue) -> Route<Attempt> {
    Route::to(queue.clone()).never_hold()
}

/// All of whose requests go to this path.
pub(crate) fn loader(server: &Loopback, path: &str) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(server.url(path))
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("EXAMPLE", "example", None, None, "test"))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
}

/// The same, paced.
pub(crate) async fn config(server: &Loopback, path: &str, paced: &Paced, time: &Time) -> SdkConfig {
    let loader = loader(server, path).time_source(time.clone());
    paced.config(&loader.load().await).unwrap()
}

/// Whether the call worked: of an operation without anything in its answer.
pub(crate) async fn call(client: &aws_sdk_polly::Client) -> bool {
    client.delete_lexicon().name("x").send().await.is_ok()
}

/// Keys that were asked for, in a registry without limits but this one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(Arc<Mutex<Vec<String>>>);

impl Keys {
    pub(crate) fn paced(&self, limit: Limit) -> Paced {
        let keys = self.clone();
        let registry = Registry::new(move |_: &String| limit.clone());
        Paced::keyed(registry, move |attempt: &Attempt| {
            let key = attempt.key();
            keys.0.lock().unwrap().push(key.clone());
            key
        })
    }

    pub(crate) fn asked_for(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// When a request was signed, in seconds of mocked time.
pub(crate) fn signed_at(arrival: &Arrival) -> u64 {
    let date = arrival.headers.get("x-amz-date").unwrap().to_str().unwrap();
    // 20260101T010000Z
    let number = |from: usize, to: usize| date[from..to].parse::<u64>().unwrap();
    assert_eq!((number(0, 4), number(4, 6)), (2026, 1), "{date}");
    let hours = (number(6, 8) - 1) * 24 + number(9, 11);
    (hours * 60 + number(11, 13)) * 60 + number(13, 15)
}
