//! What calls under way and their answers do to the queue, over real sockets.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Route};
use apiqueue_loopback::fleet::Fleet;
use apiqueue_loopback::{Loopback, answers};
use apiqueue_reqwest::QueueMiddleware;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error};

fn client(route: impl Into<Route<reqwest::Request>>) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new())
        .with(QueueMiddleware::new(route))
        .build()
}

async fn status(client: &ClientWithMiddleware, url: String) -> Result<u16, Error> {
    let answer = client.get(url).send().await?;
    Ok(answer.status().as_u16())
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_may_be() {
    let server = Loopback::start();
    let queue = ApiQueue::builder().at_once(2).start().unwrap();
    let client = client(queue.clone());
    let calls: Vec<_> = (0..12)
        .map(|n| {
            let path = if n % 4 == 3 { "/reset" } else { "/delay/20" };
            let (client, url) = (client.clone(), server.url(path));
            tokio::spawn(async move { status(&client, url).await })
        })
        .collect();
    let mut answers = 0;
    for call in calls {
        answers += usize::from(call.await.unwrap().is_ok());
    }
    assert_eq!((answers, queue.under_way()), (9, 0));
    assert!(server.most_under_way() <= 2);
    // A call that is given up while it is under way makes room.
    for _ in 0..3 {
        let hangs = status(&client, server.url("/hang"));
        let limit = Duration::from_millis(20);
        assert!(tokio::time::timeout(limit, hangs).await.is_err());
    }
    assert_eq!(queue.under_way(), 0);
    assert_eq!(status(&client, server.url("/")).await.unwrap(), 200);
}

#[tokio::test]
async fn answers_do_what_the_table_of_all_integrations_says() {
    let server = Loopback::start();
    for case in answers::CASES {
        let (route, queue) = answers::route();
        let client = client(route);
        let began = Instant::now();
        status(&client, server.url(case.path)).await.unwrap();
        case.check(&queue, began);
    }
}

#[tokio::test]
async fn the_body_of_a_github_403_is_read_and_given_on() {
    let server = Loopback::start();
    for (message, holds) in [
        ("You+have+exceeded+a+secondary+rate+limit", true),
        ("Must+have+admin+rights", false),
    ] {
        let queue = ApiQueue::builder().per_second(1000).start().unwrap();
        let client = client(queue.clone());
        let url = server.url(&format!("/forbidden/{message}"));
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.url().as_str()),
            (403, &*url)
        );
        assert_eq!(answer.headers()["x-ratelimit-remaining"], "21");
        let body = answer.text().await.unwrap();
        assert_eq!(
            body,
            format!("{{\"message\":\"{}\"}}", message.replace('+', " "))
        );
        let next = queue.enqueue_within(Duration::from_secs(50));
        assert_eq!(next.is_err(), holds, "{message}");
    }
    // One that breaks off is reqwest's error, and tells the queue nothing.
    let queue = ApiQueue::builder()
        .per_second(1000)
        .at_once(1)
        .start()
        .unwrap();
    let why = status(&client(queue.clone()), server.url("/cut/403")).await;
    assert!(matches!(why.unwrap_err(), Error::Reqwest(_)));
    assert_eq!(queue.under_way(), 0);
    assert!(queue.enqueue_within(Duration::from_secs(50)).is_ok());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_caller_s_to_meet() {
    let server = Loopback::start();
    let queue = ApiQueue::builder().at_once(1).start().unwrap();
    let client = client(queue.clone());
    let answer = client.get(server.url("/cut/200")).send().await.unwrap();
    // The head has come, so the call is over for the queue.
    assert_eq!((answer.status().as_u16(), queue.under_way()), (200, 0));
    assert!(answer.bytes().await.is_err());
    assert_eq!(status(&client, server.url("/")).await.unwrap(), 200);
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
        let _ = status(&client(queue.clone()), server.url(path)).await;
        assert_eq!(queue.rate().interval() > before, is_slower, "{path}");
    }
}

/// Six calls at a time on each of two hosts.
#[tokio::test]
async fn the_hosts_of_a_fleet_keep_to_one_rate() {
    let server = Loopback::start();
    let fleet = Fleet::start();
    let clients = fleet.hosts.each_ref().map(|host| client(host.clone()));
    let calls: Vec<_> = (0..12)
        .map(|n| {
            let (client, url) = (clients[n % 2].clone(), server.url("/"));
            tokio::spawn(async move { status(&client, url).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 200);
    }
    fleet.check(12);
}

/// Before it has a place, in line, and on the wire.
#[tokio::test]
async fn a_call_that_is_given_up_costs_nobody_a_turn_at_whatever_stage() {
    let server = Loopback::start();
    let builder = ApiQueue::builder().at_once(1).capacity(1);
    let queue = builder.start().unwrap();
    let client = client(queue.clone());
    let spawn = |path: &str| {
        let (client, url) = (client.clone(), server.url(path));
        tokio::spawn(async move { status(&client, url).await })
    };
    let until = async |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let on_the_wire = spawn("/hang");
    until(&|| !server.arrivals().is_empty()).await;
    let in_line = spawn("/a");
    until(&|| queue.len() == 1).await;
    let without_place = spawn("/b");
    until(&|| queue.stats().without_place == 1).await;
    let last = spawn("/c");
    until(&|| queue.stats().without_place == 2).await;
    for call in [without_place, in_line, on_the_wire] {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    assert_eq!(last.await.unwrap().unwrap(), 200);
    let arrived: Vec<_> = server
        .arrivals()
        .into_iter()
        .map(|call| call.target)
        .collect();
    assert_eq!(arrived, ["/hang", "/c"]);
    assert_eq!((queue.under_way(), queue.len()), (0, 0));
}
