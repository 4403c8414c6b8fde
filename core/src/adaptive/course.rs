//! What both controllers share: time since the latest decrease, which refusals are news, and the rate itself within its
//! bounds.
//!
//! Bounded by `max` and `min`, as `clamp` can panic.

use crate::clock::Word;
use crate::rate::Rate;

use super::bounds::{Bounds, SettingError, within};
use super::controller::Change;
use super::micro::{ONE, mul_div};

/// An answer that comes this many intervals after the one before ends a pause, in which nothing was tried and nothing learnt.
const PAUSE: u64 = 4;

#[derive(Clone, Copy, Debug)]
pub(super) struct Course<W: Word> {
    bounds: Bounds<W>,
    /// Calls per second, in millionths.
    pub(super) rate: u64,
    least: u64,
    most: u64,
    start: Rate<W>,
    /// What the queue was told.
    told: Rate<W>,
    last: Option<W>,
    /// Ticks since the latest decrease: counted on, as readings wrap.
    since: u64,
    /// Ticks from the latest decrease to the end of the hold it came with.
    held: u64,
    /// No refusal yet.
    pub(super) is_ramping: bool,
}

impl<W: Word + Into<u64> + TryFrom<u64>> Course<W> {
    pub(super) fn new(bounds: Bounds<W>, start: Rate<W>) -> Result<Self, SettingError> {
        within(
            "interval of the start rate, in ticks,",
            start.interval().into(),
            bounds.fastest.into(),
            bounds.slowest.into(),
        )?;
        within(
            "burst",
            start.burst_size() as u64,
            1,
            mul_div(W::MAX_SPAN.into(), 1, bounds.slowest.into()),
        )?;
        Ok(Self::of(bounds, start))
    }

    /// From what was checked.
    pub(super) fn of(bounds: Bounds<W>, start: Rate<W>) -> Self {
        Self {
            rate: bounds.micro(start.interval()),
            least: bounds.micro(bounds.slowest),
            most: bounds.micro(bounds.fastest),
            bounds,
            start,
            told: start,
            last: None,
            since: 0,
            held: 0,
            is_ramping: true,
        }
    }

    pub(super) fn told(&self) -> Rate<W> {
        self.told
    }

    /// Moves on to `now`. Returns the ticks passed, or nothing after a pause.
    ///
    /// A reading up to [`Word::MAX_SPAN`] back counts as none; one further back has wrapped in a long pause.
    pub(super) fn pass(&mut self, now: W) -> Option<u64> {
        let last = self.last.unwrap_or(now);
        let (ahead, back) = (now.minus(last), last.minus(now));
        if ahead >= W::HALF && back <= W::MAX_SPAN {
            return Some(0);
        }
        self.last = Some(now);
        let passed = if ahead < W::HALF { ahead } else { W::MAX_SPAN }.into();
        self.since = self.since.saturating_add(passed);
        let pause = self.told.interval().into().saturating_mul(PAUSE);
        (passed <= pause).then_some(passed)
    }

    /// Whether a call released at `released` was made at the present rate, with the server settled on it.
    pub(super) fn is_news(&self, now: W, released: W) -> bool {
        if self.is_ramping {
            return true;
        }
        let age = now.minus(released);
        let age = if age < W::HALF { age } else { W::ZERO }.into();
        self.since
            >= age
                .saturating_add(self.held)
                .saturating_add(self.bounds.settle)
    }

    /// Ticks since the latest decrease, or since its hold was over.
    pub(super) fn since(&self) -> u64 {
        self.since.saturating_sub(self.held)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.is_ramping || self.since() >= self.bounds.settle
    }

    /// `ticks` in thousandths of a second.
    pub(super) fn millis(&self, ticks: u64) -> u64 {
        mul_div(ticks, 1000, self.bounds.ticks_per_second)
    }

    /// A new congestion begins; the rate becomes `rate`.
    pub(super) fn decrease(&mut self, rate: u64) {
        self.rate = rate.min(self.rate).max(self.least).min(self.most);
        self.since = 0;
        self.held = 0;
        self.is_ramping = false;
    }

    /// The rate becomes `rate`, unless that is lower.
    pub(super) fn grow(&mut self, rate: u64) {
        self.rate = rate.max(self.rate).max(self.least).min(self.most);
    }

    /// Until the first refusal: exponentially.
    pub(super) fn ramp(&mut self, passed: u64) {
        let more = mul_div(self.rate, passed, self.bounds.ramp);
        self.grow(self.rate.saturating_add(more));
    }

    /// By `milli` thousandths of a call per second, each second.
    pub(super) fn add(&mut self, milli: u32, passed: u64) {
        let more = mul_div(
            passed,
            u64::from(milli).wrapping_mul(ONE / 1000),
            self.bounds.ticks_per_second,
        );
        self.grow(self.rate.saturating_add(more));
    }

    /// The server wants to be left alone for `ticks` from `now`.
    pub(super) fn hold(&mut self, now: W, ticks: W) -> W {
        let ticks = ticks.min(W::MAX_SPAN);
        self.held = self.held.max(self.since.saturating_add(ticks.into()));
        now.plus(ticks)
    }

    /// What the queue is to be told. Growth of less than 1/128 is saved up.
    pub(super) fn change(&mut self, hold_until: Option<W>) -> Change<'_, W> {
        // Rounded up: the rate is never exceeded.
        let ticks = mul_div(self.bounds.ticks_per_second, ONE, self.rate);
        let ticks = if mul_div(ticks, self.rate, ONE) < self.bounds.ticks_per_second {
            ticks.saturating_add(1)
        } else {
            ticks
        };
        let interval = W::try_from(ticks)
            .unwrap_or(self.bounds.slowest)
            .max(self.bounds.fastest)
            .min(self.bounds.slowest);
        let old = self.told.interval();
        let step = old.shr(7);
        let is_changed = interval > old
            || interval < old.minus(step)
            || (interval < old && interval == self.bounds.fastest);
        if is_changed {
            self.told = self.start.with_interval(interval);
        }
        Change::new(is_changed.then_some(self.told), hold_until)
    }
}
