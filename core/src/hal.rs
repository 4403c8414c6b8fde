//! Driving a queue with nothing but embedded-hal's delay: no timer, no clock of the board's.

use core::borrow::Borrow;
use core::ops::Deref;

use embedded_hal::delay::DelayNs;

use crate::advance::{Advance, Next};
use crate::clock::Clock;
use crate::manual::ManualClock;
use crate::queue::QueueOver;
use crate::slot::Slot;
use crate::weight::Weighing;

/// A driver that sleeps in a delay and moves the queue's own [`ManualClock`] by what it slept.
///
/// A delay may take longer than asked, and other code between two delays takes time that nobody counts: the clock then
/// lags behind the true time, so releases come later, never earlier. `D` is embedded-hal's blocking `DelayNs`, or its async
/// one for the `_async` calls.
///
/// ```
/// use apiqueue_core::{DelayDriver, ManualClock, Queue, Rate};
/// use embedded_hal::delay::DelayNs;
///
/// struct Board; // the board's delay
/// impl DelayNs for Board {
///     fn delay_ns(&mut self, _ns: u32) {}
/// }
///
/// let clock = ManualClock::<u32>::new(0);
/// let queue: Queue<_, 4> = Queue::new(&clock, Rate::every(250)?);
/// let line = [queue.enqueue()?, queue.enqueue()?, queue.enqueue()?];
///
/// let mut driver = DelayDriver::new(Board, 1_000); // a tick is a microsecond
/// assert_eq!(driver.run(&queue), 3);
/// assert!(line.iter().all(|waiter| !waiter.is_waiting()));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DelayDriver<D> {
    delay: D,
    nanos_per_tick: u32,
}

impl<D> DelayDriver<D> {
    /// A driver that counts `nanos_per_tick` nanoseconds a tick (0 counts as 1).
    pub const fn new(delay: D, nanos_per_tick: u32) -> Self {
        let nanos_per_tick = if nanos_per_tick == 0 {
            1
        } else {
            nanos_per_tick
        };
        Self {
            delay,
            nanos_per_tick,
        }
    }

    /// The most ticks that one call of the delay can take.
    fn longest(&self) -> u32 {
        match u32::MAX.checked_div(self.nanos_per_tick) {
            Some(ticks) if ticks > 0 => ticks,
            _ => 1,
        }
    }

    /// How long until `at`, in chunks that one call can take.
    fn chunk(&self, clock: &ManualClock<u32>, at: u32) -> Option<(u32, u32)> {
        let left = at.wrapping_sub(clock.now());
        if left == 0 || left > u32::MAX / 2 {
            return None;
        }
        let ticks = left.min(self.longest());
        Some((ticks, ticks.wrapping_mul(self.nanos_per_tick)))
    }
}

impl<D: DelayNs> DelayDriver<D> {
    /// Releases what is due; if nothing is, sleeps until something is, and releases that.
    pub fn step<C, S, K: Weighing>(&mut self, queue: &QueueOver<C, S, K>) -> Advance<u32>
    where
        C: Clock<Tick = u32> + Borrow<ManualClock<u32>>,
        S: Deref<Target = [Slot]>,
    {
        let advance = queue.advance();
        let Next::At(at) = advance.next else {
            return advance;
        };
        if advance.released > 0 {
            return advance;
        }
        let clock = queue.clock().borrow();
        while let Some((ticks, nanos)) = self.chunk(clock, at) {
            self.delay.delay_ns(nanos);
            clock.advance(ticks);
        }
        queue.advance()
    }

    /// Drives the queue until nobody is in line, and returns how many were released.
    pub fn run<C, S, K: Weighing>(&mut self, queue: &QueueOver<C, S, K>) -> usize
    where
        C: Clock<Tick = u32> + Borrow<ManualClock<u32>>,
        S: Deref<Target = [Slot]>,
    {
        let mut released = 0;
        loop {
            let advance = self.step(queue);
            released += advance.released;
            if !matches!(advance.next, Next::At(_)) {
                return released;
            }
        }
    }
}

impl<D: embedded_hal_async::delay::DelayNs> DelayDriver<D> {
    /// [`run`](Self::run) with the async delay: waiters awaited on the same executor go on meanwhile.
    ///
    /// # Cancel safety
    /// Dropped in a delay, it has released what it has released, and the clock lags by the part of the delay that passed.
    pub async fn run_async<C, S, K: Weighing>(&mut self, queue: &QueueOver<C, S, K>) -> usize
    where
        C: Clock<Tick = u32> + Borrow<ManualClock<u32>>,
        S: Deref<Target = [Slot]>,
    {
        let mut released = 0;
        loop {
            let advance = queue.advance();
            released += advance.released;
            let Next::At(at) = advance.next else {
                return released;
            };
            let clock = queue.clock().borrow();
            while let Some((ticks, nanos)) = self.chunk(clock, at) {
                self.delay.delay_ns(nanos).await;
                clock.advance(ticks);
            }
        }
    }
}
