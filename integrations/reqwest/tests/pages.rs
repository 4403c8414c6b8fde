//! A page a turn, as `examples/pages.rs` has it.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../examples/pages.rs"]
mod example;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use apiqueue::ApiQueue;
use apiqueue_loopback::{Loopback, Response};
use apiqueue_reqwest::QueueMiddleware;
use reqwest_middleware::ClientBuilder;

use crate::example::pages;

#[tokio::test]
async fn each_page_takes_a_turn_and_one_that_is_refused_another_after_the_hold() {
    let is_refused = AtomicBool::new(true);
    let server = Loopback::answering(move |request| {
        let host = request.headers()["host"].to_str().unwrap();
        let page: u32 = match request.uri().query() {
            None => 1,
            Some(query) => query.strip_prefix("page=").unwrap().parse().unwrap(),
        };
        let answer = Response::builder();
        if page == 3 && is_refused.swap(false, Ordering::SeqCst) {
            let answer = answer.status(429).header("retry-after-ms", "300");
            return answer.body("".into()).ok();
        }
        let answer = match page {
            4 => answer,
            _ => answer.header(
                "link",
                format!(
                    "<http://{host}/?page={}>; rel=\"next\", <http://{host}/?page=4>; rel=\"last\"",
                    page + 1
                ),
            ),
        };
        answer.body(page.to_string().into()).ok()
    });
    let builder = ApiQueue::builder()
        .every(Duration::from_millis(20))
        .strict();
    let queue = builder.start().unwrap();
    let client = ClientBuilder::new(reqwest::Client::new());
    let client = client.with(QueueMiddleware::new(queue.clone())).build();
    let began = Instant::now();
    let read = pages(&client, server.url("/")).await.unwrap();
    assert_eq!(read, ["1", "2", "3", "4"]);
    assert_eq!((queue.stats().released, server.arrivals().len()), (5, 5));
    // Three intervals and the hold.
    assert!(began.elapsed() >= Duration::from_millis(3 * 20 + 300));
}
