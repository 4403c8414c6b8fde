//! How often calls really are answered: counted over stretches of time, smoothed.

use super::micro::{ONE, mul_div, part};

#[derive(Clone, Copy, Debug)]
pub(super) struct Throughput {
    /// A stretch, in ticks.
    stretch: u64,
    ticks_per_second: u64,
    /// The weight of the newest stretch, in thousandths.
    smoothing: u16,
    elapsed: u64,
    count: u64,
    rate: Option<u64>,
}

impl Throughput {
    pub(super) fn new(stretch: u64, ticks_per_second: u64, smoothing: u16) -> Self {
        Self {
            stretch,
            ticks_per_second,
            smoothing,
            elapsed: 0,
            count: 0,
            rate: None,
        }
    }

    /// Forgets the stretch begun: nobody called for a while, which says nothing about the server.
    pub(super) fn restart(&mut self) {
        self.elapsed = 0;
        self.count = 0;
    }

    pub(super) fn pass(&mut self, ticks: u64, calls: u64) {
        self.elapsed = self.elapsed.saturating_add(ticks);
        self.count = self.count.saturating_add(calls);
        if self.elapsed < self.stretch {
            return;
        }
        let newest = mul_div(
            mul_div(self.count, ONE, 1),
            self.ticks_per_second,
            self.elapsed,
        );
        let rest = 1000_u16.saturating_sub(self.smoothing);
        self.rate = Some(match self.rate {
            Some(rate) => part(newest, self.smoothing).saturating_add(part(rate, rest)),
            None => newest,
        });
        self.restart();
    }

    /// Calls per second, in millionths, once a stretch is over.
    pub(super) fn rate(&self) -> Option<u64> {
        self.rate
    }
}
