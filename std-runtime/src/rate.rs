//! [`Rate`]: how often waiters are released, in the units of `std::time`.

use std::fmt;
use std::time::Duration;

use apiqueue_core::Word;

use crate::error::RateError;

pub(crate) type Ticks = apiqueue_core::Rate<u64>;

const TICKS_PER_SECOND: u64 = 1_000_000_000;
/// The longest interval, burst span and hold: about 2 years.
pub(crate) const MAX_SPAN: Duration = Duration::from_nanos(u64::MAX_SPAN);

/// How often waiters are released.
///
/// Two habits of saying it, one meaning:
/// ```
/// use apiqueue::Rate;
/// use std::time::Duration;
///
/// assert_eq!(Rate::every(Duration::from_millis(100))?, Rate::per_second(10)?);
/// # Ok::<(), apiqueue::RateError>(())
/// ```
/// `per_second(n)` is *n each second*, never *one each n seconds*.
///
/// In any window of length `w` at most `burst + ⌊(w + catch_up) / interval⌋` waiters are released:
/// [`Builder::catch_up`](crate::Builder::catch_up). The limits of an [`Account`](crate::Account) make up 3/32 of an interval.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate(Ticks);

impl Rate {
    /// One release each `interval`.
    ///
    /// # Errors
    /// [`RateError::Interval`] when it is zero or longer than 2 years.
    pub fn every(interval: Duration) -> Result<Self, RateError> {
        u64::try_from(interval.as_nanos())
            .ok()
            .and_then(|ticks| Ticks::every(ticks).ok())
            .map(Self)
            .ok_or(RateError::Interval {
                interval,
                max: MAX_SPAN,
            })
    }

    /// `n` releases each second. The interval is rounded up to whole nanoseconds, so that the rate is never exceeded;
    /// [`interval`](Self::interval) tells it.
    ///
    /// # Errors
    /// [`RateError::PerSecond`] when `n` is 0 or above 1,000,000,000.
    pub fn per_second(n: u32) -> Result<Self, RateError> {
        Ticks::per_second(u64::from(n), TICKS_PER_SECOND)
            .map(Self)
            .map_err(|_| RateError::PerSecond {
                per_second: n,
                max: TICKS_PER_SECOND,
            })
    }

    /// Lets up to `n` permits gather while nobody takes them (default 1: evenly spaced). They are there at the start
    /// too.
    ///
    /// # Errors
    /// [`RateError::Burst`] when `n` is 0, or `n` intervals are longer than 2 years.
    pub fn burst(self, n: u32) -> Result<Self, RateError> {
        self.0
            .burst(u64::from(n))
            .map(Self)
            .map_err(|_| RateError::Burst {
                burst: n,
                max: u64::MAX_SPAN
                    .checked_div(self.0.interval())
                    .unwrap_or_default(),
            })
    }

    /// The same with a burst of `n` at most.
    pub(crate) fn with_burst_within(self, n: usize) -> Self {
        let burst = u64::try_from(self.burst_size().min(n)).unwrap_or(u64::MAX);
        self.0.burst(burst).map_or(self, Self)
    }

    /// Never lets two releases (of a burst of 1) be closer than the interval: lateness is not made up, and the mean
    /// interval is the interval plus the mean lateness.
    #[must_use]
    pub fn strict(self) -> Self {
        Self(self.0.strict())
    }

    /// The time from one release to the next: the mean, exactly.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_nanos(self.0.interval())
    }

    /// How many permits may gather.
    #[must_use]
    pub fn burst_size(self) -> usize {
        self.0.burst_size()
    }

    /// Whether lateness is never made up.
    #[must_use]
    pub fn is_strict(self) -> bool {
        self.0.is_strict()
    }

    pub(crate) fn ticks(self) -> Ticks {
        self.0
    }
}

impl From<Ticks> for Rate {
    /// A rate in nanoseconds.
    fn from(ticks: Ticks) -> Self {
        Self(ticks)
    }
}

impl From<Rate> for Ticks {
    /// In nanoseconds, as the core's controllers take it.
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate")
            .field("interval", &self.interval())
            .field("burst", &self.burst_size())
            .field("strict", &self.is_strict())
            .finish()
    }
}
