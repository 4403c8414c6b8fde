//! The cubic curve of TCP CUBIC, applied to a rate, as the adaptive retry mode of the AWS SDKs does.
//!
//! ```text
//!   congestion:  w = min(measured, rate)      rate = keep × w      K = ∛((1 − keep) × w / scale)
//!   afterwards:  rate = scale × (t − K)³ + w, at most 2 × measured       t: seconds since
//! ```
//!
//! It climbs back to `w` fast, lingers there, and then probes ever faster.

use crate::clock::Word;
use crate::rate::Rate;

use super::bounds::{Bounds, SettingError, within};
use super::controller::{Change, Controller, Outcome};
use super::course::Course;
use super::micro::{cube_root, mul_div, part};
use super::throughput::Throughput;

/// The shape of the curve and how the rate in use is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constants {
    /// What part of the rate a congestion leaves (β), in thousandths: 1 to 999.
    pub keep: u16,
    /// How steep the curve is, in millionths of a call per second per second³: 1 to 10⁸.
    pub scale_micro: u32,
    /// The weight of the newest stretch in the measured rate, in thousandths: 1 to 1000.
    pub smoothing: u16,
    /// How long a stretch is, in thousandths of a second: 1 to 60,000.
    pub stretch_millis: u16,
}

impl Constants {
    /// Those of the AWS SDKs: 0.7, 0.4, 0.8, 0.5 s. Quick, and refused more than one call in a hundred at limits of up to
    /// twenty a second.
    pub const AWS: Self = Self {
        keep: 700,
        scale_micro: 400_000,
        smoothing: 800,
        stretch_millis: 500,
    };

    /// Shallower and flatter, measured to stay below one refusal in a hundred where a server's bucket allows it.
    pub const CALM: Self = Self {
        keep: 850,
        scale_micro: 4_000,
        smoothing: 800,
        stretch_millis: 2_000,
    };

    fn checked(self) -> Result<Self, SettingError> {
        within("part kept, in thousandths,", self.keep.into(), 1, 999)?;
        within(
            "scale, in millionths,",
            self.scale_micro.into(),
            1,
            100_000_000,
        )?;
        within("smoothing, in thousandths,", self.smoothing.into(), 1, 1000)?;
        within(
            "stretch, in thousandths of a second,",
            self.stretch_millis.into(),
            1,
            60_000,
        )?;
        Ok(self)
    }
}

/// Follows the cubic curve. Made for a limit that moves.
#[derive(Clone, Copy, Debug)]
pub struct Cubic<W: Word> {
    course: Course<W>,
    constants: Constants,
    measured: Throughput,
    /// The rate at the latest congestion.
    peak: u64,
    /// When the curve is back at it, in thousandths of a second.
    back: u64,
}

impl<W: Word + Into<u64> + TryFrom<u64>> Cubic<W> {
    /// From `start`, along the curve of `constants`.
    ///
    /// # Errors
    /// A start rate out of bounds, or with a burst that is too long at the slowest one; constants out of their ranges.
    pub fn new(
        bounds: Bounds<W>,
        start: Rate<W>,
        constants: Constants,
    ) -> Result<Self, SettingError> {
        Ok(Self::of(
            bounds,
            Course::new(bounds, start)?,
            constants.checked()?,
        ))
    }

    /// From what was checked.
    fn of(bounds: Bounds<W>, course: Course<W>, constants: Constants) -> Self {
        let second = bounds.ticks_per_second;
        let stretch = second.saturating_mul(constants.stretch_millis.into()) / 1000;
        Self {
            course,
            constants,
            measured: Throughput::new(stretch.max(1), second, constants.smoothing),
            peak: 0,
            back: 0,
        }
    }

    fn congested(&mut self) {
        let rate = self.course.rate;
        self.peak = self.measured.rate().unwrap_or(rate).min(rate);
        self.course.decrease(part(self.peak, self.constants.keep));
        // In seconds³, then thousandths³.
        let lost = part(self.peak, 1000_u16.saturating_sub(self.constants.keep));
        let cube = mul_div(lost, 1_000_000_000, self.constants.scale_micro.into());
        self.back = cube_root(cube);
    }

    /// Where the curve is, in millionths of a call per second.
    fn curve(&self) -> u64 {
        let t = self.course.millis(self.course.since());
        let off = t.abs_diff(self.back).min(1_000_000);
        // Thousandths of a second, cubed: at most 10¹⁸.
        let cube = off.wrapping_mul(off).wrapping_mul(off);
        let rise = mul_div(cube, self.constants.scale_micro.into(), 1_000_000_000);
        if t < self.back {
            self.peak.saturating_sub(rise)
        } else {
            self.peak.saturating_add(rise)
        }
    }
}

/// On a clock of nanoseconds, where nothing is known of the limit: from 2 calls a second, between one each 10 s and 1,000 a second,
/// along the curve of [`Constants::CALM`].
#[cfg(any(target_has_atomic = "64", feature = "wide-ticks-fallback"))]
impl Default for Cubic<u64> {
    fn default() -> Self {
        const SECOND: u64 = 1_000_000_000;
        const START: Rate<u64> = {
            let Ok(rate) = Rate::every(SECOND / 2) else {
                panic!("told when this is compiled, if at all");
            };
            rate
        };
        let bounds = Bounds {
            slowest: 10 * SECOND,
            fastest: SECOND / 1000,
            ticks_per_second: SECOND,
            settle: SECOND / 2,
            ramp: 2 * SECOND,
        };
        Self::of(bounds, Course::of(bounds, START), Constants::CALM)
    }
}

impl<W: Word + Into<u64> + TryFrom<u64>> Controller<W> for Cubic<W> {
    fn rate(&self) -> Rate<W> {
        self.course.told()
    }

    fn outcome(&mut self, now: W, released: W, outcome: Outcome<W>) -> Change<'_, W> {
        let passed = self.course.pass(now);
        match passed {
            Some(passed) => self.measured.pass(passed, 1),
            None => self.measured.restart(),
        }
        if outcome == Outcome::Ok {
            match passed {
                Some(passed) if self.course.is_ramping => self.course.ramp(passed),
                Some(_) => {
                    let cap = match self.measured.rate() {
                        Some(rate) => rate.saturating_mul(2),
                        None => self.course.rate,
                    };
                    self.course.grow(self.curve().min(cap));
                }
                None => {}
            }
            return self.course.change(None);
        }
        if self.course.is_news(now, released) {
            self.congested();
        }
        let hold = match outcome {
            Outcome::RetryAfter(ticks) => Some(self.course.hold(now, ticks)),
            _ => None,
        };
        self.course.change(hold)
    }
}
