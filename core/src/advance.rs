//! What a driver calls: [`advance`](QueueOver::advance), and what it answers.

#[cfg(feature = "catch-up")]
use crate::clock::private::Bits;
use crate::clock::{Clock, Tick, WordOf};
use crate::error::TryAcquireError;
use crate::lane::Taken;
use crate::queue::QueueOver;
use crate::release::Ready;
use crate::slot::Slot;
use crate::stamp::stamp;
use crate::tail::End;
use crate::weight::Weighing;
use core::ops::Deref;
use core::task::Waker;

/// What a call of `advance` did, and when the next is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it says when to call `advance` again"]
pub struct Advance<T> {
    /// How many waiters this call released. A release that another thread has begun counts where it is completed, be that
    /// here or, uncounted, in a change of rate, say, that met it.
    pub released: usize,
    /// When to call again.
    pub next: Next<T>,
}

/// When `advance` has something to do again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// At this reading of the clock.
    At(T),
    /// When something is enqueued.
    OnEnqueue,
    /// Never: the queue is closed, or draining and empty.
    Closed,
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Releases the waiters that are due, and says when to call again.
    ///
    /// At most `capacity` of them in one call. A waiter's waker is called after every step of its release is done.
    ///
    /// # Panics
    /// Only if a waker does. The queue is whole then: the waiter is released, and the next call goes on.
    pub fn advance(&self) -> Advance<C::Tick> {
        self.run(|_| true)
    }

    /// [`advance`](Self::advance) for a driver that sleeps until [`Advance::next`]: `waker` is called when an earlier
    /// deadline appears (the first enqueue on an empty queue, a faster rate, [`resume`](Self::resume), a permit given
    /// back) or the queue is closed.
    ///
    /// One driver at a time can be told: the waker left last.
    pub fn advance_with(&self, waker: &Waker) -> Advance<C::Tick> {
        self.driver_waker.register(waker);
        self.tail.wake();
        self.pace.driver_looks();
        self.run(|end| self.tail.rest(end))
    }

    /// `rest` is asked to confirm that the queue is empty and the driver may sleep.
    fn run(&self, rest: impl Fn(End) -> bool) -> Advance<C::Tick> {
        let mut released = 0;
        // The reading by which this call has begun the latest release.
        let mut previous = None;
        let next = loop {
            let (turn, helped) = self.free_turn_counted();
            released += helped;
            let end = self.tail.load();
            if end.is_closed() {
                self.close_waiters(turn, end);
                break Next::Closed;
            }
            if turn.ticket() == end.ticket() {
                if !self.pace.is_at_rest() {
                    continue;
                }
                // Whoever has just released something has kept the schedule tidy.
                if released == 0
                    && self
                        .pace
                        .tidy(&self.pace.view(), self.clock.now().to_word())
                {
                    continue;
                }
                if end.is_shut() {
                    break Next::Closed;
                }
                if rest(end) {
                    break Next::OnEnqueue;
                }
                continue;
            }
            if self.weigh(end) || self.pass_over(turn) {
                continue;
            }
            let extra = self.extra(turn.ticket());
            match self.ready(extra, true) {
                // The reading is that of a waiter of this weight, which another driver may have released meanwhile.
                Ready::At(_) if self.head.load() != turn => {}
                Ready::At(at) => {
                    break Next::At(C::Tick::from_word(
                        match self.put_off(released, previous, at) {
                            Some(later) => later,
                            None => at,
                        },
                    ));
                }
                Ready::Again => {}
                Ready::Now(now) if released >= self.capacity() => {
                    break Next::At(C::Tick::from_word(now));
                }
                Ready::Now(now) => {
                    if let Some(at) = self.put_off(released, previous, now)
                        && self.pace.view().schedule.is_behind(stamp(now))
                    {
                        break Next::At(C::Tick::from_word(at));
                    }
                    // All that follows is the next turn's look at what is under way.
                    if self.begin_release(turn, extra).is_some() {
                        previous = Some(now);
                    }
                }
            }
        };
        Advance { released, next }
    }

    /// When to release one that is due at `at`, where this call has released one, at `previous`, and late: what is made up for a time that
    /// was told does not go at once. None where that is no later.
    #[cfg(feature = "catch-up")]
    #[inline]
    fn put_off(
        &self,
        released: usize,
        previous: Option<WordOf<C>>,
        at: WordOf<C>,
    ) -> Option<WordOf<C>> {
        let previous = previous.filter(|_| released > 0 && self.pace.catches_up())?;
        let gap = self.pace.view().schedule.gap_after(previous, released)?;
        (at.minus(previous) < gap).then(|| previous.plus(gap))
    }

    #[cfg(not(feature = "catch-up"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn put_off(&self, _: usize, _: Option<WordOf<C>>, _: WordOf<C>) -> Option<WordOf<C>> {
        None
    }

    /// Takes a permit now or not at all. Never overtakes a waiter.
    ///
    /// Returns a reading of the clock from within the call, at which the permit was free.
    ///
    /// # Errors
    /// [`TryAcquireError`] says why not, and if it is a matter of time, until when.
    #[inline]
    pub fn try_acquire(&self) -> Result<C::Tick, TryAcquireError<C::Tick>> {
        match self.take_now() {
            Taken::Permit(permit) => Ok(C::Tick::from_word(permit.at)),
            Taken::NotYet(at) => Err(TryAcquireError::NotYet {
                at: C::Tick::from_word(at),
            }),
            Taken::Queued => Err(TryAcquireError::Queued),
            Taken::Closed => Err(TryAcquireError::Closed),
        }
    }
}
