//! A line in this process, with turns from the schedule that all processes of this user share:
//! `cargo run -p apiqueue-fleet --example file`, in several terminals.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use apiqueue::ApiQueue;
    use apiqueue_fleet::FileBackend;

    let files = FileBackend::for_user()?;
    let limit = files.limit("ec2");
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

#[cfg(not(unix))]
fn main() {}
