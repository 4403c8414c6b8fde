//! Whose turn it is: the queue's head and the one release that may be under way, in one atomic word.
//!
//! A release changes three things: the schedule's `last`, a slot, and the head. No thread may wait for another between
//! them, so the first step, one compare-and-swap on this word, decides what will happen, and whoever comes by can do the
//! rest:
//!
//! ```text
//!   word = ticket | version | SPENT_ELSE | TURN | phase
//!
//!   FREE ──► RELEASING ──► slot: WAITING → next lap ──► last: spent ──► FREE, ticket + 1, TURN flipped
//!     │           └──────► slot: CANCELLED ───────────────────────────► FREE, ticket + 1
//!     │           └──────► slot: CLOSED ──────────────────────────────► FREE
//!     ├──► TAKING  (try_acquire) ───────────────────────► last: spent ──► FREE, TURN flipped, version + 1
//!     ├──► GIVING  (a released waiter left unseen) ───► last: unspent ─► FREE, TURN flipped
//!     ├──► FREE, ticket + 1      the head's waiter has left
//!     └──► FREE, version + 1     the rate, the hold or the door has changed
//! ```
//!
//! Why this is lock-free: from every state, every thread can do every next step alone, with what the words say. A thread
//! that stops anywhere leaves a word from which the others go on.
//!
//! Why nothing happens twice:
//! * The ticket can't move while the phase is not `FREE`, so all who see `RELEASING` mean the same slot, and its lap
//!   moves on once. A cancelled slot is freed only *after* the head has passed it; so a slot that is a lap ahead of the
//!   head was released, under this turn.
//! * `last` is changed by compare-and-swap from a word whose `TURN` bit is this turn's, after looking that the turn's word
//!   is still the same. The change flips the bit.
//! * The last step is a compare-and-swap from the very word. A late one fails.
//!
//! Why nothing happens early: the decision "due" is made between loading this word and the compare-and-swap to
//! `RELEASING`, and every release, rate change, hold, resume and close in between changes the word. The slot that a release
//! uses up is computed from a reading taken *after* the release: a driver that was suspended between looking at the
//! clock and releasing makes the schedule later, never earlier.
//!
//! The version counts modulo 2¹⁶ (2⁴ on 32-bit targets) and the ticket modulo 2⁴⁴ (2²⁴): a thread would have to stop
//! between a load and its compare-and-swap while exactly so many permits are taken or changes of rate or hold made and
//! nothing is released, or exactly so many waiters pass, for its swap to succeed wrongly.

use core::task::Waker;

use crate::atomic::Ordering;
use crate::clock::{Clock, Tick, WordOf, private::Bits};
use crate::pace::turn_of;
use crate::ring::{ONE, QueueOver, TICKET};
use crate::schedule::{Schedule, stamp, unstamp};
use crate::slot::{Release, SLOT_BITS, Slot};
use crate::weight::{Weighing, extra_of};
use core::ops::Deref;

const PHASE: usize = 0b11;
const FREE: usize = 0b00;
const RELEASING: usize = 0b01;
const TAKING: usize = 0b10;
const GIVING: usize = 0b11;
const TURN: usize = 1 << 2;
/// The latest change of `last` was no release of a waiter, or the rate has changed since: nothing to give back.
const SPENT_ELSE: usize = 1 << 3;
const VERSION_SHIFT: u32 = 4;
const VERSION: usize = !TICKET & !(SPENT_ELSE | TURN | PHASE);

/// Whether a release may be made under a turn.
pub(crate) enum Ready<W> {
    /// It may.
    Now,
    /// Not before this reading.
    At(W),
    /// Something moved meanwhile.
    Again,
}

/// What completing somebody's turn came to, for the one who did.
pub(crate) enum Completed {
    /// This call released the waiter, and took its waker, if it had left one.
    Released(Option<Waker>),
    /// Someone else did, or there was nobody to release.
    Nothing,
}

/// The turn in which a release that costs `extra` is begun.
#[inline]
fn with_extra<K: Weighing>(turn: usize, extra: usize) -> usize {
    if K::WEIGHTED {
        (turn & !VERSION) | (extra << VERSION_SHIFT)
    } else {
        turn
    }
}

/// What the release, or giving back, that is under way costs beyond one permit.
#[inline]
fn extra_in<K: Weighing>(turn: usize) -> usize {
    if K::WEIGHTED {
        (turn & VERSION) >> VERSION_SHIFT
    } else {
        0
    }
}

/// The turn without a ticket passed or a bit lost, and yet another word.
fn next_version(turn: usize) -> usize {
    (turn & !VERSION) | (turn.wrapping_add(1 << VERSION_SHIFT) & VERSION)
}

impl<C: Clock, S: Deref<Target = [Slot]>, K: Weighing> QueueOver<C, S, K> {
    /// The turn's word, once no release is under way any more.
    pub(crate) fn free_turn(&self) -> usize {
        self.free_turn_counted(&mut 0)
    }

    /// [`free_turn`](Self::free_turn), counting the waiters that this call released on the way for others.
    pub(crate) fn free_turn_counted(&self, released: &mut usize) -> usize {
        loop {
            // Ordering: Acquire: `last`, the slots and the tail are read as of this turn or later.
            let turn = self.head.load(Ordering::Acquire);
            if turn & PHASE == FREE {
                return turn;
            }
            *released += self.help(turn);
        }
    }

    /// Looks whether a release that costs `extra` beyond one permit is due, and keeps the schedule tidy.
    #[inline]
    pub(crate) fn ready(&self, extra: usize) -> Ready<WordOf<C>> {
        let view = self.pace.view();
        let now = self.clock.now().to_word();
        let gathered = view.gathering(extra);
        if view.is_on_grid(stamp(now), gathered) {
            return Ready::Now;
        }
        if self.pace.tidy(&view, now) {
            return Ready::Again;
        }
        let wait = view.wait(stamp(now), gathered);
        if wait != WordOf::<C>::ZERO {
            Ready::At(now.plus(unstamp(wait)))
        } else if self.pace.catch_up(&view, now) {
            Ready::Now
        } else {
            Ready::Again
        }
    }

    /// `FREE → RELEASING`, then all that follows.
    #[inline]
    pub(crate) fn release_head(&self, turn: usize, extra: usize) -> Completed {
        self.begin(with_extra::<K>(turn, extra), turn, RELEASING)
            .map_or(Completed::Nothing, |turn| self.complete(turn))
    }

    /// [`release_head`](Self::release_head), and says whether the release came about, here or with whoever helped.
    pub(crate) fn release_for_good(&self, turn: usize, extra: usize) -> bool {
        let Some(begun) = self.begin(with_extra::<K>(turn, extra), turn, RELEASING) else {
            return false;
        };
        if let Completed::Released(waker) = self.complete(begun) {
            if let Some(waker) = waker {
                waker.wake();
            }
            return true;
        }
        // Ordering: Acquire, as for every look at the turn. A release flips the bit once, and giving its permit back flips it
        // again; a waiter that had left flips nothing.
        (self.head.load(Ordering::Acquire) ^ begun) & TURN != 0
    }

    /// `FREE → TAKING`, then all that follows. Says whether this call took the permit.
    pub(crate) fn take(&self, turn: usize) -> bool {
        self.begin(turn, turn, TAKING)
            .map(|turn| self.complete(turn))
            .is_some()
    }

    /// Gives back the permit of the released `ticket`, if nothing was released or changed since. Says whether.
    pub(crate) fn unspend(&self, ticket: usize) -> bool {
        loop {
            let turn = self.free_turn();
            let next = (ticket & TICKET).wrapping_add(ONE);
            if turn & TICKET != next || turn & SPENT_ELSE != 0 {
                return false;
            }
            let weighing = with_extra::<K>(turn, extra_of::<K>(ticket));
            if let Some(turn) = self.begin(weighing, turn, GIVING) {
                self.complete(turn);
                return true;
            }
        }
    }

    /// `FREE → FREE, ticket + 1`: passes over a waiter that has left.
    pub(crate) fn skip(&self, turn: usize) {
        if self.swap(turn, turn.wrapping_add(ONE)) {
            self.free_slot(turn & TICKET);
        }
    }

    /// `FREE → FREE, version + 1`: no decision made before this call takes effect after it, and none is under way.
    pub(crate) fn bump(&self) {
        loop {
            let turn = self.free_turn();
            if self.swap(turn, next_version(turn) | SPENT_ELSE) {
                return;
            }
        }
    }

    fn begin(&self, weighing: usize, turn: usize, phase: usize) -> Option<usize> {
        let begun = weighing | phase;
        self.swap(turn, begun).then_some(begun)
    }

    /// Completes what another thread, or the one interrupted by this, has begun.
    fn help(&self, turn: usize) -> usize {
        match self.complete(turn) {
            Completed::Released(waker) => {
                if let Some(waker) = waker {
                    waker.wake();
                }
                1
            }
            Completed::Nothing => 0,
        }
    }

    fn complete(&self, turn: usize) -> Completed {
        let ticket = turn & TICKET;
        let done = (turn ^ TURN) & !PHASE;
        match turn & PHASE {
            RELEASING => {
                let lap = self.lap(ticket) | (extra_in::<K>(turn) << SLOT_BITS);
                let completed = match self.slot(ticket).release(lap, self.next_lap(ticket)) {
                    Release::Done(waker) => Completed::Released(waker),
                    Release::Already => Completed::Nothing,
                    Release::Cancelled => {
                        if self.swap(turn, (turn & !PHASE).wrapping_add(ONE)) {
                            self.free_slot(ticket);
                        }
                        return Completed::Nothing;
                    }
                    Release::Closed => {
                        self.swap(turn, turn & !PHASE);
                        return Completed::Nothing;
                    }
                };
                self.spend(turn, extra_in::<K>(turn));
                self.swap(turn, (done & !SPENT_ELSE).wrapping_add(ONE));
                completed
            }
            TAKING => {
                self.spend(turn, 0);
                self.swap(turn, next_version(done) | SPENT_ELSE);
                Completed::Nothing
            }
            _ => {
                let extra = extra_in::<K>(turn);
                self.change(turn, |view| self.pace.unspend(view, extra));
                self.swap(turn, done | SPENT_ELSE);
                Completed::Nothing
            }
        }
    }

    fn spend(&self, turn: usize, extra: usize) {
        self.change(turn, |view| {
            // Read here, after the release: see the head of this page.
            let now = self.clock.now().to_word();
            self.pace.spend(view, now, extra)
        });
    }

    /// Changes `last` once for `turn`.
    fn change(&self, turn: usize, replace: impl Fn(&Schedule<WordOf<C>>) -> bool) {
        loop {
            let view = self.pace.view();
            // Ordering: Acquire suffices: if `last` as just loaded had been written under a later turn, its writer had
            // seen that turn, the Acquire load of `last` put that in our past, and this load can't return the earlier
            // one. So an equal word means that `last` belongs to this turn, before or after its change.
            if self.head.load(Ordering::Acquire) != turn {
                return;
            }
            if turn_of(&view) != (turn & TURN != 0) || replace(&view) {
                return;
            }
        }
    }

    fn swap(&self, from: usize, to: usize) -> bool {
        // Ordering: Release publishes the steps before, this thread's and those it has seen of others; Acquire makes the
        // turns one chain of happens-before. Failure could be Relaxed, as the caller loads again; Acquire because one pair
        // of orderings all over the crate lets the emulation for targets without compare-and-swap be one function.
        self.head
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    fn free_slot(&self, ticket: usize) {
        self.slot(ticket)
            .free(self.key(ticket), self.next_lap(ticket));
    }
}
