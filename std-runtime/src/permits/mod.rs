//! Where a queue's permits come from, if not from the schedule in its own core queue.
//!
//! The line, the waits, stop and stats know nothing of which it is: a line that has a [`Permits`] is held in its own schedule's
//! words for ever, and asks it instead.

mod granted;

use std::fmt;
use std::sync::Arc;

use apiqueue_core::{ChargeError, Next};

use crate::line::Line;
use crate::rate::Ticks;

pub(crate) use granted::Granted;

/// Gives permits to a line, by [`Line::grant`]. Called under no lock.
pub(crate) trait Permits: fmt::Debug + Send + Sync {
    /// The line is there.
    fn attach(&self, line: &Arc<Line>);

    /// Somebody is in line: releases who may go, in other lines too where the same permits count. How many those were, and when, as
    /// [`MonotonicClock`](crate::MonotonicClock) tells it, to come back.
    fn give(&self, line: &Line) -> (usize, Next<u64>);

    /// Nobody is in line: others may have something to do.
    fn give_others(&self);

    /// Whether their clock has panicked, so that there are none any more.
    fn are_over(&self) -> bool {
        false
    }

    /// Whether the user grants them, by `ApiQueue::grant`.
    fn are_granted_by_hand(&self) -> bool {
        false
    }

    /// Those of a released waiter came back.
    fn came_back(&self, permits: usize);

    /// How many came back since the last call.
    fn take_returned(&self) -> usize;

    fn set_rate(&self, rate: Ticks);

    /// Gives none for so many nanoseconds.
    fn hold(&self, ticks: u64);

    fn resume(&self);

    fn charge(&self, permits: usize) -> Result<(), ChargeError>;

    fn refund(&self, permits: usize);

    /// How many calls are under way, where they are counted.
    fn under_way(&self) -> usize;

    /// One of them is over.
    fn ended(&self);
}
