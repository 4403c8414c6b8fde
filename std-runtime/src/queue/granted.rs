//! Queues whose permits come from elsewhere: [`ApiQueue::grant`].

use std::sync::Arc;

use crate::guarded::guarded;
use crate::line::Line;
use crate::queue::ApiQueue;
use crate::stats::telemetry;

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
        if line.is_granted_by_hand() {
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
    /// Releases up to `count` of those in line.
    pub(crate) fn grant(self: &Arc<Self>, count: usize) -> usize {
        let mut released = 0;
        while released < count {
            match guarded(|| self.queue.grant()) {
                Some(true) => released += 1,
                Some(false) => break,
                None => {
                    telemetry::survived(&self.name, "a waker panicked");
                    released += 1;
                }
            }
        }
        self.counters.released(self.now(), released, &self.passes);
        self.backlog.admit(self);
        self.look_for_the_end();
        released
    }

    /// A drain may be over, and whoever grants does not come to a line with nobody in it.
    pub(crate) fn look_for_the_end(self: &Arc<Self>) {
        if self.is_granted_by_hand() && self.queue.is_closed() && !self.end.is_reached() {
            let _ = self.advance(None);
        }
    }

    pub(crate) fn take_returned(&self) -> usize {
        self.given.as_ref().map_or(0, |given| given.take_returned())
    }

    /// The permits of a released waiter came back.
    pub(crate) fn gave_back(&self, permits: usize) {
        self.counters.cancelled();
        if let Some(given) = &self.given {
            given.came_back(permits);
            self.wake_driver();
        }
    }

    fn is_granted_by_hand(&self) -> bool {
        self.given
            .as_ref()
            .is_some_and(|given| given.are_granted_by_hand())
    }
}
