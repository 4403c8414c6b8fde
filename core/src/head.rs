//! The line's front: who is next, and the one release that may be under way, in one atomic word.
//!
//! A release changes three things: the schedule's `last`, a slot, and the head. No thread may wait for another between
//! them, so the first step, one compare-and-swap on this word, decides what will happen, and whoever comes by can do the
//! rest:
//!
//! ```text
//!   word = ticket | version | NOT_RETURNABLE | TURN | phase
//!
//!   FREE ──► RELEASING ──► slot: WAITING → next lap ──► last: spent ──► FREE, ticket + 1, TURN flipped
//!     │           └──────► slot: CANCELLED ───────────────────────────► FREE, ticket + 1, version + 1
//!     ├──► TAKING  (try_acquire) ──────────────────────► last: spent ──► FREE, TURN flipped, version + 1
//!     ├──► FREE, ticket + 1, version + 1   the head's waiter has left
//!     └──► FREE, version + 1               the rate, the hold or the door has changed
//! ```
//!
//! Why this is lock-free: from every state, every thread can do every next step alone, with what the words say. A thread
//! that stops anywhere leaves a word from which the others go on.
//!
//! Why nothing happens twice:
//! * The ticket can't move while the phase is not `FREE`, so all who see `RELEASING` mean the same slot, and its lap
//!   moves on once. A cancelled slot is freed only *after* the head has passed it; so a slot that is a lap ahead of the
//!   head was released, under this turn.
//! * `last` is changed by compare-and-swap from a word whose `TURN` bit is this turn's, after looking that the head's word
//!   is still the same. The change flips the bit.
//! * The last step is a compare-and-swap from the very word. A late one fails.
//!
//! Why nothing happens early: the decision "due" is made between loading this word and the compare-and-swap to
//! `RELEASING`, and every release, rate change, hold, resume and close in between changes the word. The slot that a release
//! uses up is computed from a reading taken *after* the release: a driver that was suspended between looking at the
//! clock and releasing makes the schedule later, never earlier.
//!
//! The version counts modulo 2¹⁶ (2⁶ on 32-bit targets) and the ticket modulo 2⁴⁴ (2²²): a thread would have to stop
//! between a load and its compare-and-swap while exactly so many permits are taken or changes of rate or hold made and
//! nothing is released, or exactly so many waiters pass, for its swap to succeed wrongly.
//!
//! A release starts the version at 0 and every waiter passed over counts it up, so that while `NOT_RETURNABLE` is not set the
//! word also tells whose release was the latest: the ticket before the head's, less those passed over.

use crate::atomic::{AtomicUsize, Ordering, const_unless_loom};
use crate::layout::head::{FREE, NOT_RETURNABLE, PHASE, TAKING, TURN, VERSION, VERSION_SHIFT};
use crate::layout::{ONE, TICKET, TICKET_SHIFT};
use crate::weight::Weighing;

#[derive(Debug)]
pub(crate) struct Head {
    word: AtomicUsize,
}

/// The head's word, as it was at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn(usize);

impl Turn {
    pub(crate) fn into_word(self) -> usize {
        self.0
    }

    /// The turn that had this word.
    pub(crate) fn from_word(word: usize) -> Self {
        Self(word)
    }

    /// The next to be released.
    #[inline]
    pub(crate) fn ticket(self) -> usize {
        self.0 & TICKET
    }

    #[inline]
    pub(crate) fn is_free(self) -> bool {
        self.phase() == FREE
    }

    #[inline]
    pub(crate) fn phase(self) -> usize {
        self.0 & PHASE
    }

    /// What `last` has in its own `TURN` until it was changed for this turn.
    #[inline]
    pub(crate) fn parity(self) -> u8 {
        ((self.0 / TURN) & 1) as u8
    }

    /// Whether a release has come about between the two, of which the other is the turn that it was begun with.
    pub(crate) fn is_past(self, begun: Self) -> bool {
        (self.0 ^ begun.0) & TURN != 0
    }

    /// What the release that is under way costs beyond one permit. What is taken costs one.
    #[inline]
    pub(crate) fn extra<K: Weighing>(self) -> usize {
        if K::WEIGHTED && self.phase() != TAKING {
            (self.0 & VERSION) >> VERSION_SHIFT
        } else {
            0
        }
    }

    /// The ticket whose release was the latest change of `last`, if that was one and nothing else has changed since.
    pub(crate) fn latest_release(self) -> Option<usize> {
        let passed_over = (self.0 & VERSION) >> VERSION_SHIFT << TICKET_SHIFT;
        (self.0 & NOT_RETURNABLE == 0)
            .then(|| self.ticket().wrapping_sub(passed_over).wrapping_sub(ONE))
    }

    /// Whether nothing but waiters that had left was passed over between `earlier` and this: each of those counts the ticket on, and
    /// the version too.
    pub(crate) fn has_only_passed_over(self, earlier: Self) -> bool {
        let versions = VERSION >> VERSION_SHIFT;
        let of =
            |turn: Self| (turn.0 >> TICKET_SHIFT).wrapping_sub(turn.0 >> VERSION_SHIFT) & versions;
        of(self) == of(earlier) && (self.0 ^ earlier.0) & (NOT_RETURNABLE | TURN | PHASE) == 0
    }

    /// `FREE → phase`, of something that costs `extra` beyond one permit.
    #[inline]
    pub(crate) fn begun<K: Weighing>(self, phase: usize, extra: usize) -> Self {
        if K::WEIGHTED && phase != TAKING {
            Self(self.0 & !VERSION | extra << VERSION_SHIFT | phase)
        } else {
            Self(self.0 | phase)
        }
    }

    /// `RELEASING → FREE`: the waiter is released and its permit spent.
    #[inline]
    pub(crate) fn released(self) -> Self {
        Self((self.0 & TICKET).wrapping_add(ONE) | (self.0 ^ TURN) & TURN)
    }

    /// `TAKING → FREE`: `last` is changed, and no waiter's release was the latest to do that.
    #[inline]
    pub(crate) fn changed(self) -> Self {
        Self((self.0 ^ TURN) & !PHASE).bumped()
    }

    /// `FREE → FREE`: the waiter has left.
    #[inline]
    pub(crate) fn passed_over(self) -> Self {
        Self(self.next_version().wrapping_add(ONE))
    }

    /// `RELEASING → FREE`: the waiter has left.
    #[inline]
    pub(crate) fn given_up<K: Weighing>(self) -> Self {
        // The weight of the release stands where those passed over were counted.
        let lost = if K::WEIGHTED { NOT_RETURNABLE } else { 0 };
        Self(self.passed_over().0 & !PHASE | lost)
    }

    /// `FREE → FREE`: no decision made before takes effect after it.
    #[inline]
    pub(crate) fn bumped(self) -> Self {
        Self(self.next_version() | NOT_RETURNABLE)
    }

    fn next_version(self) -> usize {
        self.0 & !VERSION | self.0.wrapping_add(1 << VERSION_SHIFT) & VERSION
    }
}

impl Head {
    const_unless_loom! {
    pub(crate) const fn new() -> Self {
        Self { word: AtomicUsize::new(FREE) }
    }
    }

    #[inline]
    pub(crate) fn load(&self) -> Turn {
        // Ordering: Acquire: `last`, the slots and the tail are read as of this turn or later.
        Turn(self.word.load(Ordering::Acquire))
    }

    #[cfg_attr(target_os = "none", inline(always))]
    pub(crate) fn swap(&self, from: Turn, to: Turn) -> bool {
        // Ordering: Release publishes the steps before, this thread's and those it has seen of others; Acquire makes the
        // turns one chain of happens-before. Failure could be Relaxed, as the caller loads again; Acquire because one pair
        // of orderings all over the crate lets the emulation for targets without compare-and-swap be one function.
        self.word
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}
