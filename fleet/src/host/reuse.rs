//! [`Reuse`]: how far apart slots are to be for this host's callers to use them.
//!
//! A host with one caller whose call takes 20 ms can't use two slots within 20 ms. After each release it is seen how long it takes until
//! somebody is in line again: no time at all where others wait, else what is left of a call. The mean is how far apart the
//! slots may be at the closest.

/// Pauses longer than this are no part of a caller's round: the callers have gone. Microseconds.
const LONGEST: u64 = 250_000;

/// The smoothed time from a release until somebody is in line. Microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reuse {
    /// In sixteenths, so that short times do not vanish.
    smooth: u64,
}

impl Reuse {
    /// After so many releases somebody was in line at once.
    pub(crate) fn at_once(&mut self, releases: usize) {
        for _ in 0..releases.min(16) {
            self.took(0);
        }
    }

    /// After the latest release it took so long.
    pub(crate) fn took(&mut self, micros: u64) {
        if micros <= LONGEST {
            self.smooth = self.smooth - self.smooth / 8 + 2 * micros;
        }
    }

    /// How far apart slots are to be.
    pub(crate) fn spacing(self) -> u64 {
        self.smooth / 16
    }
}
