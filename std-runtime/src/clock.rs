//! The system's monotonic clock, as readings that a queue can be paced by.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use apiqueue_core::Clock;

static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// The system's monotonic clock: nanoseconds since the first reading in this process.
///
/// All values of this type count from the same origin, so their readings can be compared. The count fits 64 bits for
/// 584 years.
///
/// It is the clock of [`Instant`]. Whether that goes on while the machine is suspended is the system's choice: on Linux
/// it does not (`CLOCK_MONOTONIC`). A queue then goes on after the pause as if there had been none, which can't release
/// anybody early.
///
/// ```
/// use apiqueue::MonotonicClock;
/// use apiqueue_core::Clock;
///
/// let earlier = MonotonicClock.now();
/// assert!(MonotonicClock.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonotonicClock;

impl MonotonicClock {
    /// The instant of a reading. None where the system can't tell instants so far away.
    #[must_use]
    pub fn instant(self, reading: u64) -> Option<Instant> {
        origin().checked_add(Duration::from_nanos(reading))
    }
}

impl Clock for MonotonicClock {
    type Tick = u64;

    fn now(&self) -> u64 {
        u64::try_from(origin().elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

fn origin() -> Instant {
    *ORIGIN.get_or_init(Instant::now)
}
