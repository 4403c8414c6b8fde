//! The lane beside the line: while nobody waits, a permit is taken by one compare-and-swap on the schedule's word.
//!
//! `OPEN`, in the word of `last`, says that whoever finds nobody in line may use a slot without a turn:
//!
//! ```text
//!                 TAKING spends               pass: last → spent
//!        shut ─────────────────────────► open ◄─┐
//!         ▲                               │ └───┘
//!         └───────────────────────────────┘
//!          by who is about to decide for a turn, and by every other change of `last`
//! ```
//!
//! The first permit after a line is taken under a turn, those after it are passes.
//!
//! Why no permit is given out twice: whoever decides for a turn sees to it first that the word is shut, and it stays shut until
//! that turn is over, since only a turn opens it. In full: a driver has loaded the head, `FREE`, and after it a `last` that is
//! shut. What every earlier turn has spent is in its past, through the head. So the word can be opened after that load only
//! under a turn which begins after the head that it has loaded. Then either its own claim of the head fails, or that
//! turn begins after its own has ended, with what it spent. And a pass is a swap from an open word.
//!
//! Why a word is never opened behind somebody's back by a stale look: opening comes only with a new stamp and a flipped `TURN`,
//! in one swap.
//!
//! Why nobody is overtaken: a pass looks at the head and then the tail after it has loaded `last`, and finds nobody in line. That
//! is when it takes effect: the permit was free by then, and `last` is the same at the swap. A hold, a close or a change of rate
//! that comes after that look shuts the word before it returns.
//!
//! Why one reading of the clock does for decision and use, where a turn needs one for each: nothing happens between the two that
//! others can see, as they are one step. The moment for which the permit counts, the reading, lies within the call.

use core::ops::Deref;

use crate::clock::{Clock, Tick, WordOf, private::Bits};
use crate::head::Turn;
use crate::queue::QueueOver;
use crate::release::Ready;
use crate::slot::Slot;
use crate::stamp::{stamp, unstamp};
use crate::weight::Weighing;

/// A permit taken without a place in line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permit<W> {
    /// The head when it was taken. Under way, where the permit can't be given back.
    pub(crate) turn: Turn,
    /// What the schedule's `last` was made.
    pub(crate) word: W,
    /// A reading from within the call, at which it was free.
    pub(crate) at: W,
}

/// What came of asking for a permit.
pub(crate) enum Taken<W> {
    Permit(Permit<W>),
    /// Nobody is in line, and no permit is free before this reading.
    NotYet(W),
    /// Somebody is in line.
    Queued,
    Closed,
}

/// What came of trying to pass.
enum Pass<W> {
    Passed(Permit<W>),
    /// Nobody is in line, and no permit is free before this reading.
    NotYet(W),
    /// By this reading a permit may be free: look again.
    Later(W),
    /// Another was faster.
    Again,
    /// The word is shut, or somebody is in line.
    Shut,
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// Takes a permit, if nobody is in line and one is free.
    #[inline]
    pub(crate) fn take_now(&self) -> Taken<WordOf<C>> {
        let mut now = self.clock.now().to_word();
        loop {
            match self.pass(now) {
                Pass::Passed(permit) => return Taken::Permit(permit),
                Pass::NotYet(at) => return Taken::NotYet(at),
                Pass::Again => {}
                Pass::Later(reading) => now = reading,
                Pass::Shut => {
                    if let Some(taken) = self.take_a_turn() {
                        return taken;
                    }
                }
            }
        }
    }

    /// One attempt to take a permit by one step. `now` is a reading from within the call.
    #[inline]
    fn pass(&self, now: WordOf<C>) -> Pass<WordOf<C>> {
        let view = self.pace.view();
        if !view.is_open() || view.schedule.hold().is_some() {
            return Pass::Shut;
        }
        // Free, so that who takes a permit under a turn, and writes the word for it, knows that nobody has passed since.
        let turn = self.head.load();
        let end = self.tail.load();
        if !turn.is_free() || turn.ticket() != end.ticket() || end.is_shut() {
            return Pass::Shut;
        }
        let wait = |now| view.schedule.wait(stamp(now), WordOf::<C>::ZERO);
        if wait(now) != WordOf::<C>::ZERO {
            // Others may have passed at later readings. Nobody is refused but by one from after the look at `last`.
            let later = self.clock.now().to_word();
            let left = wait(later);
            return if left == WordOf::<C>::ZERO {
                Pass::Later(later)
            } else {
                Pass::NotYet(later.plus(unstamp(left)))
            };
        }
        match self.pace.pass(&view, view.schedule.spent(stamp(now))) {
            Some(word) => Pass::Passed(Permit {
                turn,
                word,
                at: now,
            }),
            None => Pass::Again,
        }
    }

    /// One attempt to take a permit under a turn, which opens the lane. None when something moved meanwhile.
    // Apart, so that a pass keeps its registers.
    #[cold]
    fn take_a_turn(&self) -> Option<Taken<WordOf<C>>> {
        let turn = self.free_turn();
        let end = self.tail.load();
        if end.is_shut() {
            return Some(Taken::Closed);
        }
        if turn.ticket() != end.ticket() {
            return if self.pass_over(turn) {
                None
            } else {
                Some(Taken::Queued)
            };
        }
        if !self.pace.is_at_rest() {
            return None;
        }
        // If `take` succeeds, the turn was free all the time between, so at the look at the tail the queue was empty and the
        // permit free: that is when this call took effect.
        match self.ready(0, false) {
            Ready::Now(_) => self.take(turn).map(Taken::Permit),
            Ready::At(at) => Some(Taken::NotYet(at)),
            Ready::Again => None,
        }
    }
}
