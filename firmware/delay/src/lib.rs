//! A queue driven with nothing but embedded-hal's `DelayNs`: this source runs on a board (`main.rs`) and on the host
//! (`examples/host.rs`).
#![no_std]

use apiqueue_core::{DelayDriver, EnqueueError, ManualClock, Queue, Rate};
use embedded_hal::delay::DelayNs;

/// Microseconds from one frame to the next.
pub const INTERVAL_US: u32 = 250;
const NANOS_PER_TICK: u32 = 1_000;
const RATE: Rate<u32> = match Rate::<u32>::every(INTERVAL_US) {
    Ok(rate) => rate.strict(),
    Err(_) => panic!("at compile time only"),
};

/// Sends `frames` frames in their turn, eight in line at a time. Says how many nanoseconds it asked `delay` for.
///
/// # Errors
/// Of the queue: none, as it is neither full nor closed here.
///
/// # Panics
/// When a frame leaves out of its turn or too early: this is a test.
pub fn send_frames(
    delay: impl DelayNs,
    frames: u32,
    mut send: impl FnMut(u32),
) -> Result<u64, EnqueueError> {
    let clock = ManualClock::<u32>::new(0);
    let queue: Queue<_, 8> = Queue::new(&clock, RATE);
    let mut slept = Counted { delay, nanos: 0 };
    let mut sent = 0;
    let mut sent_at = None;
    while sent < frames {
        let mut line = [const { None }; 8];
        for place in line.iter_mut().take((frames - sent) as usize) {
            *place = Some(queue.enqueue()?);
        }
        // One of each line changes its mind, which costs the others no turn.
        if frames - sent > 8 {
            line[3] = None;
        }
        for frame in line.into_iter().flatten() {
            while frame.is_waiting() {
                let advance = DelayDriver::new(&mut slept, NANOS_PER_TICK).step(&queue);
                assert!(
                    advance.released <= 1,
                    "the interval is not over for a second one"
                );
                if advance.released == 1
                    && let Some(at) = sent_at.replace(slept.nanos)
                {
                    let gap = slept.nanos - at;
                    assert!(
                        gap >= u64::from(INTERVAL_US * NANOS_PER_TICK),
                        "too early: {gap} ns"
                    );
                }
            }
            send(sent);
            sent += 1;
        }
        assert!(queue.is_empty(), "who came first has gone first");
    }
    Ok(slept.nanos)
}

/// Counts what the delay is asked for.
struct Counted<D> {
    delay: D,
    nanos: u64,
}

impl<D: DelayNs> DelayNs for Counted<D> {
    fn delay_ns(&mut self, ns: u32) {
        self.delay.delay_ns(ns);
        self.nanos += u64::from(ns);
    }
}
