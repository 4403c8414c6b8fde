//! The clocks that queues are paced by: the system's, or the user's own. Readings are nanoseconds.

#[cfg(feature = "quanta")]
mod cycle;
#[cfg(feature = "embedded-hal")]
mod delay;
#[cfg(feature = "tokio")]
mod tokio;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use apiqueue_core::{Clock, ManualClock, Next};
use once_cell::race::OnceBox;

use crate::guarded::guarded;

#[cfg(feature = "tokio")]
pub use self::tokio::TokioClock;
#[cfg(feature = "quanta")]
pub use cycle::CycleClock;
#[cfg(feature = "embedded-hal")]
pub use delay::StdDelay;

// Not a `OnceLock`: a child that was forked while another thread filled that would wait for ever.
static ORIGIN: OnceBox<Instant> = OnceBox::new();

/// The system's monotonic clock: nanoseconds since the first reading in this process.
///
/// All values of this type count from the same origin, so their readings can be compared. The count fits 64 bits for
/// 584 years.
///
/// It is the clock of [`Instant`]. Whether that goes on while the machine is suspended is the system's choice: on Linux
/// it does not (`CLOCK_MONOTONIC`; `CLOCK_BOOTTIME` would). A queue then goes on after the pause as if there had been
/// none. That can't release anybody early, and it is the clock that the system's sleeps are measured by: with another one
/// the driver would sleep through the difference. The price is that a hold, or a long interval, lasts longer by the pause.
///
/// ```
/// use apiqueue::MonotonicClock;
/// use apiqueue_core::{Clock, ManualClock};
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
    *ORIGIN.get_or_init(|| Box::new(Instant::now()))
}

/// What a queue is paced by.
#[derive(Clone)]
pub(crate) enum Timebase {
    System,
    Own(OwnClock),
    /// A mock that goes on to whatever is waited for.
    AutoAdvance(Arc<ManualClock<u64>>),
    /// It stands before the end of the queue's hold, so that its own schedule lets nobody go: permits come from elsewhere, by
    /// another clock.
    Standing(Box<Timebase>),
}

/// The user's clock. Once it has panicked nobody can say what is free, so that its queue must be closed.
#[derive(Clone)]
pub(crate) struct OwnClock {
    clock: Arc<dyn Clock<Tick = u64> + Send + Sync>,
    /// Its first reading.
    first: u64,
    broken: Arc<AtomicBool>,
}

/// The drop of what is the user's runs behind a guard.
impl Drop for OwnClock {
    fn drop(&mut self) {
        let clock = std::mem::replace(&mut self.clock, Arc::new(MonotonicClock));
        guarded(|| drop(clock));
    }
}

impl OwnClock {
    pub(crate) fn new(clock: Arc<dyn Clock<Tick = u64> + Send + Sync>) -> Self {
        let first = guarded(|| clock.now());
        Self {
            clock,
            first: first.unwrap_or(0),
            broken: Arc::new(AtomicBool::new(first.is_none())),
        }
    }

    /// Whether it has panicked.
    pub(crate) fn is_broken(&self) -> bool {
        // Ordering: Relaxed; who saw it panic finds it so, and others a moment later.
        self.broken.load(Ordering::Relaxed)
    }

    // Apart, so that who reads the system's clock keeps his registers.
    #[inline(never)]
    fn now(&self) -> u64 {
        guarded(|| self.clock.now()).unwrap_or_else(|| {
            self.broken.store(true, Ordering::Relaxed);
            self.first
        })
    }
}

/// What the standing clock reads, and until when the queue is held.
const STANDS_AT: u64 = 0;
pub(crate) const HELD_UNTIL: u64 = 1;

impl Timebase {
    /// The user's, or the system's.
    pub(crate) fn new(clock: Option<Arc<dyn Clock<Tick = u64> + Send + Sync>>) -> Self {
        clock.map_or(Self::System, |clock| Self::Own(OwnClock::new(clock)))
    }

    pub(crate) fn is_own(&self) -> bool {
        match self {
            Self::System => false,
            Self::Own(_) | Self::AutoAdvance(_) => true,
            Self::Standing(real) => real.is_own(),
        }
    }

    /// Whether a reading may do anything at all.
    pub(crate) fn runs_user_code(&self) -> bool {
        match self {
            Self::System | Self::AutoAdvance(_) => false,
            Self::Own(_) => true,
            Self::Standing(real) => real.runs_user_code(),
        }
    }

    /// Whether it is one of the user's that has panicked.
    #[inline]
    pub(crate) fn is_broken(&self) -> bool {
        match self {
            Self::System | Self::AutoAdvance(_) => false,
            Self::Own(clock) => clock.is_broken(),
            Self::Standing(real) => matches!(&**real, Self::Own(clock) if clock.is_broken()),
        }
    }

    /// How long until this clock reads `at`, if it goes on as the system's does.
    pub(crate) fn until(&self, at: u64) -> Duration {
        Duration::from_nanos(left(at, self.reading()))
    }

    /// The instant at which this clock will read `at`, as far as can be told now.
    pub(crate) fn instant(&self, at: u64) -> Option<Instant> {
        match self {
            Self::System => MonotonicClock.instant(at),
            Self::Own(_) | Self::AutoAdvance(_) => Instant::now().checked_add(self.until(at)),
            Self::Standing(real) => real.instant(at),
        }
    }

    /// The reading of [`MonotonicClock`] at which this clock will read `at`, as far as can be told now.
    pub(crate) fn in_system_time(&self, at: u64) -> u64 {
        match self {
            Self::System => at,
            Self::Own(_) | Self::AutoAdvance(_) => u64::try_from(self.until(at).as_nanos())
                .unwrap_or(u64::MAX)
                .saturating_add(MonotonicClock.now()),
            Self::Standing(real) => real.in_system_time(at),
        }
    }

    /// When to come back, as [`MonotonicClock`] tells it.
    pub(crate) fn next_in_system_time(&self, next: Next<u64>) -> Next<u64> {
        match next {
            Next::At(at) => Next::At(self.in_system_time(at)),
            other => other,
        }
    }

    /// The mock that goes on by itself, if it is one.
    pub(crate) fn mock(&self) -> Option<&Arc<ManualClock<u64>>> {
        match self {
            Self::AutoAdvance(clock) => Some(clock),
            Self::Standing(real) => real.mock(),
            Self::System | Self::Own(_) => None,
        }
    }

    /// When to come back, and the jump of a mock that goes on by itself instead.
    pub(crate) fn when(&self, next: Next<u64>) -> (Next<u64>, Option<Jump>) {
        match (next, self.mock()) {
            (Next::At(at), Some(clock)) => {
                let clock = Arc::clone(clock);
                (Next::OnEnqueue, Some(Jump { clock, at }))
            }
            _ => (self.next_in_system_time(next), None),
        }
    }

    /// A reading of the clock that permits are given by.
    pub(crate) fn reading(&self) -> u64 {
        match self {
            Self::System => MonotonicClock.now(),
            Self::Own(clock) => clock.now(),
            Self::AutoAdvance(clock) => clock.now(),
            Self::Standing(real) => real.reading(),
        }
    }
}

/// How far it is to a reading, 0 for one that is over. Readings wrap: more than half the range away means in the past.
pub(crate) fn left(at: u64, now: u64) -> u64 {
    let left = at.wrapping_sub(now);
    if left > u64::MAX / 2 { 0 } else { left }
}

/// What a mock clock goes on to when its driver would sleep.
#[derive(Debug)]
pub(crate) struct Jump {
    pub(crate) clock: Arc<ManualClock<u64>>,
    pub(crate) at: u64,
}

impl Jump {
    pub(crate) fn make(&self) {
        self.clock.advance_to(self.at);
    }
}

impl Clock for Timebase {
    type Tick = u64;

    fn now(&self) -> u64 {
        match self {
            Self::System => MonotonicClock.now(),
            Self::Own(clock) => clock.now(),
            Self::AutoAdvance(clock) => clock.now(),
            Self::Standing(_) => STANDS_AT,
        }
    }
}

impl fmt::Debug for Timebase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Own(_) => "Own",
            Self::AutoAdvance(_) => "AutoAdvance",
            Self::Standing(_) => "Standing",
        })
    }
}

/// The clock of a queue, for the [`Source`](crate::Source) of its permits: the system's, or the user's own.
#[derive(Clone)]
pub struct QueueClock(pub(crate) Timebase);

impl QueueClock {
    /// Whether it is one of the user's that has panicked. Then it stands, and its queue is closed.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.is_broken()
    }
}

impl Clock for QueueClock {
    type Tick = u64;

    fn now(&self) -> u64 {
        self.0.reading()
    }
}

impl fmt::Debug for QueueClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
