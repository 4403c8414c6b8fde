//! The ring: a slot for every place in line, and which slot and lap a ticket has.
//!
//! ```text
//!     head                               tail
//!        ▼                                ▼
//!   … ┌─────┬─────┬─────┬─────┬─────┬────┐ …      ticket t lives in slot t mod N
//!     │  t  │ t+1 │  ×  │ t+3 │ t+4 │    │        × has left; the head passes over it
//!     └─────┴─────┴─────┴─────┴─────┴────┘
//! ```

use core::marker::PhantomData;
use core::ops::Deref;
use core::task::Waker;

use crate::layout::slot::LAP;
use crate::layout::{EXTRA, TICKET, TICKET_SHIFT};
use crate::slot::{Register, Release, Slot, Status};
use crate::storage::spare;
use crate::weight::{Weighing, extra_bits};

/// `N` slots in storage `S`, for waiters of the kind `K`.
#[derive(Debug)]
pub(crate) struct Ring<S, K> {
    slots: S,
    kind: PhantomData<K>,
}

impl<S, K> Ring<S, K> {
    pub(crate) const fn new(slots: S) -> Self {
        Self {
            slots,
            kind: PhantomData,
        }
    }
}

impl<S: Deref<Target = [Slot]>, K: Weighing> Ring<S, K> {
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The ticket a whole lap before this one.
    pub(crate) fn lap_before(&self, ticket: usize) -> usize {
        ticket.wrapping_sub(self.whole_lap())
    }

    /// Whether this ticket's slot is there for it; for the next one to be handed out.
    #[inline]
    pub(crate) fn is_free(&self, ticket: usize) -> bool {
        self.slot(ticket).is_free(self.lap(ticket))
    }

    /// Whether the waiter of this ticket was neither released nor has left, if the tail has passed it.
    pub(crate) fn is_taken(&self, ticket: usize) -> bool {
        self.slot(ticket).is_taken(self.key(ticket))
    }

    /// Whether the waiter of this ticket has left, and its slot was not freed yet.
    #[inline]
    pub(crate) fn has_left(&self, ticket: usize) -> bool {
        self.slot(ticket).has_left(self.key(ticket))
    }

    /// The weight that the slot of this ticket carries, in its bits.
    #[inline]
    pub(crate) fn weight(&self, ticket: usize) -> usize {
        if K::WEIGHTED {
            self.slot(ticket).word() & EXTRA
        } else {
            0
        }
    }

    /// Writes the weight of the ticket down in its slot.
    pub(crate) fn weigh(&self, ticket: usize, weight: usize) {
        self.slot(ticket).weigh(self.lap(ticket), weight);
    }

    #[inline]
    pub(crate) fn release(
        &self,
        ticket: usize,
        extra: usize,
        waker: &mut Option<Waker>,
    ) -> Release {
        let lap = self.lap(ticket) | extra_bits(extra);
        self.slot(ticket).release(lap, self.next_lap(ticket), waker)
    }

    pub(crate) fn close(&self, ticket: usize) -> Option<Waker> {
        self.slot(ticket).close(self.key(ticket))
    }

    /// Makes the slot of one who left ready for the next lap. Only after the head has passed the ticket.
    pub(crate) fn free(&self, ticket: usize) {
        self.slot(ticket)
            .free(self.key(ticket), self.next_lap(ticket));
    }

    // For those who hold the ticket, which says what it weighs.

    #[inline]
    pub(crate) fn status(&self, ticket: usize) -> Status {
        self.slot(ticket).status(self.own_key(ticket))
    }

    #[inline]
    pub(crate) fn register(&self, ticket: usize, waker: &Waker) -> Register {
        self.slot(ticket)
            .register(self.own_key(ticket), waker, &mut None)
    }

    #[inline]
    pub(crate) fn cancel(&self, ticket: usize) -> Status {
        self.slot(ticket).cancel(self.own_key(ticket))
    }

    fn whole_lap(&self) -> usize {
        self.slots.len() << TICKET_SHIFT
    }

    /// The lap of `ticket`: the ticket without its place in the ring.
    fn lap(&self, ticket: usize) -> usize {
        ticket & !self.whole_lap().wrapping_sub(1)
    }

    fn next_lap(&self, ticket: usize) -> usize {
        self.lap(ticket.wrapping_add(self.whole_lap()))
    }

    /// The word that the slot of `ticket` has while its waiter is in line, but for the state.
    ///
    /// For tickets whose weight is not known. It was written before the ticket could become the head's, and does not change
    /// as long as the lap lasts.
    #[inline]
    fn key(&self, ticket: usize) -> usize {
        self.lap(ticket) | self.weight(ticket)
    }

    #[inline]
    fn own_key(&self, ticket: usize) -> usize {
        if K::WEIGHTED {
            self.lap(ticket) | ticket & EXTRA
        } else {
            self.lap(ticket)
        }
    }

    fn slot(&self, ticket: usize) -> &Slot {
        let slots = &*self.slots;
        let place = (ticket >> TICKET_SHIFT) & slots.len().wrapping_sub(1);
        // Always there, as the mask keeps it below the length; the alternative is no panic, even for storage whose
        // `Deref` lies.
        slots.get(place).unwrap_or_else(|| spare())
    }
}

/// A lap, a weight and a ticket fit each other's words.
const _: () = assert!(TICKET & EXTRA == 0 && TICKET | EXTRA == LAP);
