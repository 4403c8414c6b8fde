//! The pacing: may one more go now, and if not, when? Plain values, no atomics, no waiters.
//!
//! The schedule is a grid. It remembers one stamp, `last`: the grid slot that the latest release used up. The next
//! slot is `last + interval`, and a release at `now` uses up
//!
//! ```text
//!   late = now − (last + interval)          span = (burst − 1) × interval
//!
//!   late ≤ span + slack         →  last + interval        on the grid: the lateness is made up
//!   late < span + interval      →  now − span − slack     only the slack is made up, the rest is gone
//!   otherwise                   →  now − span             a slot was missed, or nobody was there: a new grid
//! ```
//!
//! So the stamp never lies further than `span + slack` before the release that it stands for, and successive stamps
//! are at least an interval apart. For releases r₀ … rₖ that gives rₖ ≥ r₀ + k·interval − span − slack: in a window
//! of length w there are at most `burst + ⌊(w + slack) / interval⌋` of them.
//!
//! # Permits in hand, and changes of rate
//!
//! At a reading `now` the permits in hand are `(now − last) / interval`, with the lateness that is lost taken off first: no
//! more than the burst, and the slack. Below zero they are a debt, as a charge makes one. One may go when there is one whole
//! permit. A change of rate keeps that number, the fraction and the debt with it, and cuts it to the new burst:
//!
//! ```text
//!   last' = now − min((now − last) × interval' / interval, span' + interval' + slack')
//! ```
//!
//! rounded so that there is never more in hand after it than before. So the bound is one for all rates: in any window, what is
//! used, less what is put back, is at most what was in hand at its start, at most the burst then, and what the intervals in
//! force have added since, of which each change keeps no more than its burst.
//!
//! Stamps are readings shifted left, which wrap as the readings do and leave room for marks in the atomic words of
//! `pace`. A 32-bit reading thus counts modulo 2²⁹ here, and differences below 2²⁸ are forward.

use core::fmt;

use crate::clock::Word;
use crate::error::ChargeError;
use crate::layout::{HELD, MARKS};
use crate::rate::Rate;
use crate::scale::scaled;

/// When the next release may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due<T> {
    /// Now.
    Now,
    /// Not before this reading.
    At(T),
}

/// A release schedule on its own: what a [`Queue`](crate::Queue) paces its waiters by, for one owner, without waiters.
///
/// ```
/// use apiqueue_core::{Due, Rate, Schedule};
///
/// let mut pace = Schedule::new(Rate::<u32>::every(100)?);
/// assert_eq!(pace.next(5), Due::Now);
/// pace.take(5);
/// assert_eq!(pace.next(55), Due::At(105));
/// pace.set_rate(55, Rate::<u32>::every(20)?); // half a permit is there, and half of one is missing
/// assert_eq!(pace.next(55), Due::At(65));
/// # Ok::<(), apiqueue_core::RateError<u32>>(())
/// ```
///
/// # Long pauses
/// Readings wrap. Whoever uses a schedule over 32-bit ticks calls [`tidy`](Self::tidy) at least once every
/// [`Word::MAX_SPAN`] ticks in which nothing is taken; without it a pause of more than twice that can look like one that
/// has not begun, and an answer can come up to twice that too late. Never too early.
#[derive(Clone, Copy)]
pub struct Schedule<W> {
    pub(crate) rate: Rate<W>,
    /// The stamp of the slot used last; `FRESH` if nothing was ever used.
    pub(crate) last: W,
    /// The stamp at which a hold ends, and `HELD`, if there is one.
    pub(crate) hold: W,
}

impl<W: Word> Schedule<W> {
    /// A schedule on which the whole burst is free.
    pub const fn new(rate: Rate<W>) -> Self {
        Self {
            rate,
            last: W::FRESH,
            hold: W::ZERO,
        }
    }

    /// Whether one may go at `now`, and if not, when.
    #[must_use]
    pub fn next(&self, now: W) -> Due<W> {
        self.next_weighted(now, 1)
    }

    /// Uses up a slot for a release at `now`. Call it when [`next`](Self::next) said [`Due::Now`]; earlier, it uses up
    /// a slot in the future.
    pub fn take(&mut self, now: W) {
        let now = stamp(now);
        self.lift(now);
        self.last = self.spent(now);
    }

    /// Gives back what the latest [`take`](Self::take) used, less one tick: the release did not happen after all.
    ///
    /// The tick is for the queue's sake, whose schedule this is too: without it, giving back and taking again would lead to
    /// the very word that a thread suspended in the middle of either still expects.
    pub fn give_back(&mut self) {
        self.give_back_weighted(1);
    }

    /// [`give_back`](Self::give_back) of what the latest [`take_weighted`](Self::take_weighted) used.
    pub fn give_back_weighted(&mut self, weight: usize) {
        if let Some(extra) = weight.checked_sub(1) {
            self.last = self.returned(extra);
        }
    }

    /// Uses up `permits` more, for what turned out to cost more: [`Queue::charge`](crate::QueueOver::charge).
    ///
    /// # Errors
    /// As there.
    pub fn charge(&mut self, now: W, permits: usize) -> Result<(), ChargeError> {
        let now = stamp(now);
        self.lift(now);
        if permits > 0 {
            self.last = self.charged(now, permits)?;
        }
        Ok(())
    }

    /// Puts `permits` back, up to the burst: [`Queue::refund`](crate::QueueOver::refund).
    pub fn refund(&mut self, now: W, permits: usize) {
        let now = stamp(now);
        self.lift(now);
        if let Some(refunded) = self.refunded(now, permits) {
            self.last = refunded;
        }
    }

    /// [`next`](Self::next) for what costs `weight` permits at once: when so many have gathered, or the burst, if that is
    /// less.
    #[must_use]
    pub fn next_weighted(&self, now: W, weight: usize) -> Due<W> {
        let mut schedule = *self;
        schedule.lift(stamp(now));
        let gathering = schedule.gathering(weight.saturating_sub(1));
        let wait = schedule.wait(stamp(now), gathering);
        if wait == W::ZERO {
            Due::Now
        } else {
            Due::At(now.plus(unstamp(wait)))
        }
    }

    /// [`take`](Self::take) for `weight` permits.
    pub fn take_weighted(&mut self, now: W, weight: usize) {
        if weight > 0 {
            self.take(now);
            self.last = self.last.plus(self.steps(weight.saturating_sub(1)));
        }
    }

    /// Sets the rate as of `now`. The permits in hand stay, up to the new burst, and so does the fraction gained towards
    /// the next one, and what is owed: the pending slot moves, in both directions.
    ///
    /// Rounded to whole ticks, never in favour of who waits. A debt that would last longer than [`Word::MAX_SPAN`] ticks at
    /// the new rate is cut to that.
    pub fn set_rate(&mut self, now: W, rate: Rate<W>) {
        let now = stamp(now);
        self.lift(now);
        self.last = self.converted(now, rate);
        self.rate = rate;
    }

    /// Lets nothing go from `now` until `until`. Only extends: a reading that is not after `now`, or earlier than the present
    /// hold's, changes nothing.
    ///
    /// A hold spends the burst: from its end on, releases are evenly spaced until permits have gathered again.
    pub fn hold_until(&mut self, now: W, until: W) {
        let (now, until) = (stamp(now), stamp(until));
        self.lift(now);
        if is_after(until, now) && self.extends_hold(until) {
            self.hold = held(until);
        }
    }

    /// Ends a hold at `now`.
    pub fn resume(&mut self, now: W) {
        let now = stamp(now);
        if self.cuts_hold(now) {
            self.hold = held(now);
        }
    }

    /// Keeps a pause from outlasting the readings: see [long pauses](Self#long-pauses). Changes no answer.
    pub fn tidy(&mut self, now: W) {
        let now = stamp(now);
        self.lift(now);
        if self.is_stale(now)
            && let Some(last) = self.caught_up(now)
        {
            self.last = last;
        }
    }

    // From here on in stamps.

    pub(crate) fn last(&self) -> Option<W> {
        (self.last != W::FRESH).then_some(self.last)
    }

    pub(crate) fn hold(&self) -> Option<W> {
        (self.hold.low() & HELD != 0).then(|| unmarked(self.hold))
    }

    /// Whether a hold until `until` is longer than the present one.
    pub(crate) fn extends_hold(&self, until: W) -> bool {
        self.hold().is_none_or(|hold| is_after(until, hold))
    }

    /// Whether there is a hold that `now` would cut short.
    pub(crate) fn cuts_hold(&self, now: W) -> bool {
        self.hold().is_some_and(|hold| is_after(hold, now))
    }

    /// `last` after what a release that cost `extra` beyond one permit used was given back, less a tick.
    pub(crate) fn returned(&self, extra: usize) -> W {
        match self.last() {
            Some(last) => last
                .minus(self.step().plus(self.steps(extra)))
                .plus(W::TICK),
            None => W::FRESH,
        }
    }

    /// The stamp that means, at `now` and at `rate`, what `last` means at the present one. No hold is over at `now`.
    pub(crate) fn converted(&self, now: W, rate: Rate<W>) -> W {
        let last = self.spent(now).minus(self.step());
        let (to, from) = (rate.interval(), self.rate.interval());
        if is_after(last, now) {
            let debt = unstamp(last.minus(now));
            let (ticks, is_exact) = scaled(debt, to, from, W::MAX_SPAN);
            // Rounded up: a debt.
            let part = if is_exact { W::ZERO } else { W::ONE };
            return now.plus(stamp(ticks.plus(part).min(W::MAX_SPAN)));
        }
        let most = rate.span().plus(rate.slack()).plus(to);
        let (ticks, _) = scaled(unstamp(now.minus(last)), to, from, most);
        now.minus(stamp(ticks))
    }

    /// How long until the next release, for which `gathering` more than one permit's worth must be there; zero when it is
    /// due.
    pub(crate) fn wait(&self, now: W, gathering: W) -> W {
        let until = |at: Option<W>| match at {
            Some(at) if is_after(at, now) => at.minus(now),
            _ => W::ZERO,
        };
        let slot = self
            .last()
            .map(|last| last.plus(self.step()).plus(gathering));
        until(slot).max(until(self.hold()))
    }

    /// Whether it answers at `now`, and from then on, what a new schedule would: the whole burst is free and nothing is
    /// held.
    pub(crate) fn is_rested(&self, now: W) -> bool {
        let rested = self.last().is_none_or(|last| {
            let full = last.plus(self.step()).plus(self.rate.span().shl(MARKS));
            !is_after(full, now)
        });
        rested && self.hold().is_none_or(|hold| !is_after(hold, now))
    }

    /// The slot that a release at `now` uses up.
    pub(crate) fn spent(&self, now: W) -> W {
        let span = self.rate.span().shl(MARKS);
        let Some(last) = self.last() else {
            return now.minus(span);
        };
        let slot = last.plus(self.step());
        let slack = self.rate.slack().shl(MARKS);
        let late = now.minus(slot);
        // A reading from before the slot, as a clock going backward gives, counts as on time.
        if late >= W::HALF || late <= span.plus(slack) {
            slot
        } else if late < span.plus(self.step()) {
            now.minus(span).minus(slack)
        } else {
            now.minus(span)
        }
    }

    /// `last` after `permits` more have been used.
    pub(crate) fn charged(&self, now: W, permits: usize) -> Result<W, ChargeError> {
        let base = self.spent(now).minus(self.step());
        let debt = if is_after(base, now) {
            unstamp(base.minus(now))
        } else {
            W::ZERO
        };
        let room = if debt < W::MAX_SPAN {
            W::MAX_SPAN.minus(debt)
        } else {
            W::ZERO
        };
        let max = room.over(self.rate.interval());
        if permits > max {
            return Err(ChargeError { permits, max });
        }
        Ok(base.plus(self.steps(permits)))
    }

    /// `last` after `permits` have been put back, no further than a full burst, and a tick later: see
    /// [`give_back`](Self::give_back). None when the burst is full already.
    pub(crate) fn refunded(&self, now: W, permits: usize) -> Option<W> {
        let last = self.last()?;
        let full = now.minus(self.rate.span().shl(MARKS)).minus(self.step());
        if permits == 0 || !is_after(last, full) {
            return None;
        }
        let back = self.steps(permits);
        let room = last.minus(full);
        let refunded = last.minus(back.min(room)).plus(W::TICK);
        is_after(last, refunded).then_some(refunded)
    }

    /// The same schedule with a stamp from which a release at `now` is on the grid; none if it is already.
    ///
    /// It changes no answer from `now` on. It records that the clock has been here, so that a reading that falls back
    /// afterwards finds no lateness to make up twice.
    pub(crate) fn caught_up(&self, now: W) -> Option<W> {
        let caught = self.spent(now).minus(self.step());
        (self.last() != Some(caught)).then_some(caught)
    }

    /// Ends a hold that is over, leaving its mark on the grid. Says whether it did.
    pub(crate) fn lift(&mut self, now: W) -> bool {
        let Some(hold) = self.hold().filter(|&hold| !is_after(hold, now)) else {
            return false;
        };
        let floor = hold.minus(self.step());
        if self.last().is_none_or(|last| is_after(floor, last)) {
            self.last = floor;
        }
        self.hold = W::ZERO;
        true
    }

    /// Whether somebody can be due sooner by this schedule than by `other`. A release that costs x permits beyond one is due at
    /// `last + interval + min(x × interval, span)`, which is later for all x where each of the three is.
    pub(crate) fn is_sooner_than(&self, other: &Self) -> bool {
        let due = |schedule: &Self| schedule.last.plus(schedule.step());
        self.rate.interval() < other.rate.interval()
            || self.rate.span() < other.rate.span()
            || is_after(due(other), due(self))
    }

    /// Whether `last` is so old that it should be moved on before readings wrap around to it.
    pub(crate) fn is_stale(&self, now: W) -> bool {
        let old = W::MAX_SPAN.shl(MARKS);
        // Judged by its slot, which is never far in the future; the stamp itself may be a step older than half the range,
        // where a permit was given back.
        self.last()
            .is_some_and(|last| !is_after(last.plus(self.step()), now) && now.minus(last) > old)
    }

    /// [`wait`](Self::wait) where there is nothing to record before: no hold to look at, and a release that is due is on the
    /// grid. The common case, in two comparisons.
    #[inline]
    pub(crate) fn quick_wait(&self, now: W, gathering: W) -> Option<W> {
        let last = self.last().filter(|_| self.hold().is_none())?;
        let late = now.minus(last.plus(self.step()));
        let wait = gathering.minus(late);
        if wait != W::ZERO && wait < W::HALF {
            return Some(wait);
        }
        let made_up = self.rate.span().plus(self.rate.slack()).shl(MARKS);
        (late <= made_up).then_some(W::ZERO)
    }

    /// Ticks from `now` until the waiter with `ahead` others before it is due, if they can be counted.
    pub(crate) fn estimate(&self, now: W, ahead: usize) -> Option<W> {
        let mut first = self.spent(now);
        if let Some(hold) = self.hold()
            && is_after(hold, first)
        {
            first = hold;
        }
        let steps = self.rate.interval().times(ahead)?;
        let past = now.minus(first);
        let due = if past < W::HALF {
            let past = unstamp(past);
            if steps > past {
                steps.minus(past)
            } else {
                W::ZERO
            }
        } else {
            steps.plus(unstamp(first.minus(now)))
        };
        (due >= steps || past < W::HALF)
            .then_some(due)
            .filter(|&due| due <= W::MAX_SPAN.shl(1))
    }

    pub(crate) fn step(&self) -> W {
        self.rate.interval().shl(MARKS)
    }

    /// So many intervals, [`Word::MAX_SPAN`] at most.
    #[inline]
    pub(crate) fn steps(&self, n: usize) -> W {
        if n == 0 { W::ZERO } else { self.some_steps(n) }
    }

    // Apart, so that who has no weight to count keeps the registers that counting takes.
    #[cold]
    fn some_steps(&self, n: usize) -> W {
        let steps = self.rate.interval().times(n).unwrap_or(W::MAX_SPAN);
        steps.min(W::MAX_SPAN).shl(MARKS)
    }

    /// How far a release that costs `extra` beyond one permit must lie behind the slot of one that costs one. No further than
    /// the burst reaches: where the rate was changed to a smaller burst than somebody in line weighs, that one goes with the
    /// burst full, and those behind it wait for the rest.
    #[inline]
    pub(crate) fn gathering(&self, extra: usize) -> W {
        if extra == 0 {
            return W::ZERO;
        }
        self.some_steps(extra).min(self.rate.span().shl(MARKS))
    }
}

impl<W: Word> fmt::Debug for Schedule<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule")
            .field("rate", &self.rate)
            .field("last", &self.last().map(unstamp))
            .field("hold", &self.hold().map(unstamp))
            .finish()
    }
}

/// The stamp of a reading.
pub(crate) fn stamp<W: Word>(reading: W) -> W {
    reading.shl(MARKS)
}

/// A stamp without the marks of its word.
pub(crate) fn unmarked<W: Word>(word: W) -> W {
    word.shr(MARKS).shl(MARKS)
}

/// The word of a hold until `stamp`.
pub(crate) fn held<W: Word>(stamp: W) -> W {
    stamp.with_low(HELD)
}

/// The ticks in a difference of stamps.
pub(crate) fn unstamp<W: Word>(difference: W) -> W {
    difference.shr(MARKS)
}

/// Whether stamp `a` lies after `b`, by less than half the range.
pub(crate) fn is_after<W: Word>(a: W, b: W) -> bool {
    a != b && a.minus(b) < W::HALF
}
