//! Two queues on one schedule: 100 calls a second together, whichever of them is asked.
//!
//! ```sh
//! cargo run -p apiqueue-fleet --example shared
//! ```

use apiqueue::ApiQueue;
use apiqueue_fleet::InProcess;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let limit = InProcess::new().limit("ec2"); // on a Redis, where the queues live on two hosts
    let host = || {
        ApiQueue::builder()
            .per_second(100)
            .shared(limit.clone())
            .start()
    };
    let hosts = [host()?, host()?];
    let mut first = None;
    for call in 0..20 {
        hosts[call % 2].wait_turn()?;
        let first = *first.get_or_insert_with(Instant::now);
        println!(
            "call {call:2} from host {} at {:3} ms",
            call % 2,
            first.elapsed().as_millis()
        );
    }
    println!("{}", limit.stats());
    Ok(())
}
