//! Where a queue's permits come from. The line, the waits, stop, stats and weights know nothing of which it is: they ask
//! [`Supply`].
//!
//! | | |
//! |---|---|
//! | a rate | the schedule in the core queue itself, which needs nobody in between |
//! | by hand | `ApiQueue::grant` |
//! | several limits, shared ones | [`account`](crate::account) |
//! | a source of another crate | whatever implements [`Source`], such as a fleet's limit |
//!
//! A line that is not paced by its own schedule is held in that one's words for ever.

mod waiters;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use apiqueue_core::{ChargeError, Next};

use crate::clock::{Jump, Timebase};
use crate::guarded::guarded;
use crate::rate::Rate;

pub use crate::clock::QueueClock;
pub use waiters::Waiters;
pub(crate) use waiters::{First, InLine};

/// Gives permits to one queue: what a [`Source`] opens.
///
/// Times are readings of the queue's clock, nanoseconds. Everything here is called under no lock, from any thread, and behind a
/// guard: where it panics, its queue is closed. After each change the driver comes to [`give`](Self::give) by itself.
pub trait Permits: fmt::Debug + Send + Sync {
    /// Releases those of `waiters` that may go, and says when to come back: at a reading, or when the driver is woken, as
    /// it is by whoever comes to an empty line and by [`Waiters::waker`].
    ///
    /// Called by the driver, mostly one call at a time; two at once only where the user has a queue driven by two. When the queue is
    /// [over](Waiters::are_over), it is called until it says [`Next::Closed`], to give back what it holds.
    fn give(&self, waiters: &Waiters<'_>) -> Next<u64>;

    /// Takes a permit now, for somebody who is not in line, and says at which reading; else when there may be one, if that is
    /// known. `returned` permits came back since the last call, as [`Waiters::take_returned`] tells [`give`](Self::give).
    ///
    /// # Errors
    /// There is none now.
    fn try_take(&self, returned: usize) -> Result<u64, Option<u64>>;

    /// A call is over, where calls under way are counted. Like [`try_take`](Self::try_take) it is also called in a forked child, where locks
    /// may be held for ever; nothing else is.
    fn call_ended(&self) {}

    /// The rate, where others can change it; none where it is the one that the queue was told last.
    fn rate(&self) -> Option<Rate> {
        None
    }

    /// Goes by another rate from now on.
    fn set_rate(&self, rate: Rate);

    /// Gives none for so many nanoseconds. Only extends a hold.
    fn hold(&self, nanos: u64);

    /// Ends a hold.
    fn resume(&self);

    /// Uses up `permits` more.
    ///
    /// # Errors
    /// [`ChargeError`] when that is too many; then none are used.
    fn charge(&self, permits: usize) -> Result<(), ChargeError>;

    /// Puts `permits` back.
    fn refund(&self, permits: usize);

    /// When a caller with `ahead` permits to be used before its own goes at the earliest, if that is known.
    fn estimate(&self, ahead: usize) -> Option<u64> {
        let _ = ahead;
        None
    }

    /// Whether a queue that is opened anew would be no different: then a [`Registry`](crate::Registry) may forget this one.
    fn is_rested(&self) -> bool {
        false
    }

    /// Whether it can never give any again, as when a clock of the user's has panicked.
    fn is_broken(&self) -> bool {
        false
    }
}

/// Where a queue's permits come from, as told to [`Builder::shared`](crate::Builder::shared).
pub trait Source: fmt::Debug + Send + Sync {
    /// The permits of one queue that is about to start.
    ///
    /// # Errors
    /// Whatever speaks against it: [`StartError::Source`](crate::StartError::Source) has it.
    fn open(&self, setup: &Setup<'_>) -> Result<Arc<dyn Permits>, Box<dyn Error + Send + Sync>>;
}

/// What a [`Source`] is told of a queue that is about to start.
#[derive(Debug)]
#[non_exhaustive]
pub struct Setup<'a> {
    /// What the queue is called.
    pub name: &'a str,
    /// The rate that it was given.
    pub rate: Rate,
    /// For how long lateness is to be made up, in nanoseconds, where that was said: otherwise it is for the source to choose.
    pub catch_up: Option<u64>,
    /// The queue's clock.
    pub clock: QueueClock,
}

/// Where a line's permits come from.
#[derive(Debug)]
pub(crate) enum Supply {
    /// The schedule in its own queue.
    Schedule,
    /// The user, by `ApiQueue::grant`.
    Hand,
    Others(Given),
}

/// Permits that are given to a line.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) permits: Arc<dyn Permits>,
    /// The clock that it goes by.
    pub(crate) clock: Timebase,
}

/// The drop of what is the user's runs behind a guard.
impl Drop for Given {
    fn drop(&mut self) {
        let permits = std::mem::replace(&mut self.permits, Arc::new(Nothing));
        guarded(|| drop(permits));
    }
}

/// Takes the place of permits that are dropped.
#[derive(Debug)]
struct Nothing;

impl Permits for Nothing {
    fn give(&self, _: &Waiters<'_>) -> Next<u64> {
        Next::Closed
    }

    fn try_take(&self, _: usize) -> Result<u64, Option<u64>> {
        Err(None)
    }

    fn set_rate(&self, _: Rate) {}

    fn hold(&self, _: u64) {}

    fn resume(&self) {}

    fn charge(&self, _: usize) -> Result<(), ChargeError> {
        Ok(())
    }

    fn refund(&self, _: usize) {}
}

impl Supply {
    pub(crate) fn given(&self) -> Option<&Given> {
        match self {
            Self::Others(given) => Some(given),
            Self::Schedule | Self::Hand => None,
        }
    }

    pub(crate) fn is_schedule(&self) -> bool {
        matches!(self, Self::Schedule)
    }

    pub(crate) fn is_by_hand(&self) -> bool {
        matches!(self, Self::Hand)
    }
}

impl Given {
    /// What is left to do for a line that is over, and when to come back for it, as
    /// [`MonotonicClock`](crate::MonotonicClock) tells it, or the jump of a mock instead.
    pub(crate) fn leave(&self, waker: &Waker) -> (Next<u64>, Option<Jump>) {
        let next = guarded(|| self.permits.give(&Waiters::gone(waker)));
        self.clock.when(next.unwrap_or(Next::Closed))
    }
}
