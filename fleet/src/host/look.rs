//! What others see of a host.

use super::{BackendError, Counts, Host};

impl Host {
    /// Whether nothing is left to do for a host that [`leave`](Self::leave)s.
    #[must_use]
    pub fn has_left(&self) -> bool {
        // Orders that can't be told are given up.
        let is_told = self.failures > 0 || !self.has_orders();
        self.leaving && is_told && self.flight.is_none() && self.held.count() == 0
    }

    /// Whether it holds nothing, owes the backend nothing and waits for nothing: a new one would do as well.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let is_told = !self.has_orders() && self.news.is_empty();
        is_told && self.flight.is_none() && self.alone.is_none() && self.held.count() == 0
    }

    /// The number of the call under way.
    #[must_use]
    pub fn in_flight(&self) -> Option<u64> {
        self.flight.as_ref().map(|flight| flight.id)
    }

    /// The interval, microseconds.
    #[must_use]
    pub fn interval(&self) -> u64 {
        self.interval
    }

    /// How many slots may gather.
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.config.burst
    }

    /// The interval that it was made with, microseconds.
    #[must_use]
    pub fn built_interval(&self) -> u64 {
        self.config.interval.max(1)
    }

    /// The hosts seen last, this one included; 0 before the first answer.
    #[must_use]
    pub fn hosts(&self) -> u32 {
        self.hosts
    }

    /// The number of the terms, once known.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// How many slots are held.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.count()
    }

    /// When the next slot held is.
    #[must_use]
    pub fn next_slot(&self) -> Option<u64> {
        self.held.next()
    }

    /// Nobody is released before.
    #[must_use]
    pub fn held_until(&self) -> u64 {
        self.held_until
    }

    /// Until when the backend grants nothing, as its state is new.
    #[must_use]
    pub fn learning_until(&self) -> u64 {
        self.learning_until
    }

    /// About when the one after `ahead` others goes: at a slot that is held, or as many intervals later as all hosts in equal parts take.
    /// None while nobody is released until the backend answers.
    #[must_use]
    pub fn estimate(&self, now: u64, ahead: u64) -> Option<u64> {
        if let Some(slot) = self.held.nth(ahead) {
            return Some(slot.max(self.held_until));
        }
        if let Some(alone) = &self.alone
            && self.goes_alone()
        {
            let at = alone.nth(self.interval, ahead).max(self.held_until);
            if self.is_away() || at < alone.until() {
                return (at < alone.until()).then_some(at);
            }
        }
        let further = ahead - self.held.count();
        let each = self.interval.saturating_mul(u64::from(self.rivals.max(1)));
        let from = self.held.end().unwrap_or(now).max(self.held_until);
        Some(
            from.max(self.learning_until)
                .saturating_add(each.saturating_mul(further)),
        )
    }

    /// How many slots it would ask for with callers enough.
    #[must_use]
    pub fn lease_size(&self) -> u32 {
        let lead = self.round_trip.lead();
        let hosts = match self.has_below {
            true => self.equals.busy(),
            false => self.rivals,
        };
        let fair = self.size.fair(self.interval, hosts, lead, self.above);
        let weighted = fair.saturating_mul(self.config.weight.max(1));
        let most = match self.has_below {
            // The slots of less important hosts are in between: equals still have room within the horizon.
            true => self.config.horizon / 2 / self.interval.max(1),
            false => u64::MAX,
        };
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        weighted.min(self.config.max_lease.min(most).max(1))
    }

    /// The smoothed round trip, microseconds.
    #[must_use]
    pub fn round_trip(&self) -> u64 {
        self.round_trip.smooth()
    }

    /// Since when the backend is away.
    #[must_use]
    pub fn away_since(&self) -> Option<u64> {
        self.alone.and_then(|alone| alone.away_since)
    }

    /// What the latest call that failed failed of, and when.
    #[must_use]
    pub fn last_error(&self) -> Option<&(BackendError, u64)> {
        self.last_error.as_ref()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self, now: u64) -> Counts {
        let mut counts = self.counts;
        if let Some(since) = self.away_since() {
            counts.away += now.saturating_sub(since);
        }
        counts
    }
}
