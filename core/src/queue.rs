//! The queue as its users meet it: making one, taking a place, changing the rate, holding, closing.

use core::ops::{Deref, DerefMut};

use crate::atomic::{Ordering, const_unless_loom};
use crate::clock::{Clock, Tick, Word, WordOf, private::Bits};
use crate::error::{CapacityError, EnqueueError, HoldError};
use crate::rate::Rate;
pub use crate::ring::QueueOver;
use crate::ring::{MAX_CAPACITY, TICKET, TICKET_SHIFT};
use crate::schedule::stamp;
use crate::slot::{Slot, Vacancy};
use crate::storage::Inline;
use crate::tail::{CLOSED, DRAINING};
use crate::waiter::Waiter;
use crate::weight::Weighing;

/// A FIFO queue of up to `N` waiters with its storage inside: can be a `static`.
pub type Queue<C, const N: usize> = QueueOver<C, Inline<N>>;

impl<C: Clock, const N: usize> Queue<C, N> {
    const_unless_loom! {
    /// A queue for `N` waiters, paced at `rate` by `clock`.
    ///
    /// `N` is a power of two; anything else does not compile.
    /// ```
    /// use apiqueue_core::{ManualClock, Queue, Rate};
    ///
    /// static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(0);
    /// const RATE: Rate<u32> = match Rate::<u32>::every(100) {
    ///     Ok(rate) => rate,
    ///     Err(_) => unreachable!(),
    /// };
    /// static EC2: Queue<&ManualClock<u32>, 16> = Queue::new(&CLOCK, RATE);
    /// # assert_eq!(EC2.capacity(), 16);
    /// ```
    /// ```compile_fail
    /// # use apiqueue_core::{ManualClock, Queue, Rate};
    /// let rate = Rate::<u32>::every(100).unwrap();
    /// let queue: Queue<_, 10> = Queue::new(ManualClock::<u32>::new(0), rate); // 10 is no power of two
    /// ```
    pub const fn new(clock: C, rate: Rate<WordOf<C>>) -> Self {
        const { assert_capacity(N) }
        Self::assemble(clock, rate, Inline::new())
    }
    }
}

impl<C: Clock, S: DerefMut<Target = [Slot]>> QueueOver<C, S> {
    /// A queue over storage that the caller owns; what was in the slots before is dropped.
    ///
    /// # Errors
    /// [`CapacityError`] when the number of slots is no power of two.
    pub fn over(clock: C, rate: Rate<WordOf<C>>, slots: S) -> Result<Self, CapacityError> {
        Ok(Self::assemble(clock, rate, fresh(slots)?))
    }
}

pub(crate) const fn assert_capacity(n: usize) {
    assert!(
        n.is_power_of_two(),
        "a queue's capacity must be a power of two"
    );
    assert!(
        n <= MAX_CAPACITY,
        "a queue's capacity must be at most a quarter of all tickets"
    );
}

/// The slots as a queue starts with them.
pub(crate) fn fresh<S: DerefMut<Target = [Slot]>>(mut slots: S) -> Result<S, CapacityError> {
    let capacity = slots.len();
    if !capacity.is_power_of_two() || capacity > MAX_CAPACITY {
        return Err(CapacityError {
            capacity,
            max: MAX_CAPACITY,
        });
    }
    for slot in slots.iter_mut() {
        *slot = Slot::new();
    }
    Ok(slots)
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Takes the next place in line.
    ///
    /// Wakes the driver if it sleeps because nothing was queued. Releases nobody: that is [`advance`](Self::advance).
    ///
    /// # Errors
    /// [`EnqueueError::Full`] when `capacity` waiters are in line, [`EnqueueError::Closed`] after
    /// [`close`](Self::close) or [`drain`](Self::drain).
    pub fn enqueue(&self) -> Result<Waiter<&Self>, EnqueueError> {
        Waiter::enqueue(self)
    }

    /// Takes the next place in line, and is released at once where nobody is ahead and a permit is free.
    ///
    /// The caller does the driver's work for itself, so that a sleeping driver is woken only for a waiter that has to
    /// wait.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn enter(&self) -> Result<Waiter<&Self>, EnqueueError> {
        Waiter::enter(self)
    }

    /// How many places of the ring are taken. A waiter that has left counts until the head passes its place.
    #[must_use]
    pub fn len(&self) -> usize {
        // Ordering: Acquire, head first: the tail is then not older than the head, and the difference not negative.
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail();
        ((tail & TICKET).wrapping_sub(head & TICKET) >> TICKET_SHIFT).min(self.capacity())
    }

    /// Whether nobody is in line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are in line, those who have left not counted: walks the places that [`len`](Self::len) counts. Exact
    /// once the queue is closed, and stays so: it is then how many were refused their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        // Ordering: Acquire, as in `len`.
        let first = self.head.load(Ordering::Acquire) & TICKET;
        (0..self.len())
            .map(|place| first.wrapping_add(place << TICKET_SHIFT))
            .filter(|&ticket| {
                let slot = self.slot(ticket);
                matches!(
                    slot.vacancy(self.next_lap(ticket), self.key(ticket)),
                    Vacancy::Taken
                )
            })
            .count()
    }

    /// How many places the ring has.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The clock that paces this queue.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// The present rate.
    pub fn rate(&self) -> Rate<WordOf<C>> {
        self.pace.rate()
    }

    /// Sets the rate, for those already queued too: the pending release moves to the latest one's slot plus the new
    /// interval, earlier or later. Wakes the driver where that can be earlier.
    ///
    /// Of several calls at once one wins, whole. No release is made by the old rate after this returns.
    pub fn set_rate(&self, rate: Rate<WordOf<C>>) {
        let old = self.rate();
        self.pace.set_rate(rate);
        self.bump();
        if rate.interval() < old.interval() || rate.span() > old.span() {
            self.bell.ring();
        }
    }

    /// Releases nobody before `until`, those already queued included. Only extends: an earlier reading than the present
    /// hold's changes nothing, nor does one in the past. From its end on releases are evenly spaced: a hold spends the
    /// burst.
    ///
    /// # Errors
    /// [`HoldError`] when `until` is further than [`Word::MAX_SPAN`] ticks away.
    pub fn hold_until(&self, until: C::Tick) -> Result<(), HoldError<WordOf<C>>> {
        let until = until.to_word();
        let ticks = until.minus(self.clock.now().to_word());
        if ticks >= WordOf::<C>::HALF {
            return Ok(());
        }
        if ticks > WordOf::<C>::MAX_SPAN {
            return Err(HoldError {
                ticks,
                max: WordOf::<C>::MAX_SPAN,
            });
        }
        if self.pace.hold_until(until) {
            self.bump();
        }
        Ok(())
    }

    /// Ends a hold now, and wakes the driver if there was one.
    pub fn resume(&self) {
        if self.pace.resume(self.clock.now().to_word()) {
            self.bump();
            self.bell.ring();
        }
    }

    /// Whether it is as a new queue of this rate would be: nobody in line, the whole burst free, nothing held, open. What
    /// replaces such a queue by a new one gives no permit out twice.
    #[must_use]
    pub fn is_rested(&self) -> bool {
        let now = stamp(self.clock.now().to_word());
        // The line last: who came before this look is seen, and one who comes later comes to a queue that was at rest.
        self.pace.view().is_rested(now) && self.is_empty() && !self.is_closed()
    }

    /// Refuses everybody from now on: [`enqueue`](Self::enqueue) says `Closed`, every waiter in line is woken and says
    /// `Closed`, nobody passes any more. Final.
    ///
    /// # Panics
    /// Only if a waker does; the next [`advance`](Self::advance) or `close` goes on with the rest.
    pub fn close(&self) {
        // Ordering: Release before the bump: whoever loads the bumped turn sees the mark.
        self.tail.fetch_or(CLOSED, Ordering::AcqRel);
        self.bump();
        let turn = self.free_turn();
        self.close_waiters(turn, self.tail());
        self.bell.ring();
    }

    /// Refuses new waiters and goes on releasing those in line, at the rate. Wakes the driver, so that it can tell the
    /// end ([`Next::Closed`](crate::Next::Closed)) of an empty queue.
    pub fn drain(&self) {
        // Ordering: AcqRel, as in `close`.
        self.tail.fetch_or(DRAINING, Ordering::AcqRel);
        self.bell.ring();
    }

    /// Whether [`close`](Self::close) or [`drain`](Self::drain) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.tail() & (CLOSED | DRAINING) != 0
    }

    /// Wakes the driver that sleeps on this queue, if one does: for a clock that was set.
    pub fn wake_driver(&self) {
        self.bell.ring();
    }
}
