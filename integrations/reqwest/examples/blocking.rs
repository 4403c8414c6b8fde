//! The same with `ureq`, which blocks: no middleware is needed. `cargo run -p apiqueue-reqwest --example blocking -- URL`
use apiqueue::{ApiQueue, Route};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: blocking URL")?;
    let queue = ApiQueue::builder().per_second(5).start()?;
    let route: Route<str> = Route::to(queue.clone());
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = ureq::Agent::new_with_config(config.build());
    for _ in 0..10 {
        let turn = queue.wait_turn()?;
        let answer = agent.get(&url).call()?;
        route.answered(Some(turn), answer.status(), answer.headers());
        println!("{}", answer.status());
    }
    Ok(())
}
