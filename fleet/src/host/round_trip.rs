//! [`RoundTrip`]: how long the backend takes to answer.

/// The smoothed round trip and its mean deviation, as TCP reckons them (RFC 6298). Microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    smooth: u64,
    deviation: u64,
    known: bool,
}

/// What is reckoned with beside the round trip: the wake-ups of two threads.
const MARGIN: u64 = 2_000;

impl RoundTrip {
    pub(crate) fn took(&mut self, micros: u64) {
        if self.known {
            let off = self.smooth.abs_diff(micros);
            self.deviation = (3 * self.deviation + off) / 4;
            self.smooth = (7 * self.smooth + micros) / 8;
        } else {
            (self.smooth, self.deviation, self.known) = (micros, micros / 2, true);
        }
    }

    /// The smoothed round trip.
    pub(crate) fn smooth(self) -> u64 {
        self.smooth
    }

    /// How long before it is needed an answer is to be asked for.
    pub(crate) fn lead(self) -> u64 {
        self.smooth + 4 * self.deviation + MARGIN
    }
}
