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
//! | head | ticket, *extra* for the version | the claim that a release, or giving back, begins with | its end |
//! | waiter | ticket, *extra* | always | |
//!
//! So a heavy waiter is in line by one compare-and-swap like any other, and a thread that stops right after it stops nobody:
//! the next to enqueue or release sees the pending weight in the very word that tells it of the ticket, and writes it down
//! itself. All who help a release along find in the head's word what it costs, though the slot may be another waiter's by
//! then. The version, whose place that is, is not missed: a release that ends, or is given up, moves the ticket, and nothing but
//! a release makes a permit that can be given back.
//!
//! In slots a weight is part of what tells laps apart: a ticket's *key* is its lap with the weight, and a word that carries
//! another one is over for the waiter that looks.

use core::fmt;

use crate::layout::slot::BITS;
use crate::layout::{EXTRA, MAX_EXTRA};

/// The heaviest weight that a waiter can have: 65,536 permits, and 64 on 32-bit targets. It can't be above the burst
/// either.
pub const MAX_WEIGHT: usize = MAX_EXTRA + 1;

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

/// What a waiter of this ticket, or a slot of this word, costs beyond one permit.
#[inline]
pub(crate) fn extra_of<K: Weighing>(word: usize) -> usize {
    if K::WEIGHTED {
        (word & EXTRA) >> BITS
    } else {
        0
    }
}

/// The bits of a ticket or a slot's word that say `extra`.
#[inline]
pub(crate) fn extra_bits(extra: usize) -> usize {
    extra << BITS
}
