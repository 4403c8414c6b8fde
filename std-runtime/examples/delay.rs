//! Firmware on the host: code that drives a core queue with nothing but embedded-hal's `DelayNs`, unchanged.
//!
//! `cargo run --release --example delay --features embedded-hal`

use apiqueue::StdDelay;
use apiqueue::core::{DelayDriver, ManualClock, Queue, Rate};
use embedded_hal::delay::DelayNs;

/// As it would be on a board: sends each frame in its turn, at most one in 200 ms. Says how many were sent.
fn send_frames(delay: impl DelayNs, mut send: impl FnMut(u32)) -> u32 {
    static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(0);
    const INTERVAL: Rate<u32> = match Rate::<u32>::every(200) {
        Ok(rate) => rate,
        Err(_) => unreachable!(),
    };
    static RADIO: Queue<&ManualClock<u32>, 8> = Queue::new(&CLOCK, INTERVAL);

    let mut driver = DelayDriver::new(delay, 1_000_000); // a tick is a millisecond
    let mut sent = 0;
    while let Ok(frame) = RADIO.enqueue() {
        while frame.is_waiting() {
            let _ = driver.step(&RADIO);
        }
        send(sent);
        sent += 1;
        if sent == 10 {
            RADIO.close();
        }
    }
    sent
}

fn main() {
    let start = std::time::Instant::now();
    let sent = send_frames(StdDelay::new(), |frame| {
        println!("frame {frame} at {:>4} ms", start.elapsed().as_millis());
    });
    println!("{sent} frames in {:.1?}", start.elapsed());
}
