//! Queues whose permits come from elsewhere: [`ApiQueue::grant`].

use crate::line::nested::{What, unless_nested};
use crate::queue::ApiQueue;

impl ApiQueue {
    /// Releases up to `count` of those in line, whatever each weighs, now: how a [`granted`](crate::Builder::granted) queue is fed. Says how many
    /// permits were used; the others stay the caller's. For one caller at a time. Any other queue is paced by itself, and
    /// grants nothing; nor does a grant from within a waker that a grant has called: what it is for is the caller's still.
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
        let mut released = 0;
        if line.supply.is_by_hand() {
            unless_nested(What::Grant, line, || {
                released += line.grant(count - released);
            });
        }
        released
    }

    /// How many granted permits came back since the last call: of waiters dropped before they saw their release, and of
    /// [`Turn::give_back`](crate::Turn::give_back).
    #[must_use = "the permits are the caller's again"]
    pub fn take_returned(&self) -> usize {
        let line = self.line();
        if line.supply.is_by_hand() {
            line.take_returned()
        } else {
            0
        }
    }
}
