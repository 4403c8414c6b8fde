//! Releases by permits from elsewhere: [`grant`](QueueOver::grant).

use core::ops::Deref;
use core::task::Waker;

use crate::clock::{Clock, Tick};
use crate::queue::QueueOver;
use crate::slot::Slot;
use crate::weight::{MAX_WEIGHT, Weighing};

/// A release that was [granted](QueueOver::grant_within). Dropping it calls the waker of the waiter, if that left one.
#[derive(Debug)]
#[must_use = "dropping it wakes the waiter"]
pub struct Granted {
    weight: usize,
    waker: Option<Waker>,
}

impl Granted {
    /// How many permits the release has used.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Releases the first in line now, whatever the schedule says: for a queue whose permits come from elsewhere, as from a
    /// limit that several queues share. Its own schedule should then let nothing go by itself: a hold without an end does.
    /// False when nobody is in line or the queue is closed.
    ///
    /// Two limits at once, on a board, say:
    /// ```
    /// use apiqueue_core::{Due, ManualClock, Queue, Rate, Schedule};
    ///
    /// let clock = ManualClock::<u32>::new(0);
    /// let queue: Queue<_, 4> = Queue::new(&clock, Rate::every(1)?);
    /// queue.hold_until(1)?; // and this clock is never moved: only grants release
    /// // 1 each 10 ticks, and 3 each 100.
    /// let mut limits = [
    ///     Schedule::new(Rate::<u32>::every(10)?),
    ///     Schedule::new(Rate::<u32>::every(33)?.burst(3)?),
    /// ];
    /// let line = [queue.enqueue()?, queue.enqueue()?];
    /// let mut released = Vec::new();
    /// for now in 0..50 {
    ///     if limits.iter().all(|limit| limit.next(now) == Due::Now) && queue.grant() {
    ///         limits.iter_mut().for_each(|limit| limit.take(now));
    ///         released.push(now);
    ///     }
    /// }
    /// assert_eq!(released, [0, 10]);
    /// # drop(line);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Exact only where one caller at a time grants, and nothing else releases or takes permits: then of `n` calls that say true
    /// exactly `n` permits were used, by those released and not given back.
    ///
    /// # Panics
    /// Only if a waker does; the waiter is released then.
    pub fn grant(&self) -> bool {
        self.grant_within(MAX_WEIGHT).is_some()
    }

    /// [`grant`](Self::grant) to a waiter of at most `most` permits: for whoever has so many to give, as the first in line may have left
    /// and a heavier one be first by now. None when nobody is in line, the first costs more, or the queue is closed.
    ///
    /// The waiter's waker is called when the [`Granted`] is dropped, which may be after a lock was let go.
    pub fn grant_within(&self, most: usize) -> Option<Granted> {
        let mut waker = None;
        loop {
            let turn = self.free_turn();
            let end = self.tail.load();
            if end.is_closed() || turn.ticket() == end.ticket() {
                return None;
            }
            if self.weigh(end) || self.pass_over(turn) {
                continue;
            }
            // A hold that is over comes onto the grid before what is used after it.
            let view = self.pace.view();
            if view.is_open() {
                self.pace.shut();
                continue;
            }
            if self.pace.tidy(&view, self.clock.now().to_word()) {
                continue;
            }
            let extra = self.extra(turn.ticket());
            if extra >= most {
                if self.head.load() == turn {
                    return None;
                }
                continue;
            }
            if self.release_for_good(turn, extra, &mut waker) {
                return Some(Granted {
                    weight: extra.saturating_add(1),
                    waker,
                });
            }
        }
    }

    /// What the first in line costs; none when nobody is there, or the queue is closed. For whoever [grants](Self::grant).
    pub fn first_weight(&self) -> Option<usize> {
        loop {
            let turn = self.free_turn();
            let end = self.tail.load();
            if end.is_closed() || turn.ticket() == end.ticket() {
                return None;
            }
            if !self.weigh(end) && !self.pass_over(turn) {
                return Some(self.extra(turn.ticket()).saturating_add(1));
            }
        }
    }
}
