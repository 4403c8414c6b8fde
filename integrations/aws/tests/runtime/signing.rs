//! The turn comes before the signature, at each attempt.
//!
//! The server tells no date, by which the SDK would correct the mocked time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apiqueue_aws::Paced;
use apiqueue_loopback::Loopback;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_async::time::TimeSource;

use crate::setup::{Time, call, config, loader, only, signed_at};

#[tokio::test]
async fn a_wait_of_an_hour_is_signed_afterwards() {
    let (server, time) = (Loopback::without_dates(), Time::default());
    let queue = time.hourly();
    let config = config(&server, "/", &Paced::routed(only(&queue)), &time).await;
    let client = aws_sdk_polly::Client::new(&config);
    for _ in 0..5 {
        assert!(call(&client).await);
    }
    let signed: Vec<_> = server.arrivals().iter().map(signed_at).collect();
    assert_eq!(signed, [0, 3_600, 7_200, 10_800, 14_400]);
}

#[tokio::test]
async fn each_retry_takes_a_turn_and_is_signed_after_it() {
    let (server, time) = (Loopback::without_dates(), Time::default());
    for path in ["/throttle/x", "/answer/500", "/reset", "/cut/200"] {
        let queue = time.hourly();
        let config = config(&server, path, &Paced::routed(only(&queue)), &time).await;
        let before = server.arrivals().len();
        call(&aws_sdk_polly::Client::new(&config)).await;
        let arrivals = server.arrivals().split_off(before);
        let signed: Vec<_> = arrivals.iter().map(signed_at).collect();
        assert_eq!(queue.stats().released, signed.len() as u64, "{path}");
        assert!(signed.len() > 1, "{path}: the SDK retries");
        let an_hour = |pair: &[u64]| pair[1] - pair[0] >= 3_600;
        assert!(signed.windows(2).all(an_hour), "{path}: {signed:?}");
        assert_eq!(queue.stats().given_back, 0, "{path}");
    }
}

/// Credentials that are good for a quarter of an hour.
#[derive(Debug)]
struct ShortLived {
    time: Time,
    given: Arc<AtomicUsize>,
}

impl ProvideCredentials for ShortLived {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let n = self.given.fetch_add(1, Ordering::SeqCst);
        let end = self.time.now() + Duration::from_secs(900);
        let id = format!("EXAMPLE{n}");
        future::ProvideCredentials::ready(Ok(Credentials::new(id, "x", None, Some(end), "test")))
    }
}

#[tokio::test]
async fn credentials_that_end_in_line_are_looked_up_again_after_the_turn() {
    let (server, time) = (Loopback::without_dates(), Time::default());
    let given = Arc::new(AtomicUsize::new(0));
    let provider = ShortLived {
        time: time.clone(),
        given: given.clone(),
    };
    let loader = loader(&server, "/").time_source(time.clone());
    let config = loader.credentials_provider(provider).load().await;
    let paced = Paced::routed(only(&time.hourly()));
    let client = aws_sdk_polly::Client::new(&paced.config(&config).unwrap());
    for _ in 0..3 {
        assert!(call(&client).await);
    }
    let signed_with = server.arrivals().into_iter().map(|arrival| {
        let signature = arrival.headers["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        let (_, rest) = signature.split_once("Credential=").unwrap();
        rest.split('/').next().unwrap().to_owned()
    });
    let signed_with: Vec<_> = signed_with.collect();
    // Each call had good ones in hand when it came, and fresh ones when it was signed.
    assert_eq!(signed_with, ["EXAMPLE0", "EXAMPLE1", "EXAMPLE2"]);
    assert_eq!(given.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn without_credentials_nobody_takes_a_turn_and_the_error_says_why() {
    let (server, time) = (Loopback::without_dates(), Time::default());
    let queue = time.hourly();
    let loader = loader(&server, "/").no_credentials();
    let config = Paced::routed(only(&queue))
        .config(&loader.load().await)
        .unwrap();
    let client = aws_sdk_polly::Client::new(&config);
    let why = client.delete_lexicon().name("x").send().await.unwrap_err();
    let mut told = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(&why);
    while let Some(this) = cause {
        told += &format!("{this}: ");
        cause = this.source();
    }
    assert!(told.contains("identity"), "{told}");
    assert_eq!((queue.stats().released, queue.stats().cancelled), (0, 0));
    assert!(server.arrivals().is_empty());
}
