//! The board's part: its delay, and nothing else of its timers.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
board::main!(run);

#[cfg(target_os = "none")]
fn run() {
    use delay::{INTERVAL_US, send_frames};

    const FRAMES: u32 = 200;
    let mut sent = 0;
    let slept = send_frames(board::delay(), FRAMES, |frame| {
        assert!(frame == sent, "in order");
        sent += 1;
    });
    let due = u64::from(FRAMES - 1) * u64::from(INTERVAL_US) * 1_000;
    assert_eq!((slept, sent), (Ok(due), FRAMES));
    board::println!(
        "delay: {sent} frames, {} us asked of the delay",
        due / 1_000
    );
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("for a board; on the host: cargo run -p delay --example host");
}
