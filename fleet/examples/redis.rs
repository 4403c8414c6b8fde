//! A line on this host, with turns from the schedule that all hosts share:
//! `cargo run -p apiqueue-fleet --example redis -- redis://127.0.0.1/`, in several terminals.

use apiqueue::ApiQueue;
use apiqueue_fleet::RedisBackend;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1);
    let redis = RedisBackend::connect(url.as_deref().unwrap_or("redis://127.0.0.1/"))?;
    let limit = redis.limit("ec2");
    let ec2 = ApiQueue::builder()
        .per_second(10)
        .shared(limit.clone())
        .start()?;
    for call in 1..=50 {
        ec2.wait_turn()?;
        println!("call {call}");
    }
    println!("{}\n{}", ec2.stats(), limit.stats());
    Ok(())
}
