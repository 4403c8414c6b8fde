//! Calls that cost several permits: known before, or only after.

use apiqueue_core::{ChargeError, EnqueueError};

use crate::queue::ApiQueue;
use crate::stats::telemetry;
use crate::wait::waiter::Waiter;

impl ApiQueue {
    /// [`enqueue`](Self::enqueue) for a call that costs `weight` permits: a bulk call, a query of many points. It takes one
    /// place in line, is released when so many permits have gathered, and nobody overtakes it meanwhile.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// // 5,000 points an hour, of which 100 may gather.
    /// let graphql = ApiQueue::builder().every(std::time::Duration::from_millis(720)).burst(100).start()?;
    /// graphql.enqueue_weighted(40)?.wait()?;
    /// graphql.enqueue_weighted(60)?.wait()?;
    /// let why = graphql.enqueue_weighted(101).unwrap_err();
    /// assert_eq!(why.to_string(), "a weight of 101 permits is not in 1..=100, the burst");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue), and [`EnqueueError::Weight`] when `weight` is 0, or more than can gather: more than the
    /// burst, or than [`MAX_WEIGHT`](apiqueue_core::MAX_WEIGHT).
    pub fn enqueue_weighted(&self, weight: usize) -> Result<Waiter, EnqueueError> {
        self.enqueue_of(weight)
    }

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
        let charged = match &self.line().given {
            Some(given) => given.charge(permits),
            None => self.line().queue.charge(permits),
        };
        self.line().has_lost_its_clock();
        charged
    }

    /// Puts `permits` back, for a call that turned out to cost less than it waited for: those behind go earlier. What is
    /// above the burst is lost.
    pub fn refund(&self, permits: usize) {
        telemetry::changed(&self.line().name, "refunded", &permits);
        match &self.line().given {
            Some(given) => given.refund(permits),
            None => self.line().queue.refund(permits),
        }
        self.line().has_lost_its_clock();
    }
}
