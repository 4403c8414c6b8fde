//! Queues whose permits come from elsewhere: [`ApiQueue::grant`].

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::clock::Timebase;
use crate::line::Line;
use crate::queue::ApiQueue;
use crate::telemetry;

impl ApiQueue {
    /// Releases up to `count` of those in line, whatever each weighs, now: how a [`granted`](crate::Builder::granted) queue is fed. Says how many
    /// permits were used; the others stay the caller's. For one caller at a time. Any other queue is paced by itself, and
    /// grants nothing.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// let queue = ApiQueue::builder().per_second(10).granted().start()?;
    /// let waiters = [queue.enqueue()?, queue.enqueue()?];
    /// assert!(waiters[0].is_waiting()); // whatever the time
    /// assert_eq!(queue.grant(1), 1);
    /// assert!(!waiters[0].is_waiting() && waiters[1].is_waiting());
    /// assert_eq!(queue.grant(3), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grant(&self, count: usize) -> usize {
        let line = self.line();
        // An account sees to its queues itself.
        if line.is_granted() && line.queue.clock().membership().is_none() {
            line.grant(count)
        } else {
            0
        }
    }

    /// How many granted permits came back since the last call: of waiters dropped before they saw their release, and of
    /// [`Waiter::give_back`](crate::Waiter::give_back). Like every other queue's, a permit comes back only as long as nothing
    /// was released after it.
    #[must_use = "the permits are the caller's again"]
    pub fn take_returned(&self) -> usize {
        self.line().take_returned()
    }
}

impl Line {
    /// Whether its permits come from elsewhere.
    pub(crate) fn is_granted(&self) -> bool {
        matches!(self.queue.clock(), Timebase::Standing(_))
    }

    pub(crate) fn take_returned(&self) -> usize {
        match self.queue.clock() {
            // Ordering: Relaxed; only a number, and each counts once.
            Timebase::Standing(standing) => standing.returned.swap(0, Ordering::Relaxed),
            Timebase::System | Timebase::Own(_) => 0,
        }
    }

    /// Releases up to `count` of those in line.
    pub(crate) fn grant(self: &Arc<Self>, count: usize) -> usize {
        let mut released = 0;
        while released < count {
            match panic::catch_unwind(AssertUnwindSafe(|| self.queue.grant())) {
                Ok(true) => released += 1,
                Ok(false) => break,
                Err(_) => {
                    telemetry::survived(&self.name, "a waker panicked");
                    released += 1;
                }
            }
        }
        self.meter.released(self.now(), released, &self.passes);
        self.lobby.admit(self);
        released
    }

    /// The permits of a released waiter came back.
    pub(crate) fn gave_back(&self, permits: usize) {
        self.meter.cancelled();
        if let Timebase::Standing(standing) = self.queue.clock() {
            // Ordering: Relaxed; the ring that follows has the giver look.
            standing.returned.fetch_add(permits, Ordering::Relaxed);
            self.queue.wake_driver();
        }
    }
}
