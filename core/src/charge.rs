//! Costs that are known only after the call: [`charge`](QueueOver::charge) and [`refund`](QueueOver::refund).
//!
//! Both move the schedule's `last` without a turn, as tidying does: one compare-and-swap that keeps the turn's mark, so that
//! a release under way meanwhile starts over from the moved word.

use core::ops::Deref;

use crate::clock::{Clock, Tick};
use crate::error::ChargeError;
use crate::ring::QueueOver;
use crate::schedule::stamp;
use crate::slot::Slot;
use crate::weight::Weighing;

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Uses up `permits` more, for a call that turned out to cost more than was waited for: those that have gathered, and
    /// then those to come. The pending release moves back as far as that takes.
    ///
    /// ```
    /// use apiqueue_core::{ManualClock, Next, Queue, Rate};
    ///
    /// let clock = ManualClock::<u32>::new(0);
    /// let queue: Queue<_, 4> = Queue::new(&clock, Rate::<u32>::every(10)?);
    /// let line = [queue.enqueue()?, queue.enqueue()?];
    /// assert_eq!(queue.advance().next, Next::At(10));
    /// queue.charge(5)?; // the first call's answer said: 6 in all
    /// assert_eq!(queue.advance().next, Next::At(60));
    /// # drop(line);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ChargeError`] when it would put the next release off by more than [`Word::MAX_SPAN`](crate::Word::MAX_SPAN) ticks. Nothing is charged then.
    pub fn charge(&self, permits: usize) -> Result<(), ChargeError> {
        loop {
            let view = self.pace.view();
            let now = stamp(self.clock.now().to_word());
            let charged = view.charged(now, permits)?;
            if permits == 0 || self.pace.adjust(&view, charged) {
                return Ok(());
            }
        }
    }

    /// Puts `permits` back, for a call that turned out to cost less than was waited for. What is above the burst is lost, as
    /// it is when permits gather. The pending release moves forward, and a sleeping driver is told.
    ///
    /// In any window at most `burst + ⌊(w + slack) / interval⌋` permits are used, where a refund counts against those used
    /// in the window in which it is made.
    pub fn refund(&self, permits: usize) {
        loop {
            let view = self.pace.view();
            let now = stamp(self.clock.now().to_word());
            match view.refunded(now, permits) {
                Some(refunded) if !self.pace.adjust(&view, refunded) => {}
                Some(_) => return self.permit_came_back(),
                None => return,
            }
        }
    }
}
