//! A clock of 32-bit milliseconds that wraps, and pauses longer than half its range.
//!
//! The program moves the clock and keeps the true time beside it, in 64 bits. A year is over in a second.
#![no_std]
#![no_main]

use core::hint::black_box;

use apiqueue_core::{Clock, ManualClock, Next, Queue, Rate};
use board::println;

const INTERVAL: u32 = 100;
// Strict, so that a first release that comes a tick after a visit makes up nothing of it.
const RATE: Rate<u32> = match Rate::<u32>::every(INTERVAL) {
    Ok(rate) => rate.strict(),
    Err(_) => panic!("at compile time only"),
};

/// 350 ms before the wrap.
const START: u32 = u32::MAX - 349;
/// How often a driver over a 32-bit clock has to visit: see `Clock`.
const VISIT: u64 = 1 << 26;

static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(START);
static QUEUE: Queue<&ManualClock<u32>, 16> = Queue::new(&CLOCK, RATE);

/// The true time and when the latest release was.
struct Truth {
    now: u64,
    last: Option<u64>,
    releases: u32,
}

board::main!(run);

fn run() {
    let mut truth = Truth {
        now: u64::from(START),
        last: None,
        releases: 0,
    };
    across_the_wrap(&mut truth);
    let half = 1_u64 << 31;
    for idle in [
        half / 2,
        half - 1,
        half,
        half + 1,
        half + half / 2,
        2 * half - u64::from(INTERVAL),
        2 * half - 1,
        2 * half,
        2 * half + 1,
        5 * half + 12_345,
    ] {
        after_a_pause(&mut truth, idle);
    }
    held_across_the_wrap(&mut truth);
    println!(
        "wrap: {} releases in {} days of milliseconds, {} wraps",
        truth.releases,
        (truth.now - u64::from(START)) / 86_400_000,
        truth.now >> 32
    );
}

/// Ten waiters, of which the first four go before the wrap.
fn across_the_wrap(truth: &mut Truth) {
    let line: [_; 10] = core::array::from_fn(|_| QUEUE.enqueue());
    let begin = truth.now;
    truth.drive_until_empty();
    assert_eq!(truth.now - begin, 9 * u64::from(INTERVAL));
    assert!(truth.now >> 32 == 1, "the clock wrapped");
    assert!(line.iter().flatten().all(|waiter| !waiter.is_waiting()));
}

/// Nobody comes for `idle` ticks, while the driver visits as it must. The next four are paced as if it were the start.
fn after_a_pause(truth: &mut Truth, idle: u64) {
    let mut left = idle;
    while left > 0 {
        let step = left.min(VISIT);
        truth.pass(step);
        left -= step;
        let advance = QUEUE.advance();
        assert_eq!((advance.released, advance.next), (0, Next::OnEnqueue));
    }
    let line: [_; 4] = core::array::from_fn(|_| QUEUE.enqueue());
    let begin = truth.now;
    truth.drive_until_empty();
    assert_eq!(truth.now - begin, 3 * u64::from(INTERVAL), "after {idle}");
    assert!(line.iter().flatten().all(|waiter| !waiter.is_waiting()));
}

/// The longest hold, with the wrap inside.
fn held_across_the_wrap(truth: &mut Truth) {
    const HOLD: u32 = (1 << 26) - 1;
    let to_the_wrap = (1 << 32) - truth.now % (1 << 32);
    let mut left = to_the_wrap - 1_000;
    while left > 0 {
        let step = left.min(VISIT);
        truth.pass(step);
        left -= step;
        let _ = QUEUE.advance();
    }
    let until = CLOCK.now().wrapping_add(HOLD);
    assert_eq!(QUEUE.hold_until(until), Ok(()));
    let line: [_; 2] = core::array::from_fn(|_| QUEUE.enqueue());
    let begin = truth.now;
    truth.drive_until_empty();
    assert_eq!(truth.now - begin, u64::from(HOLD + INTERVAL));
    assert!(line.iter().flatten().all(|waiter| !waiter.is_waiting()));
}

impl Truth {
    fn pass(&mut self, ticks: u64) {
        self.now += ticks;
        CLOCK.advance(black_box(ticks as u32));
        assert_eq!(CLOCK.now(), self.now as u32);
    }

    /// Goes from deadline to deadline, looking a tick before each as well, and checks each release against the one
    /// before.
    fn drive_until_empty(&mut self) {
        loop {
            let advance = QUEUE.advance();
            assert!(advance.released <= 1, "one at a time");
            if advance.released == 1 {
                if let Some(last) = self.last.replace(self.now) {
                    assert!(self.now - last >= u64::from(INTERVAL), "too early");
                }
                self.releases += 1;
            }
            let Next::At(at) = advance.next else {
                return;
            };
            let wait = at.wrapping_sub(CLOCK.now());
            assert!(wait > 0 && wait < 1 << 26, "the deadline lies ahead");
            self.pass(u64::from(wait) - 1);
            assert_eq!(QUEUE.advance().released, 0, "not a tick early");
            self.pass(1);
        }
    }
}
