//! The same with `ureq`, which blocks: no middleware is needed. `cargo run -p apiqueue-reqwest --example blocking -- URL`
use apiqueue::{ApiQueue, Throttled};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: blocking URL")?;
    let queue = ApiQueue::builder().per_second(5).start()?;
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = ureq::Agent::new_with_config(config.build());
    for _ in 0..10 {
        queue.enqueue()?.wait()?;
        let answer = agent.get(&url).call()?;
        if let Some(hold) = Throttled::default().hold(&answer) {
            queue.hold_for(hold)?;
        }
        println!("{}", answer.status());
    }
    Ok(())
}
