//! What attempts under way and their answers do to the queue: the real SDK over real sockets.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Route};
use apiqueue_aws::{Attempt, Paced};
use apiqueue_loopback::fleet::Fleet;
use apiqueue_loopback::{Loopback, answers};
use apiqueue_scan::{Buckets, Endpoint, limits};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Credentials;

/// One without retries of its own, all of whose requests go to this URL.
async fn client(url: String, route: impl Into<Route<Attempt>>) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("EXAMPLE", "example", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(http);
    let paced = Paced::routed(route).config(&config.load().await);
    Client::new(&paced.unwrap())
}

async fn call(client: &Client) -> bool {
    client.describe_volumes().send().await.is_ok()
}

#[tokio::test]
async fn no_more_attempts_are_under_way_than_may_be() {
    let server = Loopback::start();
    let queue = ApiQueue::builder().at_once(2).start().unwrap();
    let works = client(server.url("/delay/20"), queue.clone()).await;
    let fails = client(server.url("/reset"), queue.clone()).await;
    let calls: Vec<_> = (0..12)
        .map(|n| {
            let client = if n % 4 == 3 { &fails } else { &works }.clone();
            tokio::spawn(async move { call(&client).await })
        })
        .collect();
    let mut answers = 0;
    for call in calls {
        answers += usize::from(call.await.unwrap());
    }
    assert_eq!((answers, queue.under_way()), (9, 0));
    assert!(server.most_under_way() <= 2);
    // An attempt that is given up while it is under way makes room.
    let hangs = client(server.url("/hang"), queue.clone()).await;
    for _ in 0..3 {
        let limit = Duration::from_millis(20);
        assert!(tokio::time::timeout(limit, call(&hangs)).await.is_err());
    }
    assert_eq!(queue.under_way(), 0);
    assert!(call(&works).await);
}

#[tokio::test]
async fn answers_do_what_the_table_of_all_integrations_says() {
    let server = Loopback::start();
    for case in answers::CASES {
        let (route, queue) = answers::route();
        let client = client(server.url(case.path), route).await;
        let began = Instant::now();
        call(&client).await;
        assert!(queue.stats().released >= 1);
        case.check(&queue, began);
    }
}

#[tokio::test]
async fn an_adaptive_queue_goes_slower_after_a_refusal_and_not_after_an_error() {
    let server = Loopback::start();
    for (path, is_slower) in [
        ("/", false),
        ("/reset", false),
        ("/answer/404", false),
        ("/answer/429", true),
        ("/answer/400/x-amzn-errortype=ThrottlingException", true),
    ] {
        let queue = answers::adaptive();
        let before = queue.rate().interval();
        call(&client(server.url(path), queue.clone()).await).await;
        assert_eq!(queue.rate().interval() > before, is_slower, "{path}");
    }
}

#[tokio::test]
async fn an_error_code_in_the_body_throttles_too() {
    // Listings without a filter have a bucket of one call.
    let scanned = limits::Limit {
        size: 1,
        refill: 1.0 / 3600.0,
    };
    let server = Endpoint::start(Buckets::new(scanned, 1.0)).unwrap();
    let queue = answers::adaptive();
    let before = queue.rate().interval();
    let client = client(server.url(), Route::to(queue.clone()).never_hold()).await;
    client.describe_snapshots().send().await.unwrap();
    assert!(queue.rate().interval() <= before);
    client.describe_snapshots().send().await.unwrap_err();
    assert!(queue.rate().interval() > before);
    assert_eq!(server.stop(), 1);
}

/// Six calls at a time on each of two hosts.
#[tokio::test]
async fn the_hosts_of_a_fleet_keep_to_one_rate() {
    let server = Loopback::start();
    let fleet = Fleet::start();
    let [one, other] = &fleet.hosts;
    let clients = [
        client(server.url("/"), one.clone()).await,
        client(server.url("/"), other.clone()).await,
    ];
    let calls: Vec<_> = (0..12)
        .map(|n| {
            let client = clients[n % 2].clone();
            tokio::spawn(async move { call(&client).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    fleet.check(12);
}
