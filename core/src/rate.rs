//! What a user configures: [`Rate`], an interval with a burst, and what a rate can be refused for.

use core::fmt;

use crate::clock::Word;

/// How often waiters are released: one each interval, in ticks of the queue's clock.
///
/// Two habits of saying it, one meaning:
/// ```
/// use apiqueue_core::Rate;
/// // on a clock of milliseconds
/// let a = Rate::<u32>::every(100)?; // one each 100 ticks
/// let b = Rate::<u32>::per_second(10, 1_000)?; // ten a second, of 1,000 ticks each
/// assert_eq!(a, b);
/// # Ok::<(), apiqueue_core::RateError<u32>>(())
/// ```
/// `per_second(n, ..)` is *n each second*, never *one each n seconds*.
///
/// Intervals are whole ticks. A rate that is no whole number of ticks is rounded to the next longer interval, so that
/// it is never exceeded; [`interval`](Self::interval) then states the mean: 300 a second on a millisecond clock
/// (3.33 ms) runs at one each 4 ms, which is 250 a second. A finer tick brings it closer.
///
/// In any window of `w` ticks at most `burst + ⌊(w + slack) / interval⌋` waiters are released.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate<W> {
    /// The interval, shifted past the low bits that `pace` keeps its marks in.
    pub(crate) interval: W,
    /// The span of the burst, (burst − 1) × interval, shifted likewise, with `STRICT`.
    pub(crate) burst: W,
}

/// Interval and burst stand above this many bits of their words.
pub(crate) const SHIFT: u32 = 4;
/// Set in the burst's word where lateness is not made up.
pub(crate) const STRICT: u8 = 0b1000;

macro_rules! rate {
    ($word:ident) => {
        impl Rate<$word> {
            /// One release each `interval` ticks.
            ///
            /// # Errors
            /// [`RateError::ZeroInterval`] for 0, [`RateError::TooLong`] above [`Word::MAX_SPAN`].
            pub const fn every(interval: $word) -> Result<Self, RateError<$word>> {
                if interval == 0 {
                    return Err(RateError::ZeroInterval {
                        max: <$word as Word>::MAX_SPAN,
                    });
                }
                if interval > <$word as Word>::MAX_SPAN {
                    return Err(RateError::TooLong {
                        interval,
                        max: <$word as Word>::MAX_SPAN,
                    });
                }
                Ok(Self {
                    interval: interval << SHIFT,
                    burst: 0,
                })
            }

            /// `n` releases each second, on a clock of `ticks_per_second`: an interval of
            /// ⌈`ticks_per_second` / `n`⌉ ticks.
            ///
            /// # Errors
            /// [`RateError::ZeroRate`] when `n` is 0, [`RateError::TooFast`] when `n` is above `ticks_per_second`
            /// (the interval would be shorter than a tick), [`RateError::TooLong`] as for [`every`](Self::every).
            pub const fn per_second(
                n: $word,
                ticks_per_second: $word,
            ) -> Result<Self, RateError<$word>> {
                if n == 0 {
                    return Err(RateError::ZeroRate {
                        max: ticks_per_second,
                    });
                }
                if n > ticks_per_second {
                    return Err(RateError::TooFast {
                        per_second: n,
                        max: ticks_per_second,
                    });
                }
                Self::every(ticks_per_second.div_ceil(n))
            }

            /// Lets up to `n` permits gather while nobody takes them (default 1: evenly spaced). They are there at
            /// the start too.
            ///
            /// # Errors
            /// [`RateError::ZeroBurst`] for 0, [`RateError::BurstTooLong`] when `n` × interval is above
            /// [`Word::MAX_SPAN`].
            pub const fn burst(self, n: $word) -> Result<Self, RateError<$word>> {
                let interval = self.interval >> SHIFT;
                let max = match <$word as Word>::MAX_SPAN.checked_div(interval) {
                    Some(max) => max,
                    None => 0,
                };
                if n == 0 {
                    return Err(RateError::ZeroBurst { max });
                }
                if n > max {
                    return Err(RateError::BurstTooLong { burst: n, max });
                }
                let strict = self.burst & STRICT as $word;
                Ok(Self {
                    interval: self.interval,
                    burst: (((n - 1) * interval) << SHIFT) | strict,
                })
            }

            /// Never lets two releases (of a burst of 1) be closer than the interval: lateness is not made up, and the
            /// mean interval is the interval plus the mean lateness.
            #[must_use]
            pub const fn strict(self) -> Self {
                Self {
                    interval: self.interval,
                    burst: self.burst | STRICT as $word,
                }
            }
        }
    };
}

rate!(u32);
#[cfg(any(target_has_atomic = "64", feature = "wide-ticks-fallback"))]
rate!(u64);

impl<W: Word> Rate<W> {
    /// Ticks from one release to the next: the mean, exactly.
    pub fn interval(self) -> W {
        self.interval.shr(SHIFT)
    }

    /// How many permits may gather.
    pub fn burst_size(self) -> usize {
        self.span().over(self.interval()).saturating_add(1)
    }

    /// The lateness that is made up, in ticks: ⌊interval/16⌋ + ⌊interval/32⌋, and 0 when strict.
    ///
    /// A release that comes late by no more does not push the next one back, which then follows by up to this much
    /// less than the interval. It stays below a tenth and needs no division.
    pub fn slack(self) -> W {
        if self.is_strict() {
            W::ZERO
        } else {
            self.interval().shr(4).plus(self.interval().shr(5))
        }
    }

    /// Whether lateness is never made up.
    pub fn is_strict(self) -> bool {
        self.burst.low() & STRICT != 0
    }

    /// (burst − 1) × interval.
    pub(crate) fn span(self) -> W {
        self.burst.shr(SHIFT)
    }
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
