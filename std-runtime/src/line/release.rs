//! Releasing by permits that others give, and what comes back of it: calls that end, permits that were not used, waiters who leave.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use apiqueue_core::{Granted, MAX_WEIGHT};

use super::{Line, NEVER};
use crate::guarded::guarded;
use crate::permits::{First, InLine};
use crate::stats::telemetry;

impl InLine for Arc<Line> {
    fn first(&self) -> Option<First> {
        Some(First {
            weight: self.queue.first_weight()?,
            count: self.queue.len(),
        })
    }

    fn room(&self) -> usize {
        Line::room(self)
    }

    fn release(&self, count: usize) -> usize {
        self.grant(count)
    }

    fn take_returned(&self) -> usize {
        Line::take_returned(self)
    }
}

impl Line {
    /// What the first in line costs, if a call may begin.
    pub(crate) fn first_weight(&self) -> Option<usize> {
        self.queue.first_weight().filter(|_| self.room() > 0)
    }

    /// How many calls may begin.
    pub(crate) fn room(&self) -> usize {
        if self.is_paused.load(Ordering::Acquire) {
            0
        } else {
            self.calls.room()
        }
    }

    /// Releases up to `count` of those in line.
    pub(crate) fn grant(self: &Arc<Self>, count: usize) -> usize {
        let mut released = 0;
        while released < count
            && let Some(granted) = self.release_within(MAX_WEIGHT)
        {
            released += 1;
            self.wake(granted);
        }
        self.were_released(released);
        released
    }

    /// Releases the first in line, if that costs no more than `most`. Calls no waker.
    pub(crate) fn release_within(&self, most: usize) -> Option<Granted> {
        // A call is counted before its release, as it may be over before that returns.
        if self.room() == 0 || !self.calls.begin() {
            return None;
        }
        // Before the release, whose waiter may look at it as soon as it is out.
        self.latest_pass.store(NEVER, Ordering::Relaxed);
        let granted = self.queue.grant_within(most);
        if granted.is_none() {
            self.calls.end();
        }
        granted
    }

    /// What follows a release, wakers and all.
    pub(crate) fn was_released(self: &Arc<Self>, granted: Granted) {
        self.wake(granted);
        self.were_released(1);
    }

    fn wake(&self, granted: Granted) {
        if guarded(|| drop(granted)).is_none() {
            telemetry::survived(&self.name, "a waker panicked");
        }
    }

    fn were_released(self: &Arc<Self>, released: usize) {
        self.counters.released(self.now(), released, &self.passes);
        self.tell_level();
        self.admit();
        self.end_if_drained();
    }

    /// Somebody has left.
    pub(crate) fn has_left(self: &Arc<Self>) {
        self.counters.cancelled();
        self.tell_level();
        self.admit();
        // The drain of a queue whose last waiters leave is over; nobody else would say so before the next slot.
        let is_closing = self.queue.is_closed() && !self.end.is_reached();
        if is_closing || self.supply.given().is_some() {
            // Whoever gives the permits has reckoned with who was first.
            self.wake_driver();
        }
        if is_closing {
            self.end_if_drained();
        }
    }

    /// Permits of a released waiter came back.
    pub(crate) fn came_back(&self, permits: usize) {
        if !self.supply.is_schedule() {
            // Ordering: Relaxed; only a number, and the wake-up that follows has whoever gives them look.
            self.returned.fetch_add(permits, Ordering::Relaxed);
            self.wake_driver();
        }
    }

    /// The permit of one who passed at this reading, and has not known it, came back.
    pub(crate) fn pass_came_back(&self, at: u64) -> bool {
        let order = Ordering::Relaxed;
        let is_latest = self.latest_pass.compare_exchange(at, NEVER, order, order);
        if is_latest.is_ok() {
            self.came_back(1);
        }
        is_latest.is_ok()
    }

    /// Whether the latest permit went to somebody in line.
    pub(crate) fn latest_was_in_line(&self) -> bool {
        self.latest_pass.load(Ordering::Relaxed) == NEVER
    }

    /// Takes a permit of those that others give, at the reading that it says; else says when there may be one.
    pub(crate) fn take_of_others(&self) -> Result<u64, Option<u64>> {
        // In a forked child, too, as far as the permits' locks are free: it asks for no driver.
        let given = self.supply.given().ok_or(None)?;
        if self.room() == 0 || !self.calls.begin() {
            return Err(None);
        }
        let returned = self.take_returned();
        match guarded(|| given.permits.try_take(returned)).unwrap_or(Err(None)) {
            Ok(at) => {
                // Ordering: Relaxed; who gives it back has taken it.
                self.latest_pass.store(at, Ordering::Relaxed);
                if self.queue.is_closed() {
                    // Stopped meanwhile, and it may have been told that no call is under way.
                    self.pass_came_back(at);
                    self.call_ended();
                    return Err(None);
                }
                Ok(at)
            }
            Err(at) => {
                // Who looked meanwhile may have found no room.
                self.call_ended_unmade();
                if returned > 0 {
                    // They may be another's now.
                    self.wake_driver();
                }
                Err(at)
            }
        }
    }

    /// A call that was counted is not made.
    fn call_ended_unmade(&self) {
        if self.calls.are_counted() {
            self.calls.end();
            self.tell_level();
            self.end_if_drained();
            self.wake_driver();
        }
    }

    /// How many came back since the last call.
    pub(crate) fn take_returned(&self) -> usize {
        // Ordering: Relaxed; each counts once.
        self.returned.swap(0, Ordering::Relaxed)
    }

    /// A call is over: the next may begin, or a drain is. Nothing where they are not counted.
    #[inline(always)]
    pub(crate) fn call_ended(&self) {
        if self.calls.are_counted() {
            self.counted_call_ended();
        }
    }

    #[cold]
    fn counted_call_ended(&self) {
        self.calls.end();
        if let Some(given) = self.supply.given() {
            guarded(|| given.permits.call_ended());
        }
        self.tell_level();
        self.end_if_drained();
        // After the end: see there.
        if !self.queue.is_empty() || self.queue.is_closed() {
            self.wake_driver();
        }
    }

    /// Where others give the permits: a drain is over with the last release or the last call, whichever comes later.
    pub(crate) fn end_if_drained(&self) {
        let is_drained = !self.supply.is_schedule()
            && self.queue.is_closed()
            // In this order: a call is counted before its release.
            && self.queue.waiting() == 0
            && self.calls.under_way() == 0;
        if is_drained {
            self.end.reached();
        }
    }
}
