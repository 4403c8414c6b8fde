//! How the parts of a queue make a release together: claim the head, then the slot, the schedule and the head again, by
//! whoever comes by. The machine itself is on the page of `head`.

use core::ops::Deref;
use core::task::Waker;

use crate::clock::{Clock, Tick, WordOf, private::Bits};
use crate::head::Turn;
use crate::lane::Permit;
use crate::layout::head::{RELEASING, TAKING};
use crate::layout::last::WAITED;
use crate::queue::QueueOver;
use crate::slot::{Release, Slot};
use crate::stamp::{stamp, unstamp};
use crate::weight::{Weighing, extra_of};

/// Whether a release may be made under a turn.
pub(crate) enum Ready<W> {
    /// It may, by this reading.
    Now(W),
    /// Not before this reading.
    At(W),
    /// Something moved meanwhile.
    Again,
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// The turn, once no release is under way any more.
    pub(crate) fn free_turn(&self) -> Turn {
        self.free_turn_counted().0
    }

    /// [`free_turn`](Self::free_turn), and how many waiters this call released on the way.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn free_turn_counted(&self) -> (Turn, usize) {
        let mut released = 0;
        loop {
            let turn = self.head.load();
            if turn.is_free() {
                return (turn, released);
            }
            released += usize::from(self.complete(turn));
        }
    }

    /// Looks whether a release that costs `extra` beyond one permit is due, of a waiter or not, and keeps the schedule tidy.
    #[inline]
    pub(crate) fn ready(&self, extra: usize, is_waiter: bool) -> Ready<WordOf<C>> {
        let mut view = self.pace.view();
        if cfg!(feature = "catch-up") && !is_waiter {
            view.schedule.catch_up = self.pace.catch_up;
        }
        if view.is_open() {
            // No decision while others may pass.
            self.pace.adjust(&view, view.schedule.last);
            return Ready::Again;
        }
        let now = self.clock.now().to_word();
        let schedule = &view.schedule;
        let gathered = schedule.gathering(extra);
        // Where flash is scarce, the ways below do: they come to the same.
        let quick = if cfg!(target_os = "none") {
            None
        } else {
            schedule.quick_wait(stamp(now), gathered)
        };
        let wait = match quick {
            Some(wait) => wait,
            None if self.pace.tidy(&view, now) => return Ready::Again,
            None => schedule.wait(stamp(now), gathered),
        };
        if wait != WordOf::<C>::ZERO {
            return Ready::At(now.plus(unstamp(wait)));
        }
        if quick.is_some() {
            return Ready::Now(now);
        }
        // Recorded before the release, so that a later reading that falls back finds no lateness to make up twice.
        match schedule.caught_up(stamp(now)) {
            Some(last) if !self.pace.adjust(&view, last) => Ready::Again,
            _ => Ready::Now(now),
        }
    }

    /// What the waiter of this ticket costs beyond one permit. Once its weight is in its slot.
    #[inline]
    pub(crate) fn extra(&self, ticket: usize) -> usize {
        extra_of::<K>(self.ring.weight(ticket))
    }

    /// `FREE → RELEASING`. What follows is done by who looks for the next free turn.
    #[inline]
    pub(crate) fn begin_release(&self, turn: Turn, extra: usize) -> Option<Turn> {
        self.begin(turn, turn.begun::<K>(RELEASING, extra))
    }

    /// `FREE → RELEASING`, then all that follows. Says whether the release came about, here or with whoever helped.
    pub(crate) fn release_for_good(
        &self,
        turn: Turn,
        extra: usize,
        waker: &mut Option<Waker>,
    ) -> bool {
        let Some(begun) = self.begin_release(turn, extra) else {
            return false;
        };
        // A release flips the turn's bit; a waiter that had left flips nothing.
        self.complete_silently(begun, waker) || self.head.load().is_past(begun)
    }

    /// `FREE → TAKING`, then all that follows. The permit, if this call took it.
    pub(crate) fn take(&self, turn: Turn) -> Option<Permit<WordOf<C>>> {
        let begun = self.begin(turn, turn.begun::<K>(TAKING, 0))?;
        let word = self.spend(begun);
        self.head.swap(begun, begun.changed());
        Some(Permit {
            // Where somebody else has spent it, it can't be told by which word.
            turn: if word.is_some() {
                begun.changed()
            } else {
                begun
            },
            word: word.unwrap_or(WordOf::<C>::ZERO),
            at: self.clock.now().to_word(),
        })
    }

    /// Moves the head over a waiter that has left. False when the head's waiter has not.
    pub(crate) fn pass_over(&self, turn: Turn) -> bool {
        let has_left = self.ring.has_left(turn.ticket());
        if has_left && self.head.swap(turn, turn.passed_over()) {
            self.ring.free(turn.ticket());
        }
        has_left
    }

    /// No decision made before this call takes effect after it, and none is under way.
    pub(crate) fn bump(&self) {
        loop {
            let turn = self.free_turn();
            if self.head.swap(turn, turn.bumped()) {
                break;
            }
        }
        // The same for those who decide without a turn. After the swap: whoever opens it again has seen what changed.
        self.pace.shut();
    }

    fn begin(&self, turn: Turn, begun: Turn) -> Option<Turn> {
        self.head.swap(turn, begun).then_some(begun)
    }

    /// Completes what this thread, another, or the one interrupted by this, has begun. Says whether this call released a
    /// waiter; its waker is called after every step.
    // Apart, so that who finds nothing under way keeps its registers.
    #[cfg_attr(not(target_os = "none"), inline(never))]
    fn complete(&self, turn: Turn) -> bool {
        let mut waker = None;
        let released = self.complete_silently(turn, &mut waker);
        if let Some(waker) = waker {
            waker.wake();
        }
        released
    }

    /// [`complete`](Self::complete), and leaves it to the caller to call the waker.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn complete_silently(&self, turn: Turn, waker: &mut Option<Waker>) -> bool {
        let mut released = false;
        let to = if turn.phase() == RELEASING {
            let extra = turn.extra::<K>();
            match self.ring.release(turn.ticket(), extra, waker) {
                Release::Done => released = true,
                Release::Already => {}
                Release::Over => {
                    // Passed over at once, so that no word of the head comes back. Its place is made free by whoever needs it.
                    self.head.swap(turn, turn.given_up::<K>());
                    return false;
                }
            }
            turn.released()
        } else {
            turn.changed()
        };
        self.spend(turn);
        self.head.swap(turn, to);
        released
    }

    /// Whether somebody is in line behind the one who is being released.
    fn is_followed(&self, turn: Turn) -> bool {
        self.tail.load().ticket() != turn.released().ticket()
    }

    /// Changes `last` once for `turn`: uses up what it costs, by the rate as it is now. The word that this call wrote, if it
    /// was this one.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn spend(&self, turn: Turn) -> Option<WordOf<C>> {
        let extra = turn.extra::<K>();
        loop {
            let mut view = self.pace.view();
            // The head's load is Acquire, which suffices: if `last` as just loaded had been written under a later turn, its
            // writer had seen that turn, the Acquire load of `last` put that in our past, and this load can't return the
            // earlier one. So an equal word means that `last` belongs to this turn, before or after its change.
            if self.head.load() != turn || view.turn() != turn.parity() {
                return None;
            }
            if cfg!(feature = "catch-up") && turn.phase() == TAKING {
                // By one who has not waited.
                view.schedule.catch_up = self.pace.catch_up;
            }
            // Read here, after the release: see the page of `head`.
            let now = stamp(self.clock.now().to_word());
            let last = view.schedule.spent(now).plus(view.schedule.steps(extra));
            let state =
                if self.pace.catches_up() && turn.phase() == RELEASING && self.is_followed(turn) {
                    WAITED
                } else {
                    // `OPEN` after `TAKING`, and `SHUT` after `RELEASING`.
                    ((turn.phase() & TAKING) << 1) as u8
                };
            if let Some(word) = self.pace.turn_over(&view, last, state) {
                return Some(word);
            }
        }
    }
}
