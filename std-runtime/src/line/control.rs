//! What is set while a line goes on: its rate, holds, charges. Whatever gives the permits is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use apiqueue_core::{ChargeError, Outcome};

use super::controller::Adaptive;
use super::{BY_HAND, Line, Queue};
use crate::guarded::guarded;
use crate::permits::{Given, Permits, Supply};
use crate::rate::Rate;
use crate::stats::telemetry;

impl Line {
    /// What gives the permits, where that is not the queue's own schedule. None in a forked child, which may have copied its locks
    /// held.
    pub(crate) fn given(&self) -> Option<&Given> {
        self.supply.given().filter(|_| !self.is_forked())
    }

    /// Changes what gives the permits, and has the driver look. None where that is the queue's own schedule.
    fn tell<T>(self: &Arc<Self>, change: impl FnOnce(&dyn Permits) -> T) -> Option<T> {
        let given = self.given()?;
        let told = guarded(|| change(&*given.permits));
        if told.is_none() {
            telemetry::survived(&self.name, "a source of permits panicked");
            self.close();
        }
        self.wake_driver();
        told
    }

    pub(crate) fn rate(&self) -> Rate {
        let given = self.given();
        let told = given.and_then(|given| guarded(|| given.permits.rate()).flatten());
        match told {
            Some(rate) => rate.with_burst_within(self.burst_within.load(Ordering::Relaxed)),
            None => self.queue.rate().into(),
        }
    }

    /// As the user says.
    pub(crate) fn set_rate(self: &Arc<Self>, rate: Rate) {
        // Ordering: Relaxed, here and below; it is read only when nobody holds the queue.
        self.rate_found.store(BY_HAND, Ordering::Relaxed);
        self.change_rate(rate);
    }

    /// As was found out, from answers or by a controller. A registry may forget it in time.
    pub(crate) fn set_found_rate(self: &Arc<Self>, rate: Rate) {
        self.rate_found.store(self.now(), Ordering::Relaxed);
        self.change_rate(rate);
    }

    fn change_rate(self: &Arc<Self>, rate: Rate) {
        let catch_up = Duration::from_nanos(self.catch_up);
        // It could be for another lateness, so it can be for this one.
        let rate = rate.within_its_window(catch_up).unwrap_or(rate);
        self.set_own_rate(rate);
        self.counters.telemetry.rate(rate);
        let made_of_it = self.tell(|permits| {
            permits.set_rate(rate);
            permits.rate()
        });
        if let Some(rate) = made_of_it.flatten() {
            // Without the burst, say: then nobody who costs more is let in.
            self.set_own_rate(rate);
        }
        self.has_lost_its_clock();
    }

    /// With a burst that no other limit is below.
    fn set_own_rate(&self, rate: Rate) {
        // Ordering: Relaxed; who changes it sets the rate afterwards.
        let rate = rate.with_burst_within(self.burst_within.load(Ordering::Relaxed));
        self.by_itself(|queue| queue.set_rate(rate.ticks()));
    }

    /// Limits beside the rate are others now: their smallest burst, and the rate, where it has none of its own.
    pub(crate) fn limits_changed(&self, burst_within: usize, rate: Option<Rate>) {
        self.burst_within.store(burst_within, Ordering::Relaxed);
        self.set_own_rate(rate.unwrap_or_else(Rate::unlimited));
    }

    /// Lets the core's queue do something. It may wake the driver, last of all: a waker of the user's that panics.
    pub(super) fn by_itself<T>(&self, call: impl FnOnce(&Queue) -> T) -> Option<T> {
        let done = guarded(|| call(&self.queue));
        if done.is_none() {
            telemetry::survived(&self.name, "a driver's waker panicked");
        }
        done
    }

    /// Releases nobody for so many nanoseconds, which were checked.
    pub(crate) fn hold(self: &Arc<Self>, nanos: u64) {
        if nanos == 0 {
            return;
        }
        let until = self.now().wrapping_add(nanos);
        // Ordering: Relaxed, as in `resume`; only told to those who ask what they have waited for.
        self.held_until.fetch_max(until, Ordering::Relaxed);
        self.holds.begin(until.wrapping_sub(nanos), until);
        self.has_held.store(true, Ordering::Release);
        if self.supply.is_schedule() {
            // Never an error: it was checked, and what has passed meanwhile holds nothing back.
            let _ = self.by_itself(|queue| queue.hold_until(until));
        }
        self.tell(|permits| permits.hold(nanos));
        self.has_lost_its_clock();
    }

    /// Ends a hold. One that has the queue begin ends only those that were set here meanwhile, as a source's may be others'.
    pub(crate) fn resume(self: &Arc<Self>) {
        let now = self.now();
        self.held_until.fetch_min(now, Ordering::Relaxed);
        self.holds.end(now);
        // Ordering: AcqRel, and Acquire where it is read; the wake-up is what has others look again.
        let has_begun = self.is_paused.swap(false, Ordering::AcqRel);
        let has_held = self.has_held.swap(false, Ordering::AcqRel);
        if self.supply.is_schedule() {
            // The hold of another in the queue's own words has no end.
            self.by_itself(|queue| queue.resume());
        }
        if !has_begun || has_held {
            self.tell(|permits| permits.resume());
        }
        if has_begun {
            self.wake_driver();
        }
    }

    /// Tells the controller of a call released at the reading `released`, and does what follows.
    pub(crate) fn tell_controller(
        self: &Arc<Self>,
        controller: &Adaptive,
        released: u64,
        outcome: Outcome<u64>,
    ) {
        let is_whole = controller.outcome(self.now(), released, outcome, |rate, hold_until| {
            if let Some(rate) = rate {
                self.set_found_rate(rate.into());
            }
            if let Some(until) = hold_until {
                self.hold(until.saturating_sub(self.now()));
            }
        });
        if !is_whole {
            telemetry::survived(&self.name, "a controller panicked");
        }
    }

    /// Whether a hold was on at this reading or later.
    pub(crate) fn was_held_since(&self, reading: u64) -> bool {
        self.held_until.load(Ordering::Relaxed) > reading
    }

    pub(crate) fn charge(self: &Arc<Self>, permits: usize) -> Result<(), ChargeError> {
        let charged = match &self.supply {
            Supply::Schedule => self
                .by_itself(|queue| queue.charge(permits))
                .unwrap_or(Ok(())),
            Supply::Hand => Ok(()),
            Supply::Others(_) => self.tell(|given| given.charge(permits)).unwrap_or(Ok(())),
        };
        self.has_lost_its_clock();
        charged
    }

    pub(crate) fn refund(self: &Arc<Self>, permits: usize) {
        if self.supply.is_schedule() {
            self.by_itself(|queue| queue.refund(permits));
        }
        self.tell(|given| given.refund(permits));
        self.has_lost_its_clock();
    }

    /// When somebody with so many permits ahead goes at the earliest, if that can be told.
    pub(crate) fn estimate(&self, ahead: usize) -> Option<u64> {
        if self.is_paused.load(Ordering::Acquire) {
            return None;
        }
        match &self.supply {
            Supply::Schedule => apiqueue_core::Line::estimate(&self.queue, ahead),
            Supply::Hand => None,
            Supply::Others(_) => {
                let given = self.given()?;
                guarded(|| given.permits.estimate(ahead)).flatten()
            }
        }
    }
}
