//! Never too fast, checked as it is promised: over every window of a run, also across changes of rate.

use crate::model::Pace;

/// A bucket of `burst + slack / interval` permits that fills by one each interval: what it can't give was released too early.
///
/// It holds for every window what the promise says of it: k releases in a window of length w need
/// k ≤ burst + (w + slack) / interval. A change of rate keeps what is in it, up to what the new one can hold.
///
/// Readings that fall back count as the furthest at which something was released, but for one at which a rate is set: time goes
/// on from there.
#[derive(Clone, Debug)]
pub struct Releases {
    pace: Pace,
    /// In parts of a permit; rounded up, so that nothing is found too early that is not.
    level: i128,
    at: Option<i128>,
    too_many: Option<i128>,
}

/// The parts of a permit.
const PERMIT: i128 = 1 << 48;

impl Releases {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            level: Self::most(pace),
            at: None,
            too_many: None,
        }
    }

    /// One was released.
    pub fn push(&mut self, now: i128) {
        self.pass(now);
        self.level -= PERMIT;
        if self.level < 0 {
            self.too_many.get_or_insert(now);
        }
    }

    /// The latest one did not happen after all.
    pub fn give_back(&mut self) {
        self.add(PERMIT);
    }

    pub fn set_pace(&mut self, now: i128, pace: Pace) {
        self.pass(now);
        self.at = Some(now);
        self.pace = pace;
        self.add(0);
    }

    /// The first reading at which more had been released than there were permits for.
    pub fn too_many(&self) -> Option<i128> {
        self.too_many
    }

    fn pass(&mut self, now: i128) {
        let at = self.at.map_or(now, |at| at.max(now));
        let passed = at - self.at.unwrap_or(at);
        self.at = Some(at);
        self.add(parts(passed, self.pace));
    }

    fn add(&mut self, parts: i128) {
        self.level = (self.level + parts).min(Self::most(self.pace));
    }

    fn most(pace: Pace) -> i128 {
        pace.burst * PERMIT + parts(pace.slack(), pace)
    }
}

/// What gathers in so many ticks.
fn parts(ticks: i128, pace: Pace) -> i128 {
    let whole = ticks / pace.interval * PERMIT;
    whole + ticks % pace.interval * PERMIT / pace.interval + 1
}
