use std::time::{Duration, Instant};

use apiqueue::ApiQueue;
use apiqueue_loopback::{Bytes, Loopback, Response};
use kube::core::DynamicObject;
use kube::{Api, Config};

use crate::every;
use crate::kube_client::{client, pods};

fn api(server: &Loopback, queue: &ApiQueue) -> Api<DynamicObject> {
    let config = Config::new(server.url("/").parse().unwrap());
    pods(client(config, queue.clone()))
}

fn list() -> Response<Bytes> {
    let list = r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}"#;
    Response::new(list.into())
}

/// As the API server says that it has too much to do.
fn too_many(retry_after: &str) -> Response<Bytes> {
    let status = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too many requests","reason":"TooManyRequests","code":429}"#;
    let answer = Response::builder()
        .status(429)
        .header("retry-after", retry_after);
    answer.body(status.into()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_share_one_line() {
    let server = Loopback::answering(|_| Some(list()));
    let queue = every(2);
    let api = api(&server, &queue);
    let began = Instant::now();
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(async move { api.list(&Default::default()).await.map(drop) })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(2 * 63));
    assert_eq!((queue.stats().released, server.arrivals().len()), (64, 64));
}

#[tokio::test]
async fn a_429_holds_the_queue_and_each_attempt_of_kube_s_own_retries_takes_a_turn() {
    let answers = std::sync::Mutex::new(vec![list(), too_many("1")]);
    let server = Loopback::answering(move |_| answers.lock().unwrap().pop());
    let queue = every(1);
    let api = api(&server, &queue);
    api.list(&Default::default()).await.unwrap();
    assert_eq!(queue.stats().released, 2);
    // kube's own backoff is shorter than what the server asked for.
    assert!(server.shortest_gap().unwrap() >= Duration::from_millis(990));
}

#[tokio::test]
async fn whoever_gives_up_leaves_its_turn_to_others() {
    let server = Loopback::answering(|request| {
        let slow = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("slow"));
        let (mut parts, body) = list().into_parts();
        if slow {
            parts.headers.insert("x-after", "60000".parse().unwrap());
        }
        Some(Response::from_parts(parts, body))
    });
    let queue = ApiQueue::builder().at_once(1).start().unwrap();
    let api = api(&server, &queue);
    let spawn = |labels: &str| {
        let (api, params) = (api.clone(), kube::api::ListParams::default().labels(labels));
        tokio::spawn(async move { api.list(&params).await.map(drop) })
    };
    let on_the_wire = spawn("slow");
    while server.arrivals().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let in_line = spawn("a");
    while queue.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let last = spawn("b");
    in_line.abort();
    on_the_wire.abort();
    last.await.unwrap().unwrap();
    assert_eq!((server.arrivals().len(), queue.under_way()), (2, 0));
}
