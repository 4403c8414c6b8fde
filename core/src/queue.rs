//! The queue: what it is made of, making one, and what it tells of itself.

use core::ops::{Deref, DerefMut};

use crate::atomic::const_unless_loom;
use crate::clock::{Clock, Tick, WordOf};
use crate::driver_waker::DriverWaker;
use crate::error::CapacityError;
use crate::head::Head;
use crate::layout::{MAX_CAPACITY, ONE, TICKET_SHIFT};
use crate::pace::Pace;
use crate::rate::Rate;
use crate::ring::Ring;
use crate::slot::Slot;
use crate::stamp::stamp;
use crate::storage::Inline;
use crate::tail::Tail;
use crate::weight::{Single, Weighing};

/// A FIFO queue of waiters over storage `S`: [`Inline`](crate::Inline) (as [`Queue`]), `&'static mut [Slot]`, `Box<[Slot]>`.
///
/// Of its kind `K` all waiters cost one permit, or as many as they say: [`WeightedQueue`](crate::WeightedQueue).
///
/// Every method takes `&self` and may be called by any number of threads and interrupt handlers at once; none of them
/// blocks, allocates or waits for another.
///
/// # Fairness
/// Strictly first in, first out, in the order in which the calls of [`enqueue`](Self::enqueue) took effect.
#[derive(Debug)]
// In this order, so that what a permit of an empty line touches lies together.
#[repr(C)]
pub struct QueueOver<C: Clock, S, K: Weighing = Single> {
    pub(crate) pace: Pace<WordOf<C>>,
    pub(crate) head: Head,
    pub(crate) tail: Tail,
    pub(crate) driver_waker: DriverWaker,
    pub(crate) clock: C,
    pub(crate) ring: Ring<S, K>,
}

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
    /// const RATE: Rate<u32> = match Rate::every(100) {
    ///     Ok(rate) => rate,
    ///     Err(_) => unreachable!(),
    /// };
    /// static EC2: Queue<&ManualClock<u32>, 16> = Queue::new(&CLOCK, RATE);
    /// # assert_eq!(EC2.capacity(), 16);
    /// ```
    /// ```compile_fail
    /// # use apiqueue_core::{ManualClock, Queue, Rate};
    /// let rate = Rate::every(100).unwrap();
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

impl<C: Clock, S, K: Weighing> QueueOver<C, S, K> {
    const_unless_loom! {
    pub(crate) const fn assemble(clock: C, rate: Rate<WordOf<C>>, slots: S) -> Self {
        Self {
            head: Head::new(),
            tail: Tail::new(),
            pace: Pace::new(rate),
            driver_waker: DriverWaker::new(),
            clock,
            ring: Ring::new(slots),
        }
    }
    }
}

#[cfg(feature = "catch-up")]
impl<C: Clock, S, K: Weighing> QueueOver<C, S, K> {
    /// Makes lateness up for so many ticks, in place of a tenth of an interval. Of a driver, say: one that is woken too late, by
    /// a busy machine or because the interval is shorter than a wake-up takes, then keeps the mean nevertheless.
    ///
    /// In any window of `w` ticks at most `burst + ⌊(w + ticks) / interval⌋` permits are used. So a server that lets
    /// `burst + ticks / interval` calls gather in its bucket refuses none.
    ///
    /// What is made up is spread out: a driver that has released one late is told to come back an interval less a tenth later,
    /// until it has caught up. At once goes what is late by more than a quarter of `ticks`, or would be lost if the driver is as
    /// late the next time; and all of it where an interval is less than 1/16 of `ticks`. And it is for those who waited: an empty queue is
    /// never more than a part of one permit ahead of its burst, so that no pause is followed by more than that. (Who has left
    /// counts as waiting until the head has passed its place; and where two calls that charge, put back or set a rate meet, the
    /// next one in line counts as having waited.)
    ///
    /// Of the feature `catch-up`. Beside a [strict](crate::Rate::strict) rate it means nothing. It stops where burst × interval and `ticks` together would be
    /// above [`Word::MAX_SPAN`](crate::Word::MAX_SPAN), and `ticks` above that count as that.
    ///
    /// ```
    /// use apiqueue_core::{ManualClock, Next, Queue, Rate};
    ///
    /// let clock = ManualClock::<u32>::new(0);
    /// let queue = Queue::<_, 8>::new(&clock, Rate::every(100)?).catch_up(1_000);
    /// let line = [queue.enqueue()?, queue.enqueue()?, queue.enqueue()?, queue.enqueue()?];
    /// assert_eq!(queue.advance().next, Next::At(100));
    /// clock.set(290); // the driver was late
    /// assert_eq!(queue.advance().next, Next::At(381)); // 190 late, of which 9 are made up by the next one
    /// clock.set(381);
    /// assert_eq!(queue.advance().next, Next::At(472));
    /// # drop(line);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn catch_up(mut self, ticks: WordOf<C>) -> Self {
        self.pace.catch_up = crate::catch_up::CatchUp::of(ticks);
        self
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// How many places of the ring are taken. A waiter that has left counts until the head passes its place.
    #[must_use]
    pub fn len(&self) -> usize {
        // The head first: the tail is then not older than the head, and the difference not negative.
        let head = self.head.load().ticket();
        let taken = self.tail.load().ticket().wrapping_sub(head);
        (taken >> TICKET_SHIFT).min(self.capacity())
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
        self.tickets_waiting().count()
    }

    /// How many permits those in line cost together, those who have left not counted: what is ahead of somebody who comes now. Walks
    /// the places likewise.
    #[must_use]
    pub fn permits_in_line(&self) -> usize {
        self.tickets_waiting().fold(0, |permits: usize, ticket| {
            permits.saturating_add(self.extra(ticket)).saturating_add(1)
        })
    }

    fn tickets_waiting(&self) -> impl Iterator<Item = usize> {
        let first = self.head.load().ticket();
        (0..self.len())
            .map(move |place| first.wrapping_add(place.wrapping_mul(ONE)))
            .filter(|&ticket| self.ring.is_taken(ticket))
    }

    /// How many places the ring has.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// The clock that paces this queue.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// The present rate.
    pub fn rate(&self) -> Rate<WordOf<C>> {
        self.pace.rate()
    }

    /// Whether it is as a new queue of this rate would be: nobody in line, the whole burst free, nothing held, open. What
    /// replaces such a queue by a new one gives no permit out twice.
    #[must_use]
    pub fn is_rested(&self) -> bool {
        let now = stamp(self.clock.now().to_word());
        // The line last: who came before this look is seen, and one who comes later comes to a queue that was at rest.
        self.pace.view().schedule.is_rested(now) && self.is_empty() && !self.is_closed()
    }

    /// Whether [`close`](Self::close) or [`drain`](Self::drain) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.tail.load().is_shut()
    }
}
