//! The queue: tickets over slots. [`QueueOver::enqueue`] hands out tickets at the tail, [`QueueOver::advance`] releases
//! them at the head, when the schedule says so.
//!
//! ```text
//!     head (turn)                        tail
//!        ▼                                ▼
//!   … ┌─────┬─────┬─────┬─────┬─────┬────┐ …      ticket t lives in slot t mod N
//!     │  t  │ t+1 │  ×  │ t+3 │ t+4 │    │        × has left; the head passes over it
//!     └─────┴─────┴─────┴─────┴─────┴────┘
//! ```
//!
//! The tail's word is `ticket | IDLE | DRAINING | CLOSED`. Because the marks are in the same word, one compare-and-swap
//! decides whether a ticket was handed out before the door closed, and whether the sleeping driver saw it:
//! a driver that finds the queue empty sets `IDLE` only if the tail is still where it looked, and who hands out the
//! next ticket clears the mark and owes it the wake-up.

use core::ops::{Deref, DerefMut};
use core::task::Waker;

use crate::atomic::{AtomicUsize, Ordering, const_unless_loom};
use crate::clock::{Clock, Tick, Word, WordOf, private::Bits};
use crate::driver::{Advance, Bell, Next};
use crate::error::{CapacityError, EnqueueError, HoldError, TryAcquireError};
use crate::pace::Pace;
use crate::rate::Rate;
use crate::slot::{Slot, Vacancy};
use crate::storage::{Inline, spare};
use crate::turn::{Completed, ONE, Ready, TICKET, TICKET_SHIFT};
use crate::waiter::Waiter;

const IDLE: usize = 0b001;
const DRAINING: usize = 0b010;
const CLOSED: usize = 0b100;

/// A FIFO queue of up to `N` waiters with its storage inside: can be a `static`.
pub type Queue<C, const N: usize> = QueueOver<C, Inline<N>>;

/// A FIFO queue of waiters over storage `S`: [`Inline`] (as [`Queue`]), `&'static mut [Slot]`, `Box<[Slot]>`.
///
/// Every method takes `&self` and may be called by any number of threads and interrupt handlers at once; none of them
/// blocks, allocates or waits for another.
///
/// # Fairness
/// Strictly first in, first out, in the order in which the calls of [`enqueue`](Self::enqueue) took effect.
#[derive(Debug)]
pub struct QueueOver<C: Clock, S> {
    pub(crate) head: AtomicUsize,
    tail: AtomicUsize,
    pub(crate) pace: Pace<WordOf<C>>,
    bell: Bell,
    pub(crate) clock: C,
    slots: S,
}

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
        const {
            assert!(N.is_power_of_two(), "a queue's capacity must be a power of two");
            assert!(N <= MAX_CAPACITY, "a queue's capacity must be at most 2^(usize::BITS - 8)");
        }
        Self::assemble(clock, rate, Inline::new())
    }
    }
}

/// The largest capacity: half of all tickets on 32-bit targets, where it matters.
const MAX_CAPACITY: usize = 1 << (usize::BITS - TICKET_SHIFT - 2);

impl<C: Clock, S: DerefMut<Target = [Slot]>> QueueOver<C, S> {
    /// A queue over storage that the caller owns; what was in the slots before is dropped.
    ///
    /// # Errors
    /// [`CapacityError`] when the number of slots is no power of two.
    pub fn over(clock: C, rate: Rate<WordOf<C>>, mut slots: S) -> Result<Self, CapacityError> {
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
        Ok(Self::assemble(clock, rate, slots))
    }
}

impl<C: Clock, S> QueueOver<C, S> {
    const_unless_loom! {
    const fn assemble(clock: C, rate: Rate<WordOf<C>>, slots: S) -> Self {
        Self {
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            pace: Pace::new(rate),
            bell: Bell::new(),
            clock,
            slots,
        }
    }
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>> QueueOver<C, S> {
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

    /// Takes a permit now or not at all. Never overtakes a waiter.
    ///
    /// # Errors
    /// [`TryAcquireError`] says why not, and if it is a matter of time, until when.
    pub fn try_acquire(&self) -> Result<(), TryAcquireError<C::Tick>> {
        loop {
            let turn = self.free_turn();
            let tail = self.tail();
            if tail & (CLOSED | DRAINING) != 0 {
                return Err(TryAcquireError::Closed);
            }
            if turn & TICKET != tail & TICKET {
                if self.pass_over(turn) {
                    continue;
                }
                return Err(TryAcquireError::Queued);
            }
            // If `take` succeeds, the turn was free all the time between, so at the look at the tail the queue was
            // empty and the permit free: that is when this call took effect.
            match self.ready() {
                Ready::Now if self.take(turn) => return Ok(()),
                Ready::At(at) => {
                    return Err(TryAcquireError::NotYet {
                        at: C::Tick::from_word(at),
                    });
                }
                Ready::Now | Ready::Again => {}
            }
        }
    }

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
        self.bell.register(waker);
        self.run(|tail| {
            // Ordering: Release, so that who clears the mark sees the waker; Acquire for symmetry with other tails.
            self.tail
                .compare_exchange(tail, tail | IDLE, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        })
    }

    /// `rest` is asked to confirm that the queue is empty and the driver may sleep.
    fn run(&self, rest: impl Fn(usize) -> bool) -> Advance<C::Tick> {
        let mut released = 0;
        let next = loop {
            let turn = self.free_turn();
            let tail = self.tail();
            if tail & CLOSED != 0 {
                self.close_waiters(turn, tail);
                break Next::Closed;
            }
            if turn & TICKET == tail & TICKET {
                let view = self.pace.view();
                if self.pace.tidy(view, self.clock.now().to_word()) {
                    continue;
                }
                if tail & DRAINING != 0 {
                    break Next::Closed;
                }
                if rest(tail) {
                    break Next::OnEnqueue;
                }
                continue;
            }
            if self.pass_over(turn) {
                continue;
            }
            match self.ready() {
                Ready::At(at) => break Next::At(C::Tick::from_word(at)),
                Ready::Again => {}
                Ready::Now if released == self.capacity() => break Next::At(self.clock.now()),
                Ready::Now => {
                    if let Completed::Released(waker) = self.release_head(turn) {
                        released += 1;
                        if let Some(waker) = waker {
                            waker.wake();
                        }
                    }
                }
            }
        };
        Advance { released, next }
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
    /// end ([`Next::Closed`]) of an empty queue.
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

    /// Hands out a ticket. `quiet` leaves a sleeping driver asleep.
    pub(crate) fn take_ticket(&self, quiet: bool) -> Result<usize, EnqueueError> {
        let mut tail = self.tail();
        loop {
            if tail & (CLOSED | DRAINING) != 0 {
                return Err(EnqueueError::Closed);
            }
            let ticket = tail & TICKET;
            let previous = ticket.wrapping_sub(self.ring());
            let slot = self.slot(ticket);
            match slot.vacancy(self.lap(ticket), self.lap(previous)) {
                Vacancy::Free => {}
                Vacancy::Passed => {
                    tail = self.tail();
                    continue;
                }
                Vacancy::Left if !self.is_ahead(previous) => {
                    slot.free(self.lap(previous), self.lap(ticket));
                    continue;
                }
                Vacancy::Left | Vacancy::Taken => {
                    if self.pass_over(self.free_turn()) {
                        continue;
                    }
                    let now = self.tail();
                    if now == tail {
                        return Err(EnqueueError::Full {
                            capacity: self.capacity(),
                        });
                    }
                    tail = now;
                    continue;
                }
            }
            let idle = if quiet { tail & IDLE } else { 0 };
            // Ordering: Release, so that a driver which sees the ticket sees what its waiter did before; Acquire to see
            // the waker of the driver that set IDLE.
            match self.tail.compare_exchange(
                tail,
                ticket.wrapping_add(ONE) | idle,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    if !quiet && tail & IDLE != 0 {
                        self.bell.ring();
                    }
                    return Ok(ticket);
                }
                Err(seen) => tail = seen,
            }
        }
    }

    /// Tells the driver of a ticket that was taken quietly.
    pub(crate) fn announce(&self) {
        // Ordering: AcqRel, as for the CAS in `take_ticket`, whose second half this is.
        if self.tail.fetch_and(!IDLE, Ordering::AcqRel) & IDLE != 0 {
            self.bell.ring();
        }
    }

    /// Tells the driver that a permit came back, if anybody waits for it.
    pub(crate) fn permit_came_back(&self) {
        if !self.is_empty() {
            self.bell.ring();
        }
    }

    /// How many are ahead of `ticket`.
    pub(crate) fn ahead_of(&self, ticket: usize) -> usize {
        // Ordering: Acquire; a count for people, out of date when it is returned.
        let head = self.head.load(Ordering::Acquire);
        ticket.wrapping_sub(head & TICKET) >> TICKET_SHIFT
    }

    /// Whether the head has yet to pass `ticket`.
    fn is_ahead(&self, ticket: usize) -> bool {
        self.ahead_of(ticket) < self.capacity()
    }

    /// Moves the head over a waiter that has left. False when the head is still waiting.
    fn pass_over(&self, turn: usize) -> bool {
        let ticket = turn & TICKET;
        let left = matches!(
            self.slot(ticket)
                .vacancy(self.next_lap(ticket), self.lap(ticket)),
            Vacancy::Left
        );
        if left {
            self.skip(turn);
        }
        left
    }

    /// Tells every waiter in line that the queue is closed.
    fn close_waiters(&self, turn: usize, tail: usize) {
        let mut ticket = turn & TICKET;
        while ticket != tail & TICKET {
            if let Some(waker) = self.slot(ticket).close(self.lap(ticket)) {
                waker.wake();
            }
            ticket = ticket.wrapping_add(ONE);
        }
    }

    fn tail(&self) -> usize {
        // Ordering: Acquire pairs with the CAS that hands out a ticket. Callers that compare it with the head load the
        // head first: the tail is then at least as far.
        self.tail.load(Ordering::Acquire)
    }

    /// A whole lap, in tickets.
    fn ring(&self) -> usize {
        self.slots.len() << TICKET_SHIFT
    }

    /// The lap of `ticket`: the ticket without its place in the ring.
    pub(crate) fn lap(&self, ticket: usize) -> usize {
        ticket & !self.ring().wrapping_sub(1)
    }

    pub(crate) fn next_lap(&self, ticket: usize) -> usize {
        self.lap(ticket.wrapping_add(self.ring()))
    }

    pub(crate) fn slot(&self, ticket: usize) -> &Slot {
        let slots = &*self.slots;
        let place = (ticket >> TICKET_SHIFT) & slots.len().wrapping_sub(1);
        // Always there, as the mask keeps it below the length; the alternative is no panic, even for storage whose
        // `Deref` lies.
        slots.get(place).unwrap_or_else(|| spare())
    }
}
