//! What both controllers are told by the user: between which rates, on which clock, and how patiently.

use core::fmt;

use crate::clock::Word;
use crate::rate::Rate;

use super::micro::{ONE, mul_div};

/// A setting that can't be, with the range it must lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// What was set, with its unit.
    pub setting: &'static str,
    /// What it was set to.
    pub value: u64,
    /// The least it can be.
    pub min: u64,
    /// The most it can be.
    pub max: u64,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} is not in {}..={}",
            self.setting, self.value, self.min, self.max
        )
    }
}

impl core::error::Error for SettingError {}

pub(super) fn within(
    setting: &'static str,
    value: u64,
    min: u64,
    max: u64,
) -> Result<u64, SettingError> {
    if value < min || value > max {
        return Err(SettingError {
            setting,
            value,
            min,
            max,
        });
    }
    Ok(value)
}

/// The slowest and the fastest rate a controller may set, and the clock it is told readings of.
///
/// Only the intervals of the two rates count; burst and strictness come with the start rate.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<W> {
    pub(super) slowest: W,
    pub(super) fastest: W,
    pub(super) ticks_per_second: u64,
    pub(super) settle: u64,
    pub(super) ramp: u64,
}

impl<W: Word + Into<u64>> Bounds<W> {
    /// Never slower than `slowest`, never faster than `fastest`.
    ///
    /// # Errors
    /// A clock of no ticks per second or of more than 10⁹, and a slowest rate that is faster than the fastest.
    pub fn new(
        slowest: Rate<W>,
        fastest: Rate<W>,
        ticks_per_second: W,
    ) -> Result<Self, SettingError> {
        let ticks_per_second = within(
            "ticks per second",
            ticks_per_second.into(),
            1,
            1_000_000_000,
        )?;
        within(
            "interval of the slowest rate, in ticks,",
            slowest.interval().into(),
            fastest.interval().into(),
            W::MAX_SPAN.into(),
        )?;
        Ok(Self {
            slowest: slowest.interval(),
            fastest: fastest.interval(),
            ticks_per_second,
            settle: ticks_per_second / 2,
            ramp: ticks_per_second.saturating_mul(2),
        })
    }

    /// For how long after a decrease (and after the end of a `Retry-After`) calls may be released whose refusal is no new
    /// congestion: the time that the server's bucket needs to notice. Half a second, unless told otherwise.
    ///
    /// # Errors
    /// More than [`Word::MAX_SPAN`].
    pub fn settle(mut self, ticks: W) -> Result<Self, SettingError> {
        self.settle = within("settling, in ticks,", ticks.into(), 0, W::MAX_SPAN.into())?;
        Ok(self)
    }

    /// Within what time the rate grows by a factor of e until the first refusal. Two seconds, unless told otherwise.
    ///
    /// # Errors
    /// 0, or more than [`Word::MAX_SPAN`].
    pub fn ramp(mut self, ticks: W) -> Result<Self, SettingError> {
        self.ramp = within("ramp, in ticks,", ticks.into(), 1, W::MAX_SPAN.into())?;
        Ok(self)
    }

    /// Calls per second, in millionths, of one each `interval` ticks.
    pub(super) fn micro(&self, interval: W) -> u64 {
        mul_div(self.ticks_per_second, ONE, interval.into()).max(1)
    }
}
