//! The [`Schedule`] in four atomic words.
//!
//! | word | holds | low bits |
//! |---|---|---|
//! | `last` | the stamp of the slot used last | `NEVER`: there is none; `TURN`: see below |
//! | `hold` | the stamp at which a hold ends | `HELD`: there is one |
//! | `interval`, `burst` | the [`Rate`] | which change of rate wrote it |
//!
//! `last` is changed under a turn that the queue has taken (see `turn`): by whoever took it and by all who help it along.
//! `TURN` tells them whether the word was changed for this turn already: it equals the turn's own bit until then.
//! Under either `TURN` the stamps only grow, as a permit is given back less one tick, so a compare-and-swap from a loaded
//! word is safe from ABA: short of a wrap of the clock, or of a rate that is set between giving back and releasing again
//! and whose interval leads to the same stamp while a thread is suspended in that very step.

use crate::atomic::const_unless_loom;
use crate::clock::{Word, private::Atom};
use crate::rate::{Rate, SHIFT, STRICT};
use crate::schedule::{Schedule, held, stamp};

const TURN: u8 = 0b01;
/// Both words of the rate carry the number of the change that wrote them, modulo 8.
const CHANGE: u8 = 0b111;

#[derive(Debug)]
pub(crate) struct Pace<W: Word> {
    last: W::Atom,
    hold: W::Atom,
    interval: W::Atom,
    burst: W::Atom,
}

/// The turn for which the loaded `last` was changed most recently.
#[inline]
pub(crate) fn turn_of<W: Word>(view: &Schedule<W>) -> bool {
    view.last.low() & TURN != 0
}

impl<W: Word> Pace<W> {
    const_unless_loom! {
    pub(crate) const fn new(rate: Rate<W>) -> Self {
        Self {
            last: atom(W::FRESH),
            hold: atom(W::ZERO),
            interval: atom(rate.interval),
            burst: atom(rate.burst),
        }
    }
    }

    /// The present schedule. The words are read one by one; the queue's compare-and-swap on its turn afterwards says
    /// whether they belonged together.
    #[inline]
    pub(crate) fn view(&self) -> Schedule<W> {
        // Ordering: Acquire on `last`: the turn's check after it (`Turns::spend`) must not be read from before it.
        let last = self.last.load();
        // Ordering: Acquire, so that a lifted hold is seen together with the mark that it left in `last`, by whoever
        // then fails to change `last`. Relaxed would do for a reader that has loaded the turn with Acquire.
        let hold = self.hold.load();
        // Ordering: Acquire pairs with the Release in `set_rate`: a burst that is read is not older than what the
        // interval's writer had seen. A new interval with an old burst is what a rate change looks like half way.
        let interval = self.interval.load();
        let burst = self.burst.load();
        Schedule {
            // The change's number below `SHIFT` is nobody's business here.
            rate: Rate { interval, burst },
            last,
            hold,
        }
    }

    /// Uses up a slot for a release at `now`, and `extra` more.
    ///
    /// By the rate as it is now. Where the rate was made slower between the decision and this, the slot may lie in the
    /// future: the next release then comes up to one new interval later than it might, never earlier.
    pub(crate) fn spend(&self, view: &Schedule<W>, now: W, extra: usize) -> bool {
        let spent = view.spent(stamp(now)).plus(view.steps(extra));
        self.replace(view.last, mark(spent, !turn_of(view)))
    }

    /// Gives back what the latest `spend` used.
    pub(crate) fn unspend(&self, view: &Schedule<W>, extra: usize) -> bool {
        let mut schedule = *view;
        schedule.return_last(extra);
        let turn = TURN - (view.last.low() & TURN);
        let last = schedule.last().unwrap_or(W::FRESH);
        self.replace(view.last, last.with_low(turn))
    }

    /// Moves `last` without using or giving back a turn. False when it has changed meanwhile: look again.
    pub(crate) fn adjust(&self, view: &Schedule<W>, last: W) -> bool {
        self.replace(view.last, mark(last, turn_of(view)))
    }

    /// Ends a hold that is over, and forgets a stamp before it wraps. Says whether there was anything to do; then look
    /// again.
    pub(crate) fn tidy(&self, view: &Schedule<W>, now: W) -> bool {
        let now = stamp(now);
        let turn = turn_of(view);
        let mut schedule = *view;
        if schedule.lift(now) {
            if schedule.last == view.last || self.replace(view.last, mark(schedule.last, turn)) {
                // Ordering: Release, so that who sees the hold gone sees `last` moved. A hold set meanwhile differs in
                // its stamp and stays.
                let _ = self.hold.compare_exchange(view.hold, W::ZERO);
            }
            return true;
        }
        schedule.is_stale(now) && self.replace(view.last, mark(W::FRESH, turn))
    }

    /// Records that the clock has been at `now`, so that a later reading that falls back makes up nothing twice.
    /// Changes no answer from `now` on. False when `last` has changed meanwhile: look again.
    pub(crate) fn catch_up(&self, view: &Schedule<W>, now: W) -> bool {
        match view.caught_up(stamp(now)) {
            Some(last) => self.replace(view.last, mark(last, turn_of(view))),
            None => true,
        }
    }

    fn replace(&self, from: W, to: W) -> bool {
        // Ordering: Release, so that who loads the new word has the turn under which it was written in its past (see
        // `Turns::spend`); Acquire so that the chain of writers is one of happens-before.
        self.last.compare_exchange(from, to).is_ok()
    }

    pub(crate) fn rate(&self) -> Rate<W> {
        let Rate { interval, burst } = self.view().rate;
        Rate {
            interval: interval.shr(SHIFT).shl(SHIFT),
            burst: burst.shr(SHIFT).shl(SHIFT).with_low(burst.low() & STRICT),
        }
    }

    /// Sets both words of the rate. Of several calls at once the one that changes `interval` last wins both words, and
    /// none waits for another.
    pub(crate) fn set_rate(&self, rate: Rate<W>) {
        // Ordering: Acquire, the first guess of the CAS.
        let mut old = self.interval.load();
        let change = loop {
            let change = (old.low() + 1) & CHANGE;
            // Ordering: AcqRel: changes of the interval form one chain.
            match self
                .interval
                .compare_exchange(old, rate.interval.with_low(change))
            {
                Ok(_) => break change,
                Err(seen) => old = seen,
            }
        };
        // Ordering: Acquire, the first guess of the CAS.
        let mut old = self.burst.load();
        loop {
            let ahead = change.wrapping_sub(old.low()) & CHANGE;
            if ahead == 0 || ahead > CHANGE / 2 {
                return; // a later change has been here
            }
            // Ordering: AcqRel, as above.
            match self
                .burst
                .compare_exchange(old, rate.burst.with_low(change))
            {
                Ok(_) => return,
                Err(seen) => old = seen,
            }
        }
    }

    /// Extends the hold to `until`. Says whether that changed anything.
    pub(crate) fn hold_until(&self, until: W) -> bool {
        let until = stamp(until);
        self.change_hold(|view| view.extends_hold(until), until)
    }

    /// Cuts the hold off at `now`. Says whether that changed anything.
    pub(crate) fn resume(&self, now: W) -> bool {
        let now = stamp(now);
        self.change_hold(|view| view.cuts_hold(now), now)
    }

    fn change_hold(&self, wanted: impl Fn(&Schedule<W>) -> bool, to: W) -> bool {
        loop {
            let view = self.view();
            if !wanted(&view) {
                return false;
            }
            // Ordering: AcqRel: changes of the hold form one chain; the turn's bump afterwards publishes it.
            if self.hold.compare_exchange(view.hold, held(to)).is_ok() {
                return true;
            }
        }
    }
}

fn mark<W: Word>(last: W, turn: bool) -> W {
    last.with_low(if turn { TURN } else { 0 })
}

/// The atomic that holds `value`.
#[cfg(not(loom))]
const fn atom<W: Word>(value: W) -> W::Atom {
    // SAFETY: `Bits` is sealed, and its atomics are portable-atomic's of the same width, documented to have the same
    // size and bit validity as the integer (their alignment may be larger, which a copy does not care about). This is
    // how a generic atomic is made in a constant, where trait methods can't be called.
    unsafe { core::mem::transmute_copy::<W, W::Atom>(&value) }
}

#[cfg(loom)]
fn atom<W: Word>(value: W) -> W::Atom {
    value.atom()
}
