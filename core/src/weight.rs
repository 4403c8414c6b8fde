//! Waiters that cost several permits, in a queue of the kind [`Weighted`].
//!
//! A call may cost more than others: points, rows, bytes. Its waiter then takes one place in line and weighs n permits; it is
//! released when n permits have gathered, and the next one waits for its own after that. Whoever is behind a heavy waiter
//! does not overtake it, so that it can't starve.
//!
//! A weight stands where the waiter's ticket is, in bits that are zero in a queue of the kind [`Single`]. What is kept is what
//! it costs beyond one permit:
//!
//! | word | holds | from | until |
//! |---|---|---|---|
//! | tail | ticket, *extra*, marks | the one compare-and-swap that hands the ticket out | whoever comes by has written it to the slot |
//! | slot | lap, *extra*, state | then | the release, which moves to the next lap without it |
//! | turn | ticket, *extra* for the version | the claim that a release, or giving back, begins with | its end |
//! | waiter | ticket, *extra* | always | |
//!
//! So a heavy waiter is in line by one compare-and-swap like any other, and a thread that stops right after it stops nobody:
//! the next to enqueue or release sees the pending weight in the very word that tells it of the ticket, and writes it down
//! itself. All who help a release along find in the turn's word what it costs, though the slot may be another waiter's by
//! then. The version, whose place that is, is not missed: the end of a release moves the ticket, and nothing but a release
//! makes a permit that can be given back.
//!
//! In slots a weight is part of what tells laps apart: `key` is the lap with the weight, and a word that carries
//! another one is over for the waiter that looks.

use core::fmt;
use core::ops::Deref;

use crate::atomic::Ordering;
use crate::clock::Clock;
use crate::ring::{ONE, QueueOver, TICKET, TICKET_SHIFT};
use crate::slot::{SLOT_BITS, Slot};

/// Bits of the tail's and the slot's words that carry a weight.
pub(crate) const EXTRA: usize = !TICKET & !((1 << SLOT_BITS) - 1);

/// The heaviest weight that a waiter can have: 65,536 permits, and 16 on 32-bit targets. It can't be above the burst
/// either.
pub const MAX_WEIGHT: usize = 1 << (TICKET_SHIFT - SLOT_BITS - 1);

/// Whether a queue's waiters all cost one permit, or as many as each says. Sealed: [`Single`] and [`Weighted`].
pub trait Weighing: private::Sealed + fmt::Debug + Send + Sync + 'static {
    #[doc(hidden)]
    const WEIGHTED: bool;
}

/// Each waiter costs one permit.
#[derive(Debug)]
pub struct Single;

/// Each waiter costs as many permits as it says.
#[derive(Debug)]
pub struct Weighted;

impl Weighing for Single {
    const WEIGHTED: bool = false;
}

impl Weighing for Weighted {
    const WEIGHTED: bool = true;
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Single {}
    impl Sealed for super::Weighted {}
}

/// What a waiter of this ticket costs beyond one permit.
#[inline]
pub(crate) fn extra_of<K: Weighing>(ticket: usize) -> usize {
    if K::WEIGHTED {
        (ticket & EXTRA) >> SLOT_BITS
    } else {
        0
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Writes the weight that `tail` carries to the slot of the latest ticket, if it carries one. Then the tail is another.
    #[inline]
    pub(crate) fn weigh(&self, tail: usize) -> bool {
        let pending = K::WEIGHTED && tail & EXTRA != 0;
        if pending {
            self.write_weight(tail);
        }
        pending
    }

    fn write_weight(&self, tail: usize) {
        let ticket = (tail & TICKET).wrapping_sub(ONE);
        self.slot(ticket).weigh(self.lap(ticket), tail & EXTRA);
        let mut seen = tail;
        while seen & !self.marks() == tail & !self.marks() {
            // Ordering: Release, so that who finds no weight pending finds it in the slot.
            match self.tail.compare_exchange(
                seen,
                seen & !EXTRA,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// The tail's bits that others may change while a weight is pending.
    fn marks(&self) -> usize {
        (1 << SLOT_BITS) - 1
    }

    /// The word that the slot of `ticket` has while its waiter is in line, but for the state.
    ///
    /// For tickets whose weight is not known. It was written before the ticket could become the head's, and does not change
    /// as long as the lap lasts.
    #[inline]
    pub(crate) fn key(&self, ticket: usize) -> usize {
        if K::WEIGHTED {
            self.lap(ticket) | self.slot(ticket).extra()
        } else {
            self.lap(ticket)
        }
    }

    /// The same of a ticket that a waiter holds, and which says what it weighs.
    #[inline]
    pub(crate) fn own_key(&self, ticket: usize) -> usize {
        if K::WEIGHTED {
            self.lap(ticket) | ticket & EXTRA
        } else {
            self.lap(ticket)
        }
    }
}
