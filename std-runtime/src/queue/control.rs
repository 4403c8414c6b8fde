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

    /// The same for a rate that an answer told, and the next one may tell otherwise.
    #[cfg(feature = "http")]
    pub(crate) fn set_found_rate(&self, rate: Rate) {
        telemetry::changed(&self.line().name, "rate set", &rate);
        self.line().set_found_rate(rate);
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
