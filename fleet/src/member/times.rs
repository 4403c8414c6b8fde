//! [`Times`]: the queue's clock, as the host counts.

use apiqueue::QueueClock;
use apiqueue::core::Clock;

/// Microseconds since a queue was started, by its clock, whose readings are nanoseconds and wrap.
#[derive(Clone, Debug)]
pub(super) struct Times {
    clock: QueueClock,
    origin: u64,
}

/// Readings farther apart than this are taken for the past.
const FARTHEST: u64 = u64::MAX / 2;
const NANOS: u64 = 1_000;

impl Times {
    pub(super) fn new(clock: QueueClock) -> Self {
        let origin = clock.now();
        Self { clock, origin }
    }

    /// What is done at a time is done no sooner with this.
    pub(super) fn now(&self) -> u64 {
        self.passed() / NANOS
    }

    /// For what has arrived: from then on and not before.
    pub(super) fn arrival(&self) -> u64 {
        self.passed().div_ceil(NANOS)
    }

    fn passed(&self) -> u64 {
        let passed = self.clock.now().wrapping_sub(self.origin);
        // A clock that was set back.
        if passed > FARTHEST { 0 } else { passed }
    }

    /// The reading at a time of the host's.
    pub(super) fn reading(&self, at: u64) -> u64 {
        let nanos = at.saturating_mul(NANOS).min(FARTHEST);
        self.origin.wrapping_add(nanos)
    }

    /// Whether the clock has panicked.
    pub(super) fn are_over(&self) -> bool {
        self.clock.is_broken()
    }
}
