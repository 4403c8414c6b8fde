//! `ureq`, which blocks: a middleware of ten lines. `cargo run --example ureq`, on a server on loopback.
use apiqueue::{ApiQueue, Route};
use apiqueue_loopback::Loopback;
use ureq::http::{Request, Response, Uri};
use ureq::middleware::MiddlewareNext;
use ureq::{Agent, Body, Error, SendBody};

/// Every request of the agent takes its turn by the route; a redirect is followed inside of it.
pub fn agent(route: Route<Uri>) -> Agent {
    let paced =
        move |request: Request<SendBody>, next: MiddlewareNext| -> Result<Response<Body>, Error> {
            let queue = route
                .queue(request.uri())
                .map_err(|why| Error::Other(why.into()))?;
            let turn = queue.as_ref().map(ApiQueue::wait_turn).transpose();
            let turn = turn.map_err(|why| Error::Other(why.into()))?;
            // Without an answer the turn is dropped, which tells the queue nothing.
            let answer = next.handle(request)?;
            route.answered(turn, answer.status(), answer.headers());
            Ok(answer)
        };
    let config = Agent::config_builder().http_status_as_error(false);
    config.middleware(paced).build().into()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Loopback::start();
    let queue = ApiQueue::builder().per_second(10).name("service").start()?;
    let agent = agent(queue.clone().into());
    for _ in 0..5 {
        println!("{}", agent.get(server.url("/")).call()?.status());
    }
    println!("{}", queue.stats());
    Ok(())
}
