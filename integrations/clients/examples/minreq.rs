//! `minreq`, which blocks and has no middlewares: a function to send through. `cargo run --example minreq`, on a server on loopback.
use std::error::Error;

use apiqueue::{ApiQueue, Route};
use apiqueue_loopback::Loopback;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// How minreq 3 tells that the server closed the connection without an answer: as a 503 with this reason.
const NO_ANSWER: &str = "Server did not provide a status line";

/// Sends a request in its turn among those to this service.
pub fn send(
    route: &Route<str>,
    service: &str,
    request: minreq::Request,
) -> Result<minreq::Response, Box<dyn Error>> {
    let queue = route.queue(service)?;
    let turn = queue.as_ref().map(ApiQueue::wait_turn).transpose()?;
    // Without an answer the turn is dropped, which tells the queue nothing.
    let answer = request.send()?;
    if answer.reason_phrase == NO_ANSWER {
        return Err(NO_ANSWER.into());
    }
    let fields = answer.headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        Some((name, HeaderValue::try_from(value.as_str()).ok()?))
    });
    let status = StatusCode::from_u16(answer.status_code)?;
    route.answered(turn, status, &fields.collect::<HeaderMap>());
    Ok(answer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = Loopback::start();
    let queue = ApiQueue::builder().per_second(10).name("service").start()?;
    let route = Route::to(queue.clone());
    for _ in 0..5 {
        println!(
            "{}",
            send(&route, "service", minreq::get(server.url("/")))?.status_code
        );
    }
    println!("{}", queue.stats());
    Ok(())
}
