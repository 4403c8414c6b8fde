//! The middleware over real sockets, against a server on loopback that throttles, delays, resets and hangs.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Closed, Follow, Limit, Limits, Rate, Registry, Route, Stop, Throttled};
use apiqueue_loopback::Loopback;
use apiqueue_reqwest::QueueMiddleware;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error};

fn every(ms: u64) -> ApiQueue {
    ApiQueue::builder()
        .every(Duration::from_millis(ms))
        .strict()
        .start()
        .unwrap()
}

fn client(middleware: QueueMiddleware) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new())
        .with(middleware)
        .build()
}

async fn status(client: &ClientWithMiddleware, url: String) -> Result<u16, Error> {
    client
        .get(url)
        .send()
        .await
        .map(|answer| answer.status().as_u16())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_share_one_line() {
    let server = Loopback::start();
    let queue = every(2);
    let client = client(QueueMiddleware::new(queue.clone()));
    let start = Instant::now();
    let callers: Vec<_> = (0..64)
        .map(|n| {
            let (client, url) = (client.clone(), server.url(&format!("/delay/{}", n % 5)));
            tokio::spawn(async move { status(&client, url).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), 200);
    }
    assert!(start.elapsed() >= Duration::from_millis(2 * 63));
    assert_eq!(server.arrivals().len(), 64);
    assert_eq!((queue.stats().released, queue.len()), (64, 0));
}

#[tokio::test]
async fn each_key_has_its_own_line_or_none() {
    let server = Loopback::start();
    let slow = Limit::rate(Rate::every(Duration::from_secs(3600)).unwrap());
    let registry = Registry::from(Limits::new(Limit::None).set("/ec2/*", slow));
    let route = Route::keyed(registry.clone(), |request: &reqwest::Request| {
        request.url().path().to_owned()
    });
    let client = client(QueueMiddleware::new(route));
    for path in ["/ec2/a", "/ec2/b", "/sts", "/sts", "/sts"] {
        assert_eq!(status(&client, server.url(path)).await.unwrap(), 200);
    }
    let limit = Duration::from_millis(20);
    let second = tokio::time::timeout(limit, status(&client, server.url("/ec2/a"))).await;
    assert!(second.is_err(), "an hour is not over");
    let ec2 = registry.queue(&"/ec2/a".to_owned()).unwrap().unwrap();
    assert_eq!(ec2.stats().cancelled, 1, "the timeout left the line");
}

#[tokio::test]
async fn a_queue_that_follows_slows_down_by_what_remains_and_holds_when_nothing_does() {
    let server = Loopback::start();
    let queue = every(1);
    let throttled = Throttled::default().cap(Duration::from_millis(500));
    let slowest = Rate::per_second(10).unwrap();
    let follow = Follow::new(slowest, queue.rate(), throttled).unwrap();
    let client = client(QueueMiddleware::new(
        Route::to(queue.clone()).follow(follow),
    ));
    assert_eq!(
        status(&client, server.url("/left/100/2")).await.unwrap(),
        200
    );
    assert_eq!(queue.rate().interval(), Duration::from_millis(20));
    let held = Instant::now();
    assert_eq!(
        status(&client, server.url("/left/0/60")).await.unwrap(),
        200
    );
    assert_eq!(status(&client, server.url("/")).await.unwrap(), 200);
    assert!(
        held.elapsed() >= Duration::from_millis(490),
        "{:?}",
        held.elapsed()
    );
}

#[tokio::test]
async fn an_answer_that_throttles_holds_the_queue_capped() {
    let server = Loopback::start();
    let queue = every(1);
    let throttled = Throttled::default().cap(Duration::from_secs(1));
    let client = client(QueueMiddleware::new(
        Route::to(queue.clone()).hold(throttled),
    ));
    assert_eq!(
        status(&client, server.url("/throttle/99999"))
            .await
            .unwrap(),
        503
    );
    let held = Instant::now();
    assert!(queue.try_acquire().is_err());
    assert_eq!(status(&client, server.url("/")).await.unwrap(), 200);
    assert!(
        held.elapsed() >= Duration::from_millis(990),
        "{:?}",
        held.elapsed()
    );
}

#[tokio::test]
async fn a_reset_is_reqwests_own_error_and_a_stopped_queue_says_closed() {
    let server = Loopback::start();
    let queue = every(1);
    let client = client(QueueMiddleware::new(queue.clone()));
    let why = status(&client, server.url("/reset")).await.unwrap_err();
    assert!(matches!(why, Error::Reqwest(_)), "{why}");
    queue.stop(Stop::Now);
    match status(&client, server.url("/")).await.unwrap_err() {
        Error::Middleware(why) => assert!(why.is::<Closed>(), "{why}"),
        other => panic!("{other}"),
    }
    assert_eq!(server.arrivals().len(), 1);
}

#[tokio::test]
async fn the_clients_own_timeout_does_not_count_the_wait() {
    let server = Loopback::start();
    let queue = every(1_500);
    let client = client(QueueMiddleware::new(queue.clone()));
    queue.enqueue().unwrap().wait().unwrap();
    let limit = Duration::from_secs(1);
    let in_time = client.get(server.url("/")).timeout(limit).send().await;
    assert_eq!(
        in_time.unwrap().status(),
        200,
        "it waited longer than the limit"
    );
    let hang = client.get(server.url("/hang")).timeout(limit).send().await;
    assert!(hang.unwrap_err().is_timeout());
}
