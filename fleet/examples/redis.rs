//! A line on this host, with turns from the schedule that all hosts share:
//! `cargo run -p apiqueue-fleet --example redis -- redis://127.0.0.1/`, in several terminals.

use apiqueue_fleet::{FleetQueue, RedisBackend};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1);
    let redis = RedisBackend::connect(url.as_deref().unwrap_or("redis://127.0.0.1/"))?;
    let ec2 = FleetQueue::builder()
        .name("ec2")
        .per_second(10)
        .backend(redis)
        .start()?;
    for call in 1..=50 {
        ec2.enqueue()?.wait()?;
        println!("call {call}");
    }
    println!("{}", ec2.stats());
    Ok(())
}
