//! Additive increase, multiplicative decrease.

use crate::clock::Word;
use crate::rate::Rate;

use super::bounds::{Bounds, SettingError, within};
use super::controller::{Change, Controller, Outcome};
use super::course::Course;
use super::micro::part;
use super::throughput::Throughput;

/// The rate grows by so much each second; on a congestion it falls to a part of itself.
///
/// Made for a limit that stays where it is, or moves slowly: it strays least from it and is refused least often. A limit that
/// doubles is followed at the speed of the growth; [`Cubic`](super::Cubic) is faster there.
#[derive(Clone, Copy, Debug)]
pub struct Aimd<W: Word> {
    course: Course<W>,
    accepted: Throughput,
    growth: u32,
    keep: u16,
}

/// Of what the server took lately, a decrease keeps no more than this over it, in thousandths: counting over one stretch is no
/// more exact than that.
const MARGIN: u16 = 1125;

impl<W: Word + Into<u64> + TryFrom<u64>> Aimd<W> {
    /// From `start`, growing by `growth_milli` thousandths of a call per second, each second; a congestion leaves 85 %.
    ///
    /// # Errors
    /// A start rate out of bounds, or with a burst that is too long at the slowest one; a growth not in 1..=10⁹.
    pub fn new(bounds: Bounds<W>, start: Rate<W>, growth_milli: u32) -> Result<Self, SettingError> {
        within(
            "growth, in thousandths,",
            growth_milli.into(),
            1,
            1_000_000_000,
        )?;
        let second = bounds.ticks_per_second;
        Ok(Self {
            course: Course::new(bounds, start)?,
            accepted: Throughput::new(second, second, 800),
            growth: growth_milli,
            keep: 850,
        })
    }

    /// What part of the rate a congestion leaves, in thousandths.
    ///
    /// # Errors
    /// A part not in 1..=999.
    pub fn keep(mut self, thousandths: u16) -> Result<Self, SettingError> {
        within("part kept, in thousandths,", thousandths.into(), 1, 999)?;
        self.keep = thousandths;
        Ok(self)
    }
}

impl<W: Word + Into<u64> + TryFrom<u64>> Controller<W> for Aimd<W> {
    fn rate(&self) -> Rate<W> {
        self.course.told()
    }

    fn outcome(&mut self, now: W, released: W, outcome: Outcome<W>) -> Change<'_, W> {
        let passed = self.course.pass(now);
        match passed {
            Some(passed) => self
                .accepted
                .pass(passed, u64::from(outcome == Outcome::Ok)),
            None => self.accepted.restart(),
        }
        if outcome == Outcome::Ok {
            match passed {
                Some(passed) if self.course.is_ramping => self.course.ramp(passed),
                Some(passed) if self.course.is_settled() => self.course.add(self.growth, passed),
                _ => {}
            }
            return self.course.change(None);
        }
        if self.course.is_news(now, released) {
            let base = match self.accepted.rate() {
                Some(accepted) => part(accepted, MARGIN).min(self.course.rate),
                None => self.course.rate,
            };
            self.course.decrease(part(base, self.keep));
        }
        let hold = match outcome {
            Outcome::RetryAfter(ticks) => Some(self.course.hold(now, ticks)),
            _ => None,
        };
        self.course.change(hold)
    }
}
