//! What a user configures: [`Rate`], an interval with a burst, and what a rate can be refused for.

use core::fmt;

use crate::clock::{Word, narrow, widen};

/// How often waiters are released: one each interval, in ticks of the queue's clock.
///
/// Two habits of saying it, one meaning:
/// ```
/// use apiqueue_core::Rate;
/// // on a clock of milliseconds
/// let a: Rate<u32> = Rate::every(100)?; // one each 100 ticks
/// let b: Rate<u32> = Rate::per_second(10, 1_000)?; // ten a second, of 1,000 ticks each
/// assert_eq!(a, b);
/// # Ok::<(), apiqueue_core::RateError<u32>>(())
/// ```
/// `per_second(n, ..)` is *n each second*, never *one each n seconds*.
///
/// Intervals are whole ticks. A rate that is no whole number of ticks is rounded to the next longer interval, so that
/// it is never exceeded; [`interval`](Self::interval) then states the mean: 300 a second on a millisecond clock
/// (3.33 ms) runs at one each 4 ms, which is 250 a second. A finer tick brings it closer.
///
/// In any window of `w` ticks at most `burst + ⌊(w + slack) / interval⌋` permits are used, where the slack is
/// [`slack`](Self::slack), or what the queue was told by `catch_up`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate<W> {
    /// The word of the interval, with a tag of zero: see `layout`.
    pub(crate) interval: W,
    /// The word of the burst, likewise.
    pub(crate) burst: W,
}

impl<W: Word> Rate<W> {
    /// One release each `interval` ticks.
    ///
    /// # Errors
    /// [`RateError::ZeroInterval`] for 0, [`RateError::TooLong`] above [`Word::MAX_SPAN`].
    pub const fn every(interval: W) -> Result<Self, RateError<W>> {
        let max = W::MAX_SPAN;
        if widen(interval) == 0 {
            return Err(RateError::ZeroInterval { max });
        }
        if widen(interval) > widen(max) {
            return Err(RateError::TooLong { interval, max });
        }
        Ok(Self::of(widen(interval), 0, false))
    }

    /// `n` releases each second, on a clock of `ticks_per_second`: an interval of ⌈`ticks_per_second` / `n`⌉ ticks.
    ///
    /// # Errors
    /// [`RateError::ZeroRate`] when `n` is 0, [`RateError::TooFast`] when `n` is above `ticks_per_second` (the interval
    /// would be shorter than a tick), [`RateError::TooLong`] as for [`every`](Self::every).
    pub const fn per_second(n: W, ticks_per_second: W) -> Result<Self, RateError<W>> {
        let max = ticks_per_second;
        let Some(ticks) = widen(ticks_per_second).checked_div(widen(n)) else {
            return Err(RateError::ZeroRate { max });
        };
        if ticks == 0 {
            return Err(RateError::TooFast { per_second: n, max });
        }
        let is_whole = ticks.wrapping_mul(widen(n)) == widen(ticks_per_second);
        Self::every(narrow(ticks.wrapping_add(!is_whole as u64)))
    }

    /// Lets up to `n` permits gather while nobody takes them (default 1: evenly spaced). They are there at the start too.
    ///
    /// # Errors
    /// [`RateError::ZeroBurst`] for 0, [`RateError::BurstTooLong`] when `n` × interval is above [`Word::MAX_SPAN`].
    pub const fn burst(self, n: W) -> Result<Self, RateError<W>> {
        let interval = widen(self.interval) >> W::TAG_BITS;
        let most = match widen(W::MAX_SPAN).checked_div(interval) {
            Some(most) => most,
            None => 0,
        };
        let max = narrow(most);
        let Some(more) = widen(n).checked_sub(1) else {
            return Err(RateError::ZeroBurst { max });
        };
        if more >= most {
            return Err(RateError::BurstTooLong { burst: n, max });
        }
        let strict = widen(self.burst) & strict::<W>() != 0;
        Ok(Self::of(interval, more.wrapping_mul(interval), strict))
    }

    /// Never lets two releases (of a burst of 1) be closer than the interval: lateness is not made up, and the mean
    /// interval is the interval plus the mean lateness.
    #[must_use]
    pub const fn strict(self) -> Self {
        Self {
            interval: self.interval,
            burst: narrow(widen(self.burst) | strict::<W>()),
        }
    }

    /// Strict too where there is no room for the slack: whatever can be in hand must be younger than [`Word::MAX_SPAN`], or a
    /// stamp outlasts a pause of that length and looks like one ahead.
    const fn of(interval: u64, span: u64, is_strict: bool) -> Self {
        let most = span
            .wrapping_add(interval)
            .wrapping_add(interval >> 4)
            .wrapping_add(interval >> 5);
        Self::words(interval, span, is_strict || most > widen(W::MAX_SPAN))
    }

    const fn words(interval: u64, span: u64, is_strict: bool) -> Self {
        let mark = if is_strict { strict::<W>() } else { 0 };
        Self {
            interval: narrow(interval << W::TAG_BITS),
            burst: narrow(span << W::TAG_BITS | mark),
        }
    }

    /// Without the tags that its words have in a bank.
    pub(crate) fn untagged(self) -> Self {
        Self::words(widen(self.interval()), widen(self.span()), self.is_strict())
    }

    /// The same with another interval: the burst stays, as far as it fits.
    pub(crate) fn with_interval(self, interval: W) -> Self {
        let gaps = self.burst_size().saturating_sub(1);
        let span = interval.times(gaps).unwrap_or(W::MAX_SPAN);
        Self::of(
            widen(interval),
            widen(span.min(W::MAX_SPAN)),
            self.is_strict(),
        )
    }

    /// Ticks from one release to the next: the mean, exactly.
    pub fn interval(self) -> W {
        self.interval.shr(W::TAG_BITS)
    }

    /// How many permits may gather.
    pub fn burst_size(self) -> usize {
        self.span().over(self.interval()).saturating_add(1)
    }

    /// The lateness that is made up, in ticks: ⌊interval/16⌋ + ⌊interval/32⌋, and 0 when strict. A queue can be told another time
    /// (`QueueOver::catch_up`).
    ///
    /// A release that comes late by no more does not push the next one back, which then follows by up to this much
    /// less than the interval. It stays below a tenth and needs no division. Where burst × interval leaves no room for it
    /// below [`Word::MAX_SPAN`] the rate is strict.
    pub fn slack(self) -> W {
        if self.is_strict() {
            W::ZERO
        } else {
            self.tenth()
        }
    }

    /// A little less than a tenth of the interval.
    pub(crate) fn tenth(self) -> W {
        self.interval().shr(4).plus(self.interval().shr(5))
    }

    /// Whether lateness is never made up: as [`strict`](Self::strict) asks for, or because burst × interval and the slack
    /// together are longer than [`Word::MAX_SPAN`].
    pub fn is_strict(self) -> bool {
        self.burst.low() & (strict::<W>() as u8) != 0
    }

    /// (burst − 1) × interval.
    pub(crate) fn span(self) -> W {
        self.burst.shr(W::TAG_BITS)
    }
}

/// The mark of the burst's word: the bit above the tag.
pub(crate) const fn strict<W: Word>() -> u64 {
    1 << (W::TAG_BITS - 1)
}

impl<W: Word> fmt::Debug for Rate<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate")
            .field("interval", &self.interval())
            .field("burst", &self.burst_size())
            .field("strict", &self.is_strict())
            .finish()
    }
}
/// Why a [`Rate`] can't be. Each names the value and the allowed range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateError<W> {
    /// The interval is 0.
    ZeroInterval {
        /// The longest interval.
        max: W,
    },
    /// The interval is longer than ticks of this width can pace.
    TooLong {
        /// The interval asked for.
        interval: W,
        /// The longest interval.
        max: W,
    },
    /// 0 releases a second.
    ZeroRate {
        /// The most that the clock can tell apart.
        max: W,
    },
    /// More releases a second than the clock has ticks.
    TooFast {
        /// The rate asked for.
        per_second: W,
        /// The most that the clock can tell apart.
        max: W,
    },
    /// The burst is 0.
    ZeroBurst {
        /// The largest burst at this interval.
        max: W,
    },
    /// Burst × interval is longer than ticks of this width can pace.
    BurstTooLong {
        /// The burst asked for.
        burst: W,
        /// The largest burst at this interval.
        max: W,
    },
}

impl<W: fmt::Display> fmt::Display for RateError<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroInterval { max } => {
                write!(f, "an interval of 0 ticks is not in 1..={max}")
            }
            Self::TooLong { interval, max } => {
                write!(f, "an interval of {interval} ticks is not in 1..={max}")
            }
            Self::ZeroRate { max } => write!(f, "0 releases a second is not in 1..={max}"),
            Self::TooFast { per_second, max } => write!(
                f,
                "{per_second} releases a second is not in 1..={max}, the ticks in a second"
            ),
            Self::ZeroBurst { max } => write!(f, "a burst of 0 is not in 1..={max}"),
            Self::BurstTooLong { burst, max } => {
                write!(f, "a burst of {burst} is not in 1..={max} at this interval")
            }
        }
    }
}

impl<W: fmt::Debug + fmt::Display> core::error::Error for RateError<W> {}
