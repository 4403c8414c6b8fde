//! Two queues on one schedule: 100 calls a second together, whichever of them is asked.
//!
//! ```sh
//! cargo run -p apiqueue-fleet --example shared
//! ```

use apiqueue_fleet::{FleetQueue, InProcess};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schedule = InProcess::new(); // a Redis, where the queues live on two hosts
    let host = || {
        FleetQueue::builder()
            .name("ec2")
            .per_second(100)
            .backend(schedule.clone())
            .start()
    };
    let hosts = [host()?, host()?];
    let mut first = None;
    for call in 0..20 {
        hosts[call % 2].enqueue()?.wait()?;
        let first = *first.get_or_insert_with(Instant::now);
        println!(
            "call {call:2} from host {} at {:3} ms",
            call % 2,
            first.elapsed().as_millis()
        );
    }
    println!("{}", hosts[0].stats());
    Ok(())
}
