//! Embassy's time on the board's timer, and a queue's clock on embassy's time.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use apiqueue_core::Clock;
use board::timer;
use critical_section::{Mutex, with};
use embassy_time::Instant;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// Counts of the board's timer that stand for a millisecond. The boards' timers differ, and nothing here depends on it.
const COUNTS_PER_TICK: u32 = 10_000;

/// The low half of embassy's 64-bit milliseconds: a queue on a 32-bit target counts in 32 bits.
pub(crate) struct EmbassyClock;

impl Clock for EmbassyClock {
    type Tick = u32;

    fn now(&self) -> u32 {
        Instant::now().as_ticks() as u32
    }
}

/// The reading `at` of the queue's clock, which is not far from now, as embassy's instant.
pub(crate) fn instant(at: u32) -> Instant {
    let now = Instant::now().as_ticks();
    let wait = at.wrapping_sub(now as u32);
    // More than half the range ahead is a moment that has passed.
    let wait = if wait > u32::MAX / 2 { 0 } else { wait };
    Instant::from_ticks(now + u64::from(wait))
}

pub(crate) fn start() {
    timer::every(COUNTS_PER_TICK, || TIME.tick());
}

struct Time {
    now: Mutex<Cell<u64>>,
    alarm: Mutex<Cell<u64>>,
    sleepers: Mutex<RefCell<Queue>>,
}

impl Time {
    fn tick(&self) {
        with(|section| {
            let now = self.now.borrow(section).get() + 1;
            self.now.borrow(section).set(now);
            if now >= self.alarm.borrow(section).get() {
                let next = self.sleepers.borrow_ref_mut(section).next_expiration(now);
                self.alarm.borrow(section).set(next);
            }
        });
    }
}

impl Driver for Time {
    fn now(&self) -> u64 {
        with(|section| self.now.borrow(section).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        with(|section| {
            let mut sleepers = self.sleepers.borrow_ref_mut(section);
            if sleepers.schedule_wake(at, waker) {
                let next = sleepers.next_expiration(self.now.borrow(section).get());
                self.alarm.borrow(section).set(next);
            }
        });
    }
}

embassy_time_driver::time_driver_impl!(static TIME: Time = Time {
    // Just before 32 bits of milliseconds wrap: it happens while the radio sends.
    now: Mutex::new(Cell::new(u32::MAX as u64 - 300)),
    alarm: Mutex::new(Cell::new(u64::MAX)),
    sleepers: Mutex::new(RefCell::new(Queue::new())),
});
