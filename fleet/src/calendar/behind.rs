//! What hosts are granted that more important ones keep back.

use std::ops::RangeInclusive;

use super::MAX_MICROS;
use super::state::State;
use crate::backend::Slots;

/// What the leases of all hosts together last at the least, in microseconds, where nobody has to wait for them: a busy host asks for the next
/// one when the present one begins, and so has booked about as far ahead.
pub(crate) const SPAN: u64 = 250_000;
/// One slot in so many is for them, whatever the more important ones want.
const ONE_IN: u64 = 10;
/// So many priorities above one are told apart.
const DEEPEST: u32 = 3;

/// The same, where slots are granted so far ahead.
pub(crate) fn span(horizon: u64) -> u64 {
    SPAN.min(horizon / 2)
}

/// How far ahead the first slot of a lease may be for a host above which so many priorities are seen. None where nobody is more important.
pub(crate) fn reach(horizon: u64, above: u32) -> Option<u64> {
    (above > 0).then(|| span(horizon) >> above.min(DEEPEST))
}

/// How many of the slots that are for them each of `hosts` has within the horizon, at least one.
pub(crate) fn own_slots(horizon: u64, interval: u64, hosts: u32) -> u64 {
    let each = interval
        .saturating_mul(ONE_IN)
        .saturating_mul(hosts.max(1).into());
    horizon.div_ceil(each.max(1))
}

impl State {
    /// From one of the slots to the next that nobody can keep from them.
    pub(super) fn low_interval(&self) -> u64 {
        self.interval.saturating_mul(ONE_IN).min(MAX_MICROS)
    }

    /// As [`grant`](Self::grant) does it, of what the more important hosts leave: they have not taken what begins before `near`. If they have
    /// taken all of it, one slot in ten.
    pub(super) fn grant_behind(
        &mut self,
        granted: Vec<Slots>,
        now: u64,
        times: RangeInclusive<u64>,
        want: u32,
        spacing: u64,
        near: u64,
    ) -> Vec<Slots> {
        if self.tat.max(self.opens(now)) <= near {
            return self.grant(granted, now, times, want, spacing);
        }
        let (from, until) = times.into_inner();
        let left = self.grant(granted, now, from..=until.min(near), want, spacing);
        if !left.is_empty() {
            return left;
        }
        let apart = self.low_interval();
        let (from, spacing) = (from.max(self.low), spacing.max(apart));
        let slots = self.grant(left, now, from..=until, want, spacing);
        let count = slots.iter().map(|run| u64::from(run.count)).sum::<u64>();
        if let Some(last) = slots.last() {
            self.owed = 0;
            let last = last.first + u64::from(last.count - 1) * last.step;
            // Those who ask a little late get no less.
            let next = self.low.saturating_add(apart.saturating_mul(count));
            self.low = next.max(last);
        }
        slots
    }

    /// Somebody who was granted nothing wants the next slot that is theirs, and asks again for it.
    pub(super) fn owe(&mut self, now: u64, horizon: u64) {
        if self.low <= now.saturating_add(horizon) {
            self.owed = now.saturating_add(horizon).saturating_add(horizon);
        }
    }

    /// How much of the horizon the most important hosts leave for that slot.
    pub(super) fn left_out(&self, now: u64, horizon: u64) -> u64 {
        match self.owed > now {
            true => self.low_interval().min(horizon / 4),
            false => 0,
        }
    }

    /// The first slot from `from` on.
    pub(super) fn first(&self, from: u64) -> u64 {
        let start = self.tat.max(from);
        self.free.first(from).map_or(start, |free| free.min(start))
    }

    /// The slot that can be asked for first, and by how much later than a horizon before it.
    pub(super) fn first_behind(&self, from: u64, horizon: u64, reach: u64) -> (u64, u64) {
        let left = self.first(from);
        let own = self.first(from.max(self.low));
        if own.saturating_add(reach) <= left.saturating_add(horizon) {
            (own, 0)
        } else {
            (left, horizon - reach)
        }
    }
}
