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
//! The slack is a tenth of the interval, or as long as the queue was told to catch up: see
//! [`catch_up`](crate::QueueOver::catch_up). In the latter case it depends on who was there when the slot before was used:
//!
//! ```text
//!   somebody waited for this one:  slack = catch_up      if that is an interval or more, the last line is as the one before
//!   nobody did:                    slack = min(catch_up, interval − 1)
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
//! `pace`. A 32-bit reading thus counts modulo 2²⁸ here, and differences below 2²⁷ are forward.

use core::fmt;

use crate::catch_up::CatchUp;
use crate::clock::Word;
use crate::error::ChargeError;
use crate::rate::Rate;
use crate::stamp::{held, is_after, stamp, unstamp};

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
    /// For how long lateness is made up, and whether by one who has waited.
    pub(crate) catch_up: CatchUp<W>,
}

impl<W: Word> Schedule<W> {
    /// A schedule on which the whole burst is free.
    pub const fn new(rate: Rate<W>) -> Self {
        Self {
            rate,
            last: W::FRESH,
            hold: W::ZERO,
            catch_up: CatchUp::TENTH,
        }
    }

    /// The same, but makes up lateness of up to `ticks`, [`Word::MAX_SPAN`] at most, instead of a tenth of the interval: see
    /// [`QueueOver::catch_up`](crate::QueueOver::catch_up).
    #[cfg(feature = "catch-up")]
    #[must_use]
    pub const fn catch_up(mut self, ticks: W) -> Self {
        self.catch_up = CatchUp::of(ticks);
        self
    }

    /// Says whether somebody waits for the next one, so that it is on time only if it goes at once. Where lateness is
    /// [caught up](Self::catch_up) that makes up all of it; for one who comes by himself, no more than an interval.
    #[cfg(feature = "catch-up")]
    pub fn is_waited_for(&mut self, is_waited_for: bool) {
        if self.catch_up.ticks().is_some() {
            self.catch_up = self.catch_up.waited(is_waited_for);
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
        if let (Some(extra), Some(_)) = (weight.checked_sub(1), self.last()) {
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

    /// When the permit after `ahead` others is there, if nothing is charged, held or set meanwhile. None where that is further away
    /// than readings can tell.
    #[must_use]
    pub fn next_after(&self, now: W, ahead: usize) -> Option<W> {
        let mut schedule = *self;
        schedule.lift(stamp(now));
        Some(now.plus(schedule.estimate(stamp(now), ahead)?))
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
