//! What calls under way and their answers do to the queue, over real sockets.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Turn};
use apiqueue_loopback::fleet::Fleet;
use apiqueue_loopback::{Loopback, answers};
use apiqueue_tower::{BoxError, QueueLayer, ReadyLayer};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, Service, ServiceExt};

type Body = Empty<Bytes>;
type Http = Client<HttpConnector, Body>;

fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

fn get(server: &Loopback, path: &str) -> Request<Body> {
    Request::get(server.url(path)).body(Body::new()).unwrap()
}

async fn status<S>(client: S, request: Request<Body>) -> Result<u16, BoxError>
where
    S: Service<Request<Body>, Response = Response<Incoming>, Error = BoxError>,
{
    let answer = client.oneshot(request).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    Ok(status)
}

/// No more than two under way at the server, and all come through, those included that get no answer.
async fn two_at_once<S>(server: &Loopback, queue: &ApiQueue, client: S)
where
    S: Service<Request<Body>, Response = Response<Incoming>, Error = BoxError>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let calls: Vec<_> = (0..12)
        .map(|n| {
            let path = if n % 4 == 3 { "/reset" } else { "/delay/20" };
            tokio::spawn(status(client.clone(), get(server, path)))
        })
        .collect();
    let mut answers = 0;
    for call in calls {
        answers += usize::from(call.await.unwrap().is_ok());
    }
    assert_eq!((answers, queue.under_way()), (9, 0));
    assert!(server.arrivals().len() >= 12);
    assert!(server.most_under_way() <= 2);
    // A call that is given up while it is under way makes room.
    for _ in 0..3 {
        let hangs = status(client.clone(), get(server, "/hang"));
        let limit = Duration::from_millis(20);
        assert!(tokio::time::timeout(limit, hangs).await.is_err());
    }
    assert_eq!(queue.under_way(), 0);
    assert_eq!(status(client, get(server, "/")).await.unwrap(), 200);
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_may_be() {
    let queue = ApiQueue::builder().at_once(2).start().unwrap();
    let client = QueueLayer::new(queue.clone()).layer(http());
    two_at_once(&Loopback::start(), &queue, client).await;

    let queue = ApiQueue::builder().at_once(2).start().unwrap();
    let client = ReadyLayer::new(queue.clone()).layer(http());
    two_at_once(&Loopback::start(), &queue, client).await;
}

#[tokio::test]
async fn answers_do_what_the_table_of_all_integrations_says() {
    let server = Loopback::start();
    for case in answers::CASES {
        let (route, queue) = answers::route();
        let client = QueueLayer::new(route).layer(http());
        let began = Instant::now();
        status(client, get(&server, case.path)).await.unwrap();
        case.check(&queue, began);

        let (route, queue) = answers::route();
        let client = ReadyLayer::new(route).layer(http());
        let began = Instant::now();
        status(client, get(&server, case.path)).await.unwrap();
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
    ] {
        let queue = answers::adaptive();
        let before = queue.rate().interval();
        let client = QueueLayer::new(queue.clone()).layer(http());
        let _ = status(client, get(&server, path)).await;
        assert_eq!(queue.rate().interval() > before, is_slower, "{path}");
    }
}

#[tokio::test]
async fn answers_that_are_not_http_are_heeded_by_a_closure() {
    let queue = answers::adaptive();
    let before = queue.rate().interval();
    let layer = QueueLayer::heeding(
        queue.clone(),
        |turn: Turn, answer: &Option<u32>| match answer {
            Some(_) => turn.ok(),
            None => turn.throttled(None),
        },
    );
    let client = layer.layer(tower::service_fn(|n: u32| async move {
        Ok::<_, BoxError>((n > 0).then_some(n))
    }));
    assert_eq!(client.clone().oneshot(1).await.unwrap(), Some(1));
    assert!(queue.rate().interval() <= before);
    assert_eq!(client.oneshot(0).await.unwrap(), None);
    assert!(queue.rate().interval() > before);
}

/// Six calls at a time on each of two hosts.
#[tokio::test]
async fn the_hosts_of_a_fleet_keep_to_one_rate() {
    let server = Loopback::start();
    let fleet = Fleet::start();
    let layered = fleet.hosts.each_ref();
    let layered = layered.map(|host| QueueLayer::new(host.clone()).layer(http()));
    let calls: Vec<_> = (0..12)
        .map(|n| tokio::spawn(status(layered[n % 2].clone(), get(&server, "/"))))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 200);
    }
    fleet.check(12);

    let fleet = Fleet::start();
    let layered = fleet.hosts.each_ref();
    let layered = layered.map(|host| ReadyLayer::new(host.clone()).layer(http()));
    let calls: Vec<_> = (0..12)
        .map(|n| tokio::spawn(status(layered[n % 2].clone(), get(&server, "/"))))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 200);
    }
    fleet.check(12);
}
