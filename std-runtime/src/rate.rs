//! [`Rate`]: how often waiters are released, in the units of `std::time`.

use std::fmt;
use std::time::Duration;

use apiqueue_core::Word;

use crate::error::{RateError, StartError};

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
/// [`Builder::catch_up`](crate::Builder::catch_up), and of an account, [`AccountBuilder::catch_up`](crate::AccountBuilder::catch_up).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    ticks: Ticks,
    /// What it keeps to in every window.
    window: Option<Window>,
}

/// No more than `count` in any window of this length, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Window {
    count: u32,
    period: u64,
}

const UNLIMITED: Ticks = {
    let Ok(every) = Ticks::every(1) else {
        panic!("a tick is an interval");
    };
    let Ok(rate) = every.burst(u32::MAX as u64) else {
        panic!("so many ticks are a burst");
    };
    rate
};

/// The lateness that a rate for a window is reckoned with before its queue is known: the default.
pub(crate) const CATCH_UP: Duration = Duration::from_millis(10);

impl Rate {
    /// One release each `interval`.
    ///
    /// # Errors
    /// [`RateError::Interval`] when it is zero or longer than 2 years.
    pub fn every(interval: Duration) -> Result<Self, RateError> {
        u64::try_from(interval.as_nanos())
            .ok()
            .and_then(|ticks| Ticks::every(ticks).ok())
            .map(Self::from)
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
            .map(Self::from)
            .map_err(|_| RateError::PerSecond {
                per_second: n,
                max: TICKS_PER_SECOND,
            })
    }

    /// Never more than `n` in *any* window of length `period`, whoever counts: for a server that allows so many an hour.
    ///
    /// That is less than [`per_second`](Self::per_second) with a burst of `n` would let through: of `n` at once and `n` more while
    /// they gather again, one window holds up to 2 `n`. Here burst and interval are chosen so that they keep to it together,
    /// lateness made up included ([`Builder::catch_up`](crate::Builder::catch_up)):
    ///
    /// ```text
    /// burst + ⌊(period + catch_up) / interval⌋ ≤ n
    /// ```
    ///
    /// ```
    /// use apiqueue::Rate;
    /// use std::time::Duration;
    ///
    /// let hour = Duration::from_secs(3600);
    /// let even = Rate::at_most(5_000, hour)?; // evenly spaced
    /// assert_eq!(even.interval().as_micros(), 720_013);
    /// let rate = Rate::at_most(5_000, hour)?.burst(1_000)?; // 1,000 of them may go at once
    /// assert_eq!(rate.interval().as_micros(), 899_796);
    /// let why = Rate::at_most(5_000, hour)?.burst(5_001).unwrap_err();
    /// assert_eq!(why.to_string(), "a burst of 5001 is not in 1..=5000 at this interval");
    /// # Ok::<(), apiqueue::RateError>(())
    /// ```
    ///
    /// # Errors
    /// [`RateError::Window`] when `n` is 0, or the period is zero or longer than a year.
    pub fn at_most(n: u32, period: Duration) -> Result<Self, RateError> {
        let max = MAX_SPAN / 2;
        let refused = RateError::Window {
            count: n,
            period,
            max,
        };
        let nanos = u64::try_from(period.as_nanos()).map_err(|_| refused)?;
        if n == 0 || nanos == 0 || period > max {
            return Err(refused);
        }
        Self::in_window(
            Window {
                count: n,
                period: nanos,
            },
            1,
            CATCH_UP,
        )
        .ok_or(refused)
    }

    /// No limit, as far as a schedule can do without: 10<sup>9</sup> a second, and 4 × 10<sup>9</sup> at once. For a queue that is to be
    /// held, or that waits for calls under way only, or is to get a rate later.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::from(UNLIMITED)
    }

    /// The fastest that keeps to the window.
    fn in_window(window: Window, burst: u32, catch_up: Duration) -> Option<Self> {
        let rest = u128::from(window.count.checked_sub(burst)?);
        let period = u128::from(window.period);
        let by_time = (period + catch_up.as_nanos()) / (rest + 1) + 1;
        let by_part = 32 * period / (32 * rest + 29) + 1;
        let interval = u64::try_from(by_time.max(by_part)).ok()?;
        let ticks = Ticks::every(interval).ok()?.burst(u64::from(burst)).ok()?;
        Some(Self {
            ticks,
            window: Some(window),
        })
    }

    /// Where it is for a window, as a queue that makes up lateness for so long has to keep to it.
    pub(crate) fn within_its_window(self, catch_up: Duration) -> Result<Self, RateError> {
        let Some(window) = self.window else {
            return Ok(self);
        };
        let burst = u32::try_from(self.burst_size()).unwrap_or(u32::MAX);
        let refused = RateError::Window {
            count: window.count,
            period: Duration::from_nanos(window.period),
            max: MAX_SPAN / 2,
        };
        let kept = Self::in_window(window, burst, catch_up).ok_or(refused)?;
        Ok(Self::from(if self.is_strict() {
            kept.ticks.strict()
        } else {
            kept.ticks
        }))
    }

    /// Lets up to `n` permits gather while nobody takes them (default 1: evenly spaced). They are there at the start
    /// too.
    ///
    /// # Errors
    /// [`RateError::Burst`] when `n` is 0, or `n` intervals are longer than 2 years.
    pub fn burst(self, n: u32) -> Result<Self, RateError> {
        let refused = |max| RateError::Burst { burst: n, max };
        if let Some(window) = self.window {
            return Self::in_window(window, n, CATCH_UP)
                .filter(|_| n > 0)
                .map(|rate| {
                    if self.is_strict() {
                        rate.strict()
                    } else {
                        rate
                    }
                })
                .ok_or(refused(u64::from(window.count)));
        }
        let longest = u64::MAX_SPAN.checked_div(self.ticks.interval());
        self.ticks
            .burst(u64::from(n))
            .map(Self::from)
            .map_err(|_| refused(longest.unwrap_or_default()))
    }

    /// The same with a burst of `n` at most.
    pub(crate) fn with_burst_within(self, n: usize) -> Self {
        let burst = u64::try_from(self.burst_size().min(n)).unwrap_or(u64::MAX);
        self.ticks.burst(burst).map_or(self, Self::from)
    }

    /// Leaves so many percent of it, 0 to 99, to others who call with the same account: the rate and the burst, or the count of a
    /// [window](Self::at_most), are the smaller for it, and never less than 1 at a time.
    ///
    /// ```
    /// use apiqueue::Rate;
    ///
    /// let ec2 = Rate::per_second(20)?.burst(100)?.leave_percent(10)?;
    /// assert_eq!(ec2.to_string(), "18/s (burst 90)");
    /// # Ok::<(), apiqueue::RateError>(())
    /// ```
    ///
    /// # Errors
    /// [`RateError::Leave`] when nothing would be left, [`RateError::Interval`] when the interval would be longer than 2 years.
    pub fn leave_percent(self, percent: u32) -> Result<Self, RateError> {
        let kept = 100_u32
            .checked_sub(percent)
            .filter(|&kept| kept > 0)
            .ok_or(RateError::Leave { percent, max: 99 })?;
        let part = |n: u64| (u128::from(n) * u128::from(kept) / 100).max(1);
        let burst = u32::try_from(part(self.burst_size() as u64)).unwrap_or(u32::MAX);
        let rate = match self.window {
            Some(window) => {
                let count = u32::try_from(part(window.count.into())).unwrap_or(u32::MAX);
                Self::at_most(count, Duration::from_nanos(window.period))?
            }
            None => {
                let nanos = (u128::from(self.ticks.interval()) * 100).div_ceil(u128::from(kept));
                Self::every(Duration::from_nanos(
                    u64::try_from(nanos).unwrap_or(u64::MAX),
                ))?
            }
        };
        let rate = rate.burst(burst).unwrap_or(rate);
        Ok(if self.is_strict() {
            rate.strict()
        } else {
            rate
        })
    }

    /// Never lets two releases (of a burst of 1) be closer than the interval: lateness is not made up, and the mean
    /// interval is the interval plus the mean lateness.
    #[must_use]
    pub fn strict(self) -> Self {
        Self {
            ticks: self.ticks.strict(),
            ..self
        }
    }

    /// The time from one release to the next: the mean, exactly.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_nanos(self.ticks.interval())
    }

    /// How many permits may gather.
    #[must_use]
    pub fn burst_size(self) -> usize {
        self.ticks.burst_size()
    }

    /// Whether lateness is never made up.
    #[must_use]
    pub fn is_strict(self) -> bool {
        self.ticks.is_strict()
    }

    pub(crate) fn ticks(self) -> Ticks {
        self.ticks
    }
}

/// For how long lateness is made up, in nanoseconds.
pub(crate) fn checked_catch_up(catch_up: Duration) -> Result<u64, StartError> {
    let nanos = u64::try_from(catch_up.as_nanos()).ok();
    let refused = StartError::CatchUp {
        catch_up,
        max: MAX_SPAN,
    };
    nanos.filter(|_| catch_up <= MAX_SPAN).ok_or(refused)
}

impl From<Ticks> for Rate {
    /// A rate in nanoseconds.
    fn from(ticks: Ticks) -> Self {
        Self {
            ticks,
            window: None,
        }
    }
}

impl From<Rate> for Ticks {
    /// In nanoseconds, as the core's controllers take it.
    fn from(rate: Rate) -> Self {
        rate.ticks
    }
}

/// Such as `20/s`, `one each 1.5s`, `20/s (burst 50)` or `5000 in any 3600s`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(window) = self.window {
            let period = Duration::from_nanos(window.period);
            return write!(f, "{} in any {period:?}", window.count);
        }
        let (second, interval) = (1_000_000_000, self.ticks.interval());
        // The whole number of which this is the interval, rounded up.
        let n = (second + interval / 2).checked_div(interval).unwrap_or(0);
        if n > 0 && u64::div_ceil(second, n) == interval {
            write!(f, "{n}/s")?;
        } else {
            write!(f, "one each {:?}", self.interval())?;
        }
        match self.burst_size() {
            1 => Ok(()),
            burst => write!(f, " (burst {burst})"),
        }
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
