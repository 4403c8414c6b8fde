//! [`CycleClock`]: the processor's cycle counter as a clock.

use apiqueue_core::Clock;

/// The processor's cycle counter, scaled to nanoseconds by the crate `quanta`: a reading costs about 10 ns in place of
/// 25. For [`Builder::clock`](crate::Builder::clock), and for people who count nanoseconds.
///
/// # Risks
/// Making the first one takes up to 200 ms, as the counter is measured against the system's clock. Where the processor has
/// no counter that is the same on all cores and at all speeds, this is the system's clock again. Counters have been seen
/// to jump back after a suspend or a move of a virtual machine: a queue is then late by the jump, and never early. It
/// drifts against the system's clock, by which the driver sleeps: a release that comes due meanwhile is found by looking
/// again.
///
/// ```
/// use apiqueue::{ApiQueue, CycleClock};
///
/// let queue = ApiQueue::builder().per_second(1000).clock(std::sync::Arc::new(CycleClock::new())).start()?;
/// for _ in 0..3 {
///     queue.enqueue()?.wait()?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CycleClock {
    clock: quanta::Clock,
    origin: quanta::Instant,
}

impl CycleClock {
    /// Readings count from now.
    #[must_use]
    pub fn new() -> Self {
        let clock = quanta::Clock::new();
        let origin = clock.now();
        Self { clock, origin }
    }
}

impl Default for CycleClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for CycleClock {
    type Tick = u64;

    fn now(&self) -> u64 {
        let passed = self.clock.now().saturating_duration_since(self.origin);
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    }
}
