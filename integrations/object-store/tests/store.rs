//! An S3 store over real sockets, against a server on loopback that throttles, resets, hangs and breaks off.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Closed, Route, Stop};
use apiqueue_loopback::{Bytes, Loopback, Request, Response, answers};
use apiqueue_object_store::PacedConnector;
use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpRequest, ReqwestConnector};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn every(interval: Duration) -> ApiQueue {
    let builder = ApiQueue::builder().every(interval);
    builder.strict().start().unwrap()
}

struct Setup {
    bucket: &'static str,
    retries: usize,
    retry_timeout: Duration,
    timeout: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            bucket: "bucket",
            retries: 3,
            retry_timeout: Duration::from_secs(60),
            timeout: Duration::from_secs(60),
        }
    }
}

impl Setup {
    fn store(self, server: &Loopback, route: impl Into<Route<HttpRequest>>) -> AmazonS3 {
        // Another test may have set it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let backoff = BackoffConfig {
            init_backoff: ms(1),
            max_backoff: ms(2),
            base: 2.0,
        };
        AmazonS3Builder::new()
            .with_endpoint(server.url(""))
            .with_bucket_name(self.bucket)
            .with_region("eu-west-1")
            .with_access_key_id("key")
            .with_secret_access_key("secret")
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(true)
                    .with_timeout(self.timeout),
            )
            .with_retry(RetryConfig {
                backoff,
                max_retries: self.retries,
                retry_timeout: self.retry_timeout,
            })
            .with_http_connector(PacedConnector::new(ReqwestConnector::default(), route))
            .build()
            .unwrap()
    }
}

fn object() -> Response<Bytes> {
    Response::builder()
        .header("last-modified", "Mon, 23 Nov 2026 12:00:00 GMT")
        .header("etag", "\"1\"")
        .body(Bytes::from("rain"))
        .unwrap()
}

/// A server of objects. Their names, after `/bucket`, may be what the loopback server answers by.
fn server() -> Loopback {
    Loopback::answering(|request| {
        let path = request.uri().path();
        (!path.contains('.')).then(object)
    })
}

async fn get(store: &AmazonS3, path: &str) -> object_store::Result<Bytes> {
    store.get(&Path::from(path)).await?.bytes().await
}

fn slow_down(retry_after: &str) -> Response<Bytes> {
    let answer = Response::builder().status(503);
    let answer = answer.header("retry-after", retry_after);
    answer
        .body(Bytes::from("<Error><Code>SlowDown</Code></Error>"))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_share_one_line() {
    let server = server();
    let queue = every(ms(2));
    let store = Arc::new(Setup::default().store(&server, queue.clone()));
    let start = Instant::now();
    let callers: Vec<_> = (0..64)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { get(&store, &format!("{n}")).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), "rain");
    }
    assert!(start.elapsed() >= ms(2 * 63));
    assert_eq!(server.arrivals().len(), 64);
    assert_eq!((queue.stats().released, queue.len()), (64, 0));
}

#[tokio::test]
async fn each_attempt_takes_a_turn_and_all_have_the_signature_of_the_first() {
    let signatures = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&signatures);
    let server = Loopback::answering(move |request: &Request<Bytes>| {
        let mut noted = noted.lock().unwrap();
        noted.push(request.headers()["authorization"].clone());
        Some(if noted.len() < 3 {
            slow_down("0")
        } else {
            object()
        })
    });
    // Signed anew they would differ by the second of their date.
    let queue = every(ms(1_100));
    let store = Setup::default().store(&server, queue.clone());
    assert_eq!(get(&store, "a").await.unwrap(), "rain");
    assert_eq!(queue.stats().released, 3);
    let signatures = signatures.lock().unwrap();
    assert!(signatures.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn an_answer_that_throttles_holds_the_queue() {
    let server = Loopback::answering(|_| Some(slow_down("30")));
    let queue = every(ms(1));
    let setup = Setup {
        retries: 0,
        ..Setup::default()
    };
    assert!(
        get(&setup.store(&server, queue.clone()), "a")
            .await
            .is_err()
    );
    assert!(queue.enqueue_within(Duration::from_secs(20)).is_err());
}

#[tokio::test]
async fn an_adaptive_queue_hears_of_every_answer() {
    let server = Loopback::answering(|_| Some(slow_down("0")));
    let queue = answers::adaptive();
    let before = queue.rate().interval();
    let setup = Setup {
        retries: 0,
        ..Setup::default()
    };
    assert!(
        get(&setup.store(&server, queue.clone()), "a")
            .await
            .is_err()
    );
    assert!(queue.rate().interval() > before);
}

#[tokio::test]
async fn each_page_of_a_listing_takes_a_turn() {
    let server = Loopback::answering(|request| {
        let query = request.uri().query().unwrap();
        let page = ["two", "three"]
            .iter()
            .position(|page| query.contains(page));
        let (name, next) = match page {
            None => ("a", Some("two")),
            Some(0) => ("b", Some("three")),
            Some(_) => ("c", None),
        };
        let next = next.map_or(String::new(), |next| {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>")
        });
        let contents = format!(
            "<Contents><Key>{name}</Key><LastModified>2026-11-23T12:00:00Z</LastModified><Size>4</Size></Contents>"
        );
        let body = format!("<ListBucketResult>{next}{contents}</ListBucketResult>");
        Some(Response::new(Bytes::from(body)))
    });
    let queue = every(ms(20));
    let store = Setup::default().store(&server, queue.clone());
    let all: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(queue.stats().released, 3);
}

#[tokio::test]
async fn a_stopped_queue_is_the_store_s_error_and_is_not_tried_again() {
    let server = server();
    let queue = every(ms(1));
    let store = Setup::default().store(&server, queue.clone());
    queue.stop(Stop::Now);
    let why = get(&store, "a").await.unwrap_err();
    let mut source: Option<&dyn Error> = Some(&why);
    while source.is_some_and(|why| !why.is::<Closed>()) {
        source = source.and_then(Error::source);
    }
    assert!(source.is_some(), "{why:?}");
    assert_eq!(queue.stats().refused, 0);
    assert!(server.arrivals().is_empty());
}

#[tokio::test]
async fn the_client_s_timeout_does_not_count_the_wait_and_the_retries_do() {
    let server = server();
    let queue = every(ms(1_500));
    let setup = || Setup {
        retry_timeout: ms(1_000),
        timeout: ms(1_000),
        ..Setup::default()
    };
    let store = setup().store(&server, queue.clone());
    queue.wait_turn().unwrap();
    // It waited longer than the limit.
    assert_eq!(get(&store, "a").await.unwrap(), "rain");
    // One that fails after such a wait is not tried again.
    let failing = Loopback::answering(|_| Some(slow_down("0")));
    let store = setup().store(&failing, queue.clone());
    assert!(get(&store, "a").await.is_err());
    assert_eq!(failing.arrivals().len(), 1);
}

#[tokio::test]
async fn what_breaks_is_the_store_s_error_and_each_attempt_of_it_was_a_turn() {
    for (bucket, path, attempts) in [("reset", "a", 3), ("hang", "a", 3), ("cut", "200", 1)] {
        let server = Loopback::start();
        let queue = ApiQueue::builder().at_once(1).start().unwrap();
        let setup = Setup {
            bucket,
            retries: 2,
            timeout: ms(200),
            ..Setup::default()
        };
        let store = setup.store(&server, queue.clone());
        assert!(get(&store, path).await.is_err());
        assert_eq!(queue.stats().released, attempts, "{bucket}");
        assert_eq!(queue.under_way(), 0);
    }
}

#[tokio::test]
async fn whoever_gives_up_leaves_its_turn_to_others() {
    let server = Loopback::answering(|request| {
        let answer = object();
        if !request.uri().path().ends_with("slow") {
            return Some(answer);
        }
        let (mut parts, body) = answer.into_parts();
        parts.headers.insert("x-after", "60000".parse().unwrap());
        Some(Response::from_parts(parts, body))
    });
    let queue = ApiQueue::builder().at_once(1).start().unwrap();
    let store = Arc::new(Setup::default().store(&server, queue.clone()));
    let spawn = |path: &'static str| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { get(&store, path).await })
    };
    let on_the_wire = spawn("slow");
    while server.arrivals().is_empty() {
        tokio::time::sleep(ms(1)).await;
    }
    let in_line = spawn("a");
    while queue.is_empty() {
        tokio::time::sleep(ms(1)).await;
    }
    let last = spawn("b");
    in_line.abort();
    assert!(in_line.await.unwrap_err().is_cancelled());
    on_the_wire.abort();
    assert_eq!(last.await.unwrap().unwrap(), "rain");
    assert_eq!((server.arrivals().len(), queue.under_way()), (2, 0));
}
