//! The ring itself: the words that make a queue, and which slot and lap a ticket has.
//!
//! ```text
//!     head (turn)                        tail
//!        ▼                                ▼
//!   … ┌─────┬─────┬─────┬─────┬─────┬────┐ …      ticket t lives in slot t mod N
//!     │  t  │ t+1 │  ×  │ t+3 │ t+4 │    │        × has left; the head passes over it
//!     └─────┴─────┴─────┴─────┴─────┴────┘
//! ```

use core::marker::PhantomData;
use core::ops::Deref;

use crate::atomic::{AtomicUsize, const_unless_loom};
use crate::bell::Bell;
use crate::clock::{Clock, WordOf};
use crate::pace::Pace;
use crate::rate::Rate;
use crate::slot::Slot;
use crate::storage::spare;
use crate::weight::{Single, Weighing};

/// Tickets stand above this many bits, in the turn's word and in the tail's.
pub(crate) const TICKET_SHIFT: u32 = if usize::BITS >= 64 { 20 } else { 8 };
pub(crate) const TICKET: usize = !((1 << TICKET_SHIFT) - 1);
/// One ticket.
pub(crate) const ONE: usize = 1 << TICKET_SHIFT;
/// The largest capacity: a quarter of all tickets.
pub(crate) const MAX_CAPACITY: usize = 1 << (usize::BITS - TICKET_SHIFT - 2);

/// A FIFO queue of waiters over storage `S`: [`Inline`](crate::Inline) (as [`Queue`](crate::Queue)), `&'static mut [Slot]`, `Box<[Slot]>`.
///
/// Of its kind `K` all waiters cost one permit, or as many as they say: [`WeightedQueue`](crate::WeightedQueue).
///
/// Every method takes `&self` and may be called by any number of threads and interrupt handlers at once; none of them
/// blocks, allocates or waits for another.
///
/// # Fairness
/// Strictly first in, first out, in the order in which the calls of [`enqueue`](Self::enqueue) took effect.
#[derive(Debug)]
pub struct QueueOver<C: Clock, S, K: Weighing = Single> {
    pub(crate) head: AtomicUsize,
    pub(crate) tail: AtomicUsize,
    pub(crate) pace: Pace<WordOf<C>>,
    pub(crate) bell: Bell,
    pub(crate) clock: C,
    pub(crate) slots: S,
    pub(crate) kind: PhantomData<K>,
}

impl<C: Clock, S, K: Weighing> QueueOver<C, S, K> {
    const_unless_loom! {
    pub(crate) const fn assemble(clock: C, rate: Rate<WordOf<C>>, slots: S) -> Self {
        Self {
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            pace: Pace::new(rate),
            bell: Bell::new(),
            clock,
            slots,
            kind: PhantomData,
        }
    }
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// A whole lap, in tickets.
    pub(crate) fn ring(&self) -> usize {
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
