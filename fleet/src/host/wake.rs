//! When a host has something to do next.

use super::Host;

impl Host {
    pub(super) fn wake(&self, now: u64, line: usize) -> Option<u64> {
        let mut wake = Earliest(None);
        if !self.news.is_empty() {
            wake.add(now);
        }
        if let Some(flight) = &self.flight {
            wake.add(flight.since + self.config.timeout);
        } else {
            let ask = self.ask_at(now).max(self.retry_at);
            if self.has_orders() || self.needs_more(now, line) {
                wake.add(ask);
            }
        }
        if line > 0 && self.room == 0 {
            // Whoever makes room comes back by himself.
        } else if line > 0 {
            if let Some(next) = self.held.next() {
                wake.add(next.max(self.held_until));
            }
            if self.goes_alone()
                && let Some(alone) = &self.alone
                && !alone.is_over(now)
            {
                wake.add(alone.next().max(self.held_until));
            }
        } else if let (Some(since), true) = (self.empty_since, self.held.count() > 0) {
            let end = since + self.linger();
            // What can't be given back needs nobody: it is gone at the next look.
            if end > now {
                wake.add(end);
            }
        }
        wake.0
    }
}

/// The earliest of several times.
struct Earliest(Option<u64>);

impl Earliest {
    fn add(&mut self, at: u64) {
        self.0 = Some(self.0.map_or(at, |earliest| earliest.min(at)));
    }
}
