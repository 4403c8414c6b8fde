//! Changing a queue's pace while it runs: rates and holds.

use std::time::Duration;

use apiqueue_core::Word;

use crate::error::HoldError;
use crate::queue::ApiQueue;
use crate::rate::{MAX_SPAN, Rate};
use crate::stats::telemetry;

impl ApiQueue {
    /// The present rate.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.line().rate()
    }

    /// Sets the rate, at once and for those already queued too: the pending release moves to the latest one's slot plus
    /// the new interval, earlier or later.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, Rate};
    /// use std::time::Duration;
    ///
    /// let queue = ApiQueue::builder().every(Duration::from_secs(3600)).start()?;
    /// queue.enqueue()?.wait()?; // the first is free
    /// let second = queue.enqueue()?;
    /// queue.set_rate(Rate::per_second(1000)?);
    /// second.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_rate(&self, rate: Rate) {
        telemetry::changed(&self.line().name, "rate set", &rate);
        self.line().set_rate(rate);
    }

    /// Does what a controller of the core says after a call: sets the rate, holds, or neither. Its readings are those of
    /// the queue's clock, which is [`MonotonicClock`](crate::MonotonicClock) by default.
    ///
    /// ```
    /// use apiqueue::core::{Bounds, Clock, Constants, Controller, Cubic, Outcome};
    /// use apiqueue::{ApiQueue, MonotonicClock, Rate};
    ///
    /// let start = Rate::per_second(100)?;
    /// let queue = ApiQueue::builder().rate(start).start()?;
    /// let (slowest, fastest) = (Rate::per_second(1)?, Rate::per_second(1000)?);
    /// let bounds = Bounds::new(slowest.into(), fastest.into(), 1_000_000_000)?;
    /// let mut controller = Cubic::new(bounds, start.into(), Constants::CALM)?;
    ///
    /// queue.enqueue()?.wait()?;
    /// let released = MonotonicClock.now();
    /// // … the call, which is throttled …
    /// queue.apply(controller.outcome(MonotonicClock.now(), released, Outcome::Throttled));
    /// assert!(queue.rate().interval() > start.interval());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply(&self, change: apiqueue_core::Change<'_, u64>) {
        if let Some(rate) = change.rate {
            self.set_rate(rate.into());
        }
        if let Some(until) = change.hold_until {
            // Refused only when the clock has passed it meanwhile: then it holds nothing back any more.
            let _ = self.hold_for(Duration::from_nanos(
                until.saturating_sub(self.line().now()),
            ));
        }
    }

    /// Releases nobody for `duration`, those already queued included: what a server asks for with `Retry-After`. Only
    /// extends a hold. From its end on releases are evenly spaced: a hold spends the burst.
    ///
    /// # Errors
    /// [`HoldError`] when it is longer than 2 years.
    pub fn hold_for(&self, duration: Duration) -> Result<(), HoldError> {
        telemetry::changed(&self.line().name, "held", &duration);
        u64::try_from(duration.as_nanos())
            .ok()
            .filter(|&ticks| ticks <= <u64 as Word>::MAX_SPAN)
            .map(|ticks| self.line().hold(ticks))
            .ok_or(HoldError {
                duration,
                max: MAX_SPAN,
            })
    }

    /// Ends a hold now.
    pub fn resume(&self) {
        telemetry::changed(&self.line().name, "resumed", &());
        self.line().resume();
    }
}
