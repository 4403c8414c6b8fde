//! The arithmetic of [`Schedule`], in stamps: which slot a release uses, how long until the next, what a charge, a refund, a hold
//! and another rate make of it.

use crate::clock::Word;
use crate::error::ChargeError;
use crate::layout::{HELD, MARKS};
use crate::rate::Rate;
use crate::scale::scaled;
use crate::schedule::Schedule;
use crate::stamp::{is_after, stamp, unmarked, unstamp};

impl<W: Word> Schedule<W> {
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

    /// `last` after what a release that cost `extra` beyond one permit used was given back, less a tick. There was one.
    pub(crate) fn returned(&self, extra: usize) -> W {
        let used = self.step().plus(self.steps(extra));
        self.last.minus(used).plus(W::TICK)
    }

    /// [`returned`](Self::returned), with no more in hand at `now` than a late release finds: so that the stamp is never too old
    /// to be told from one ahead.
    pub(crate) fn returned_at(&self, now: W, extra: usize) -> W {
        let most = self.rate.span().plus(self.slack()).shl(MARKS);
        let oldest = now.minus(most).minus(self.step());
        let returned = self.returned(extra);
        if is_after(oldest, returned) {
            oldest
        } else {
            returned
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
        let slack = Self { rate, ..*self }.slack();
        let most = rate.span().plus(slack).plus(to);
        let (ticks, _) = scaled(unstamp(now.minus(last)), to, from, most);
        now.minus(stamp(ticks))
    }

    /// How long until the next release, for which `gathering` more than one permit's worth must be there; zero when it is
    /// due.
    pub(crate) fn wait(&self, now: W, gathering: W) -> W {
        let slot = match self.age(now) {
            Some(age) if age < self.step().plus(gathering) || age >= W::HALF => {
                self.step().plus(gathering).minus(age)
            }
            _ => W::ZERO,
        };
        let held = match self.hold() {
            Some(hold) if is_after(hold, now) => hold.minus(now),
            _ => W::ZERO,
        };
        slot.max(held)
    }

    /// How long ago, at `now`, the stamp lies. From half the range on it lies ahead: there is a debt, or the clock has gone
    /// backward, or leapt so far that it can't be told from that.
    fn age(&self, now: W) -> Option<W> {
        self.last().map(|last| now.minus(last))
    }

    /// Whether it answers at `now`, and from then on, what a new schedule would: the whole burst is free and nothing is
    /// held.
    pub(crate) fn is_rested(&self, now: W) -> bool {
        let full = self.step().plus(self.rate.span().shl(MARKS));
        let rested = self.age(now).is_none_or(|age| age >= full && age < W::HALF);
        rested && self.hold().is_none_or(|hold| !is_after(hold, now))
    }

    /// The slot that a release at `now` uses up.
    pub(crate) fn spent(&self, now: W) -> W {
        let span = self.rate.span().shl(MARKS);
        let Some(age) = self.age(now) else {
            return now.minus(span);
        };
        let full = span.plus(self.step());
        // Before the slack is worked out, where that takes long.
        if cfg!(feature = "catch-up") && (age >= W::HALF || age <= full) {
            return self.last.plus(self.step());
        }
        let slack = self.slack().shl(MARKS);
        // A reading from before the slot, as a clock going backward gives, counts as on time.
        if age >= W::HALF || age <= full.plus(slack) {
            self.last.plus(self.step())
        } else if (self.catch_up.has_waited() && slack >= self.step())
            || age < full.plus(self.step())
        {
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
        self.age(now).is_some_and(|age| age > old && age < W::HALF)
    }

    /// [`wait`](Self::wait) where there is nothing to record before: no hold to look at, and a release that is due is on the
    /// grid. The common case, in two comparisons.
    #[inline]
    pub(crate) fn quick_wait(&self, now: W, gathering: W) -> Option<W> {
        let age = self.age(now).filter(|_| self.hold().is_none())?;
        let needed = self.step().plus(gathering);
        if age < needed || age >= W::HALF {
            return Some(needed.minus(age));
        }
        let late = age.minus(self.step());
        let is_on_grid = (cfg!(feature = "catch-up") && late <= self.rate.span().shl(MARKS))
            || late <= self.rate.span().plus(self.slack()).shl(MARKS);
        is_on_grid.then_some(W::ZERO)
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

    /// The lateness that is made up, in ticks.
    #[inline]
    pub(crate) fn slack(&self) -> W {
        let Some(slack) = self.longest_made_up() else {
            return self.rate.slack();
        };
        if self.catch_up.has_waited() {
            slack
        } else {
            slack.min(self.rate.interval().minus(W::ONE))
        }
    }

    /// How long after `previous`, the reading by which the latest of `released` in one go was made, the next one is to be, if
    /// that one was late: an interval less a tenth, so that what is made up is hardly seen.
    ///
    /// None where that one was not late; where an interval is so short, beside the time to catch up, that no driver could keep it
    /// up; and as long as so much is late that the next wake-up would lose some of it: more than a quarter of that time, or more
    /// than is left of it if the next one is as late as this one was.
    #[cfg(feature = "catch-up")]
    pub(crate) fn gap_after(&self, previous: W, released: usize) -> Option<W> {
        let interval = self.rate.interval();
        let longest = self.longest_made_up()?;
        let full = self.rate.span().shl(MARKS);
        let age = self
            .age(stamp(previous))
            .filter(|&age| age > full && age < W::HALF)?;
        let late = unstamp(age.minus(full));
        // So late was the first of them.
        let before = interval.times(released.saturating_sub(1))?.min(W::MAX_SPAN);
        let at_first = late.plus(before).min(longest);
        let is_spread =
            interval >= longest.shr(4) && late <= longest.shr(2).min(longest.minus(at_first));
        is_spread.then(|| interval.minus(self.rate.tenth()))
    }

    /// The time told to catch up, as far as there is room for it: whatever can be in hand must be younger than `MAX_SPAN`. There
    /// is room for a tenth, or the rate would be strict. None where a tenth is made up, or nothing.
    #[inline]
    fn longest_made_up(&self) -> Option<W> {
        let ticks = self.catch_up.ticks().filter(|_| !self.rate.is_strict())?;
        let room = W::MAX_SPAN
            .minus(self.rate.span())
            .minus(self.rate.interval());
        Some(ticks.min(room))
    }

    /// Whether more is in hand at `now` than the burst: what is late.
    pub(crate) fn is_behind(&self, now: W) -> bool {
        let full = self.rate.span().shl(MARKS).plus(self.step());
        self.age(now)
            .is_some_and(|age| age >= full && age < W::HALF)
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::clock::private::Bits;
    use crate::rate::Rate;
    use crate::schedule::Schedule;
    use crate::stamp::stamp;

    const LAST: u32 = 1_000;

    /// The quick way is the common one: it answers wherever nothing has to be recorded first, and as the longer one does.
    #[test]
    fn what_is_not_due_and_what_is_on_the_grid_is_answered_quickly() {
        let rate = Rate::<u32>::every(100).unwrap().burst(3).unwrap();
        let mut schedule = Schedule::new(rate);
        assert_eq!(schedule.quick_wait(stamp(LAST), 0), None, "never used");
        schedule.last = stamp(LAST);
        let on_grid = 100 + 200 + rate.slack();
        for gathering in [0, stamp(100_u32), stamp(200_u32)] {
            for age in 0..2 * on_grid {
                let now = stamp(LAST + age);
                let quick = schedule.quick_wait(now, gathering);
                assert_eq!(quick.is_some(), age <= on_grid, "{age}, {gathering}");
                assert!(quick.is_none_or(|wait| wait == schedule.wait(now, gathering)));
            }
        }
        let ahead = stamp(LAST).minus(stamp(500));
        assert_eq!(schedule.quick_wait(ahead, 0), Some(stamp(600)));
        let far = stamp(LAST).plus(u32::HALF);
        assert_eq!(schedule.quick_wait(far, 0), Some(schedule.wait(far, 0)));
        schedule.hold_until(LAST, LAST + 10);
        assert_eq!(schedule.quick_wait(stamp(LAST), 0), None, "held");
    }
}
