//! How a line ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use apiqueue_core::Clock;

use super::nested::{What, unless_nested};
use super::{Line, NEVER};
use crate::clock::MonotonicClock;
use crate::guarded::guarded;
use crate::stats::telemetry;

impl Line {
    /// Lets nobody new in. Those in line go on, until `close_at` at most.
    pub(crate) fn drain(self: &Arc<Self>, close_at: u64) {
        self.close_at.fetch_min(close_at, Ordering::SeqCst);
        // It tells the driver.
        self.by_itself(|queue| queue.drain());
        self.admit();
        // Once more, for a queue that was draining already: the driver must hear of the earlier moment.
        self.wake_driver();
    }

    /// Closes the queue if the time of its drain is over. When that is, as [`MonotonicClock`] tells it.
    pub(crate) fn close_if_late(self: &Arc<Self>) -> u64 {
        let close_at = self.close_at.load(Ordering::SeqCst);
        if close_at != NEVER && close_at <= MonotonicClock.now() {
            self.close();
        }
        close_at
    }

    /// Closes the queue for good. Wakers that panic stop nobody else from being told.
    pub(crate) fn close(self: &Arc<Self>) {
        // A waker that closes it again leaves the rest to this, or they would pile up. Each panic is one waiter that was told, so there
        // are at most `capacity` rounds.
        unless_nested(What::Close, self, || {
            while guarded(|| self.queue.close()).is_none() {
                telemetry::survived(&self.name, "a waker panicked");
            }
        });
        self.admit();
        self.end.reached();
        self.tell_level();
    }
}
