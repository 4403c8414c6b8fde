//! The layers over real sockets: a hyper client against a server on loopback that throttles, delays, resets and hangs.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Closed, Follow, Limit, Limits, Rate, Registry, Route, Stop, Throttled};
use apiqueue_loopback::Loopback;
use apiqueue_tower::{BoxError, QueueLayer, Queued};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

type Body = Empty<hyper::body::Bytes>;
type Http = Client<HttpConnector, Body>;
type Answer = Response<hyper::body::Incoming>;
type Paced = Queued<Http, Request<Body>, Answer>;

fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

fn get(server: &Loopback, path: &str) -> Request<Body> {
    Request::get(server.url(path)).body(Body::new()).unwrap()
}

fn every(ms: u64) -> ApiQueue {
    ApiQueue::builder()
        .every(Duration::from_millis(ms))
        .strict()
        .start()
        .unwrap()
}

async fn call(client: &mut Paced, request: Request<Body>) -> Result<u16, BoxError> {
    let answer = client.ready().await?.call(request).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    Ok(status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_on_clones_share_one_line() {
    let server = Loopback::start();
    let queue = every(2);
    let client: Paced = QueueLayer::new(queue.clone()).layer(http());
    let start = Instant::now();
    let callers: Vec<_> = (0..64)
        .map(|n| {
            let (mut client, request) =
                (client.clone(), get(&server, &format!("/delay/{}", n % 5)));
            tokio::spawn(async move { call(&mut client, request).await })
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
async fn calls_stand_in_line_in_the_order_in_which_they_were_made() {
    let server = Loopback::start();
    let mut client: Paced = QueueLayer::new(every(20)).layer(http());
    let mut calls = Vec::new();
    for n in 0..5 {
        let request = get(&server, &format!("/{n}"));
        calls.push(client.ready().await.unwrap().call(request));
    }
    // Polled in the wrong order on purpose: their places were taken by `call`.
    calls.reverse();
    for call in calls.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    let order: Vec<_> = server
        .arrivals()
        .into_iter()
        .map(|arrival| arrival.target)
        .collect();
    assert_eq!(order, ["/0", "/1", "/2", "/3", "/4"]);
}

#[tokio::test]
async fn each_key_has_its_own_line_or_none() {
    let server = Loopback::start();
    let slow = Limit::rate(Rate::every(Duration::from_secs(3600)).unwrap());
    let limits = Limits::new(Limit::None).set("/ec2/*", slow);
    let registry = Registry::from(limits);
    let route = Route::keyed(registry.clone(), |request: &Request<Body>| {
        request.uri().path().to_owned()
    });
    let mut client: Paced = QueueLayer::new(route).layer(http());
    for path in ["/ec2/a", "/ec2/b", "/sts/a", "/sts/a", "/sts/a"] {
        assert_eq!(call(&mut client, get(&server, path)).await.unwrap(), 200);
    }
    let limit = Duration::from_millis(20);
    let second = tokio::time::timeout(limit, call(&mut client, get(&server, "/ec2/a"))).await;
    assert!(second.is_err(), "an hour is not over");
    assert_eq!(registry.len(), 3);
    let ec2 = registry.queue(&"/ec2/a".to_owned()).unwrap().unwrap();
    assert_eq!(ec2.stats().cancelled, 1, "the timeout left the line");
}

#[tokio::test]
async fn a_queue_that_follows_slows_down_by_what_remains_and_holds_when_nothing_does() {
    let server = Loopback::start();
    let queue = every(1);
    let (slowest, fastest) = (Rate::per_second(10).unwrap(), queue.rate());
    let throttled = Throttled::default().cap(Duration::from_millis(500));
    let follow = Follow::new(slowest, fastest, throttled).unwrap();
    let mut client: Paced = QueueLayer::new(Route::to(queue.clone()).follow(follow)).layer(http());
    for (path, rate) in [
        ("/left/100/2", Rate::per_second(50).unwrap()),
        ("/left/1/3600", slowest),
        ("/left/100000/1", fastest),
    ] {
        assert_eq!(call(&mut client, get(&server, path)).await.unwrap(), 200);
        assert_eq!(queue.rate().interval(), rate.interval(), "{path}");
    }
    let held = Instant::now();
    assert_eq!(
        call(&mut client, get(&server, "/left/0/60")).await.unwrap(),
        200
    );
    assert!(queue.try_acquire().is_err());
    assert_eq!(call(&mut client, get(&server, "/")).await.unwrap(), 200);
    assert!(
        held.elapsed() >= Duration::from_millis(490),
        "{:?}",
        held.elapsed()
    );
}

#[tokio::test]
async fn an_answer_that_throttles_holds_the_queue_capped_and_never_shorter() {
    let server = Loopback::start();
    let queue = every(1);
    let throttled = Throttled::default()
        .cap(Duration::from_secs(1))
        .without_hint(Duration::from_secs(60));
    let mut client: Paced = QueueLayer::new(Route::to(queue.clone()).hold(throttled)).layer(http());
    assert_eq!(
        call(&mut client, get(&server, "/throttle/99999"))
            .await
            .unwrap(),
        503
    );
    let held = Instant::now();
    assert!(queue.try_acquire().is_err());
    // One without a hint, which came back in the hold, does not shorten it.
    queue.hold_for(Duration::from_millis(1)).unwrap();
    assert_eq!(call(&mut client, get(&server, "/")).await.unwrap(), 200);
    assert!(
        held.elapsed() >= Duration::from_millis(990),
        "{:?}",
        held.elapsed()
    );
    assert!(held.elapsed() < Duration::from_secs(3600), "capped");
    assert_eq!(
        call(&mut client, get(&server, "/throttle/x"))
            .await
            .unwrap(),
        503
    );
    assert!(queue.try_acquire().is_err());
}

#[tokio::test]
async fn a_reset_is_the_inner_error_and_costs_one_turn() {
    let server = Loopback::start();
    let queue = every(1);
    let mut client: Paced = QueueLayer::new(queue.clone()).layer(http());
    let why = call(&mut client, get(&server, "/reset")).await.unwrap_err();
    assert!(why.is::<hyper_util::client::legacy::Error>(), "{why}");
    assert_eq!(call(&mut client, get(&server, "/")).await.unwrap(), 200);
    assert_eq!(queue.stats().released, 2);
}

#[tokio::test]
async fn a_stopped_queue_refuses_with_closed() {
    let server = Loopback::start();
    let queue = every(1);
    let mut client: Paced = QueueLayer::new(queue.clone()).layer(http());
    queue.stop(Stop::Now);
    let why = call(&mut client, get(&server, "/")).await.unwrap_err();
    assert!(why.is::<Closed>(), "{why}");
    assert!(server.arrivals().is_empty());
}

#[tokio::test]
async fn a_timeout_outside_counts_the_wait_and_one_inside_does_not() {
    let server = Loopback::start();
    let limit = Duration::from_secs(1);
    let queue = every(1_500);
    queue.enqueue().unwrap().wait().unwrap();
    let outside = ServiceBuilder::new()
        .layer(TimeoutLayer::new(limit))
        .layer(QueueLayer::new(queue.clone()))
        .service(http());
    let why = outside.oneshot(get(&server, "/")).await.unwrap_err();
    assert!(why.is::<tower::timeout::error::Elapsed>(), "{why}");
    assert_eq!(queue.stats().cancelled, 1);
    let inside = ServiceBuilder::new()
        .layer(QueueLayer::new(queue.clone()))
        .layer(TimeoutLayer::new(limit))
        .service(http());
    let answer = inside.clone().oneshot(get(&server, "/")).await;
    assert_eq!(
        answer.unwrap().status(),
        200,
        "it waited longer than the limit"
    );
    let why = inside.oneshot(get(&server, "/hang")).await.unwrap_err();
    assert!(why.is::<tower::timeout::error::Elapsed>(), "{why}");
}

#[tokio::test]
async fn a_retry_outside_sends_each_attempt_through_the_queue() {
    #[derive(Clone)]
    struct Twice;
    impl tower::retry::Policy<Request<Body>, Answer, BoxError> for Twice {
        type Future = std::future::Ready<()>;
        fn retry(
            &mut self,
            _: &mut Request<Body>,
            result: &mut Result<Answer, BoxError>,
        ) -> Option<Self::Future> {
            let throttled = result.as_ref().is_ok_and(|answer| answer.status() == 503);
            throttled.then(|| std::future::ready(()))
        }
        fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
            Some(request.clone())
        }
    }
    let server = Loopback::start();
    let queue = every(5);
    let mut client = ServiceBuilder::new()
        .retry(Twice)
        .layer(QueueLayer::new(queue.clone()))
        .service(http());
    let get_throttled = get(&server, "/throttle/x");
    let attempts = tokio::spawn(async move {
        let answer = client.ready().await?.call(get_throttled).await;
        answer.map(|answer| answer.status())
    });
    while server.arrivals().len() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    attempts.abort();
    let (seen, released) = (server.arrivals().len() as u64, queue.stats().released);
    assert!(released >= seen, "{seen} arrived, {released} released");
}
