//! What is refused, and why. Each message names the value and the allowed range.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use apiqueue_core::{Closed, EnqueueError};

/// Why a [`Rate`](crate::Rate) can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateError {
    /// The interval is zero or too long.
    Interval {
        /// The interval asked for.
        interval: Duration,
        /// The longest interval.
        max: Duration,
    },
    /// No releases a second, or more than a second has nanoseconds.
    PerSecond {
        /// The number asked for.
        per_second: u32,
        /// The largest number.
        max: u64,
    },
    /// Nothing in a window, or a window of no length, or too long a one.
    Window {
        /// The number asked for.
        count: u32,
        /// The length asked for.
        period: Duration,
        /// The longest.
        max: Duration,
    },
    /// Nothing would be left.
    Leave {
        /// The part to be left, in percent.
        percent: u32,
        /// The largest.
        max: u32,
    },
    /// The burst is zero or takes too long to gather.
    Burst {
        /// The burst asked for.
        burst: u32,
        /// The largest burst at this interval.
        max: u64,
    },
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval { interval, max } => {
                write!(f, "an interval of {interval:?} is not in 1ns..={max:?}")
            }
            Self::PerSecond { per_second, max } => {
                write!(f, "{per_second} releases a second is not in 1..={max}")
            }
            Self::Window { count, period, max } => {
                write!(
                    f,
                    "at most {count} in {period:?} is not 1 or more in 1ns..={max:?}"
                )
            }
            Self::Leave { percent, max } => {
                write!(f, "{percent} percent is not in 0..={max}")
            }
            Self::Burst { burst, max } => {
                write!(f, "a burst of {burst} is not in 1..={max} at this interval")
            }
        }
    }
}

impl Error for RateError {}

/// Why a queue could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// No rate was given.
    NoRate,
    /// The rate can't be.
    Rate(RateError),
    /// The capacity is zero or too large.
    Capacity {
        /// The capacity asked for.
        capacity: usize,
        /// The largest capacity.
        max: usize,
    },
    /// The driver would stay awake too long.
    Spin {
        /// The time asked for.
        spin: Duration,
        /// The longest time.
        max: Duration,
    },
    /// Lateness would be made up for too long.
    CatchUp {
        /// The time asked for.
        catch_up: Duration,
        /// The longest time.
        max: Duration,
    },
    /// A queue of an account would get nothing.
    Share {
        /// The share asked for.
        share: u32,
    },
    /// There is no such priority.
    Priority {
        /// The priority asked for.
        priority: u8,
        /// The highest.
        max: u8,
    },
    /// No call could ever be made.
    AtOnce {
        /// The calls under way asked for.
        at_once: usize,
    },
    /// Two things were asked for of which a queue can only have one.
    Conflict {
        /// One, as the builder calls it.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// Something means nothing without another.
    Needs {
        /// It, as the builder calls it.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// Too many accounts would be inside each other.
    Depth {
        /// How many there would be.
        depth: usize,
        /// The largest number.
        max: usize,
    },
    /// The account was made before a fork, and this is the child: it has no driver here.
    Forked,
    /// The controller panicked when it was made, or asked for its rate.
    Controller,
    /// The source of the permits refused.
    Source(Box<dyn Error + Send + Sync>),
    /// The clock panicked at its first reading.
    Clock,
    /// There is no memory for so many places.
    Memory {
        /// The capacity asked for, rounded up.
        capacity: usize,
    },
    /// The system refused the driver's thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRate => f.write_str("a queue needs a rate: every, per_second or rate"),
            Self::Rate(why) => why.fmt(f),
            Self::Capacity { capacity, max } => {
                write!(f, "a capacity of {capacity} is not in 1..={max}")
            }
            Self::Spin { spin, max } => write!(f, "spinning for {spin:?} is not in 0ns..={max:?}"),
            Self::CatchUp { catch_up, max } => {
                write!(f, "catching up {catch_up:?} is not in 0ns..={max:?}")
            }
            Self::Share { share } => write!(f, "a share of {share} is not in 1..={}", u32::MAX),
            Self::AtOnce { at_once } => {
                write!(f, "{at_once} calls at once is less than the least, 1")
            }
            Self::Conflict { one, other } => {
                write!(
                    f,
                    "a queue can't be started with both `{one}` and `{other}`"
                )
            }
            Self::Needs { one, other } => write!(f, "`{one}` means nothing without `{other}`"),
            Self::Controller => f.write_str("the controller panicked at the start"),
            Self::Source(why) => write!(f, "the source of its permits refused: {why}"),
            Self::Priority { priority, max } => {
                write!(f, "a priority of {priority} is not in 0..={max}")
            }
            Self::Depth { depth, max } => {
                write!(f, "{depth} accounts inside each other is not in 1..={max}")
            }
            Self::Forked => {
                f.write_str("the account was made before a fork: make it anew in the child")
            }
            Self::Clock => f.write_str("the clock panicked at its first reading"),
            Self::Memory { capacity } => {
                write!(f, "there is no memory for a capacity of {capacity}")
            }
            Self::Thread(why) => write!(f, "the driver's thread could not be started: {why}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Thread(why) => Some(why),
            Self::Source(why) => Some(&**why),
            _ => None,
        }
    }
}

impl From<RateError> for StartError {
    fn from(why: RateError) -> Self {
        Self::Rate(why)
    }
}

/// An account has not so many limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitError {
    /// The number asked for, from 0.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, count } = self;
        write!(
            f,
            "limit number {index} is not one of the account's {count}, counted from 0"
        )
    }
}

impl Error for LimitError {}

/// Why there was no permit right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// Nobody waits, but the next release is not due before `at`.
    NotYet {
        /// When to try again. None where the system can't tell instants so far away.
        at: Option<Instant>,
    },
    /// Others are waiting, and go first.
    Queued,
    /// The queue is closed or draining.
    Closed,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotYet { .. } => "the next release is not due yet",
            Self::Queued => "others are waiting in the queue",
            Self::Closed => "the queue is closed",
        })
    }
}

impl Error for TryAcquireError {}

/// Why no place was taken that would have had to lead to a turn in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedError {
    /// The turn would come too late.
    TooLate {
        /// How long the wait would be, as far as can be told.
        wait: Duration,
        /// The longest that was to be waited.
        longest: Duration,
    },
    /// There was no place.
    Enqueue(EnqueueError),
}

impl fmt::Display for RefusedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLate { wait, longest } => {
                write!(f, "a wait of {wait:?} is not in 0ns..={longest:?}")
            }
            Self::Enqueue(why) => why.fmt(f),
        }
    }
}

impl Error for RefusedError {}

impl From<EnqueueError> for RefusedError {
    fn from(why: EnqueueError) -> Self {
        Self::Enqueue(why)
    }
}

/// Why a wait with a time limit ended without a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The time was over first.
    TimedOut {
        /// The limit.
        timeout: Duration,
    },
    /// The queue was closed first.
    Closed,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { timeout } => write!(f, "the turn did not come within {timeout:?}"),
            Self::Closed => Closed.fmt(f),
        }
    }
}

impl Error for WaitError {}

impl From<Closed> for WaitError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// A hold that ends too far in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldError {
    /// The hold asked for.
    pub duration: Duration,
    /// The longest hold.
    pub max: Duration,
}

impl fmt::Display for HoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { duration, max } = self;
        write!(f, "a hold of {duration:?} is not in 0ns..={max:?}")
    }
}

impl Error for HoldError {}
