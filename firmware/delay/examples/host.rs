//! The host's part: the same source with the std crate's `StdDelay`.
//!
//! `cargo run --release -p delay --example host`, in `firmware/`

use std::time::{Duration, Instant};

use apiqueue::StdDelay;
use apiqueue::core::EnqueueError;
use delay::{INTERVAL_US, send_frames};

const FRAMES: u32 = 200;

fn main() -> Result<(), EnqueueError> {
    let begin = Instant::now();
    let mut sent = 0;
    let slept = send_frames(StdDelay::new(), FRAMES, |frame| {
        assert_eq!(frame, sent, "in order");
        sent += 1;
    })?;
    let took = begin.elapsed();
    let due = Duration::from_micros(u64::from(FRAMES - 1) * u64::from(INTERVAL_US));
    assert_eq!((Duration::from_nanos(slept), sent), (due, FRAMES));
    assert!(took >= due, "{took:?} is less than {due:?}");
    println!("delay: {sent} frames in {took:?}, {due:?} asked of the delay");
    Ok(())
}
