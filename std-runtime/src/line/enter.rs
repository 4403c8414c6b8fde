//! How a caller comes to a line: with a permit that is free, or to a place.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use apiqueue_core::{EnqueueError, Status, TryAcquireError};

use super::nested::{What, unless_nested};
use super::place::{CoreWaiter, Hold};
use super::waited_for::Ahead;
use super::{DrivenBy, Line, Place};
use crate::guarded::let_go;
use crate::stats::telemetry;

impl Line {
    /// Takes a permit of those that others give, where nobody is in line; at which reading. A queue that is driven by hand releases
    /// then only.
    fn free_of_others(&self, weight: usize) -> Option<u64> {
        let is_by_hand = self.driven_by == DrivenBy::Hand;
        let may_be = weight == 1 && !is_by_hand && self.supply.given().is_some();
        let is_free = may_be
            && matches!(
                self.queue.try_acquire(),
                Err(TryAcquireError::NotYet { .. })
            );
        is_free.then(|| self.take_of_others().ok()).flatten()
    }

    /// Takes a place in line, or `weight` free permits at once.
    pub(crate) fn enter(self: &Arc<Self>, weight: usize) -> Result<Place, EnqueueError> {
        let (core, at) = loop {
            let hold = Hold(Arc::clone(self));
            // Entering may release others and so call their wakers. One that panics must not cost this caller its
            // place; it is called once, so that this ends.
            // Not `guarded`, which would move the waiter once more.
            match panic::catch_unwind(AssertUnwindSafe(|| match weight {
                weight if !self.supply.is_schedule() => match self.free_of_others(weight) {
                    Some(at) => Ok((CoreWaiter::with_permit(hold), Some(at))),
                    // Nothing else is free but what is granted.
                    None => Ok((CoreWaiter::enqueue_weighted(hold, weight)?, None)),
                },
                1 => CoreWaiter::enter_timed(hold),
                weight => Ok((CoreWaiter::enter_weighted(hold, weight)?, None)),
            })) {
                Ok(entered) => break entered?,
                Err(payload) => {
                    let_go(payload);
                    telemetry::survived(&self.name, "a waker panicked");
                }
            }
        };
        if let Some(at) = at {
            if self.has_lost_its_clock() {
                return Err(EnqueueError::Closed);
            }
            self.passes.count(at);
            return Ok(Place::new(core, at, Ahead::PASSED));
        }
        let now = self.now();
        if core.peek() == Status::Released {
            self.passes.count(now);
            return Ok(Place::new(core, now, Ahead::PASSED));
        }
        self.counters.joined();
        let ahead = Ahead::at(core.position());
        let place = Place::new(core, now, ahead);
        self.tell_level();
        self.has_lost_its_clock();
        if self.queue.rate().interval() < self.helps_below {
            // Who joins behind a line that is due has no need to wait for a driver that is on its way, or kept from running. At
            // longer intervals what is late is spread, and that is the driver's to do. Not from a waker that is called here: they
            // would pile up.
            unless_nested(What::Help, self, || while self.advance(None).is_none() {});
        }
        Ok(place)
    }
}
