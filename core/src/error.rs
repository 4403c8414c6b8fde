//! What a queue refuses, and why. Each message names the value and the allowed range.

use core::error::Error;
use core::fmt;

/// Why there was no place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnqueueError {
    /// All places are taken.
    Full {
        /// How many there are.
        capacity: usize,
    },
    /// The queue is closed or draining.
    Closed,
    /// It would cost no permits, or more than can gather.
    Weight {
        /// The permits asked for.
        weight: usize,
        /// The most: the burst, up to [`MAX_WEIGHT`](crate::MAX_WEIGHT); 1 in a queue that is not weighted.
        max: usize,
    },
}

impl fmt::Display for EnqueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { capacity } => {
                write!(f, "all {capacity} places of the queue are taken")
            }
            Self::Closed => f.write_str("the queue is closed"),
            Self::Weight { weight, max } => {
                write!(
                    f,
                    "a weight of {weight} permits is not in 1..={max}, the burst"
                )
            }
        }
    }
}

impl Error for EnqueueError {}

/// More was charged than the next release can be put off for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeError {
    /// The permits asked for.
    pub permits: usize,
    /// The most that can be charged at this moment.
    pub max: usize,
}

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { permits, max } = self;
        write!(f, "a charge of {permits} permits is not in 0..={max}")
    }
}

impl Error for ChargeError {}

/// Why there was no permit right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError<T> {
    /// Nobody waits, but the next release is not due before `at`.
    NotYet {
        /// When to try again.
        at: T,
    },
    /// Others are waiting, and go first.
    Queued,
    /// The queue is closed or draining.
    Closed,
}

impl<T> fmt::Display for TryAcquireError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotYet { .. } => "the next release is not due yet",
            Self::Queued => "others are waiting in the queue",
            Self::Closed => "the queue is closed",
        })
    }
}

impl<T: fmt::Debug> Error for TryAcquireError<T> {}

/// The queue was closed while its waiter was in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue was closed before this waiter's turn")
    }
}

impl Error for Closed {}

/// A number of slots that can't be a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapacityError {
    /// The number of slots.
    pub capacity: usize,
    /// The largest capacity.
    pub max: usize,
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { capacity, max } = self;
        write!(
            f,
            "a capacity of {capacity} is not a power of two in 1..={max}"
        )
    }
}

impl Error for CapacityError {}

/// A hold that ends too far in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldError<W> {
    /// How far, in ticks.
    pub ticks: W,
    /// The longest hold.
    pub max: W,
}

impl<W: fmt::Display> fmt::Display for HoldError<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ticks, max } = self;
        write!(f, "a hold of {ticks} ticks is not in 0..={max}")
    }
}

impl<W: fmt::Debug + fmt::Display> Error for HoldError<W> {}
