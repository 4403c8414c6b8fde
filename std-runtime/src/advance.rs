//! What a driver of one's own is told: [`Advance`] and [`Next`].

use std::time::Instant;

use crate::clock::MonotonicClock;

/// What a call of [`ApiQueue::advance`](crate::ApiQueue::advance) did, and when the next is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it says when to call `advance` again"]
pub struct Advance {
    /// How many waiters this call released.
    pub released: usize,
    /// When to call again.
    pub next: Next,
}

/// When `advance` has something to do again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At this instant.
    At(Instant),
    /// When something is enqueued.
    OnEnqueue,
    /// Never: the queue is closed, or draining and empty.
    Closed,
}

impl Next {
    /// Of readings of [`MonotonicClock`].
    pub(crate) fn of(next: apiqueue_core::Next<u64>) -> Self {
        match next {
            apiqueue_core::Next::At(at) => match MonotonicClock.instant(at) {
                Some(at) => Self::At(at),
                None => Self::OnEnqueue,
            },
            apiqueue_core::Next::OnEnqueue => Self::OnEnqueue,
            apiqueue_core::Next::Closed => Self::Closed,
        }
    }
}
