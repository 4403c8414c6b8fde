//! Calls of which is known only afterwards what they cost.

use apiqueue_core::ChargeError;

use crate::queue::ApiQueue;
use crate::stats::telemetry;

impl ApiQueue {
    /// Uses up `permits` more, for a call that turned out to cost more than it waited for, such as one paid by the length of
    /// its answer. Those behind wait until they are there again.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// let model = ApiQueue::builder().per_second(1500).burst(1000).start()?; // 90,000 a minute
    /// model.enqueue_weighted(400)?.wait()?; // an estimate
    /// let used = 650; // the answer says
    /// model.charge(used - 400)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ChargeError`] when it would put the next release off by more than 2 years.
    pub fn charge(&self, permits: usize) -> Result<(), ChargeError> {
        telemetry::changed(&self.line().name, "charged", &permits);
        self.line().charge(permits)
    }

    /// Puts `permits` back, for a call that turned out to cost less than it waited for: those behind go earlier. What is
    /// above the burst is lost.
    pub fn refund(&self, permits: usize) {
        telemetry::changed(&self.line().name, "refunded", &permits);
        self.line().refund(permits);
    }
}
