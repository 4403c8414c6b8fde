//! What a line is made of beside its core queue, and who drives it.

use std::time::Duration;

use super::controller::Adaptive;
use crate::permits::Supply;

/// Who calls [`Line::advance`](super::Line::advance).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DrivenBy {
    /// The process's own.
    Thread,
    /// One of the user's runtime.
    Task,
    /// The user himself.
    Hand,
}

/// What a line is made of beside its core queue.
pub(crate) struct Terms {
    pub(crate) name: String,
    pub(crate) spin: Duration,
    pub(crate) driven_by: DrivenBy,
    /// In nanoseconds.
    pub(crate) catch_up: u64,
    pub(crate) supply: Supply,
    pub(crate) at_once: Option<usize>,
    /// Not for a line that goes by its own schedule.
    pub(crate) is_paused: bool,
    /// The smallest burst of the limits beside the rate.
    pub(crate) burst_within: usize,
    /// From how long on a wait is told, in nanoseconds.
    pub(crate) long_wait: u64,
    pub(crate) controller: Option<Adaptive>,
}
