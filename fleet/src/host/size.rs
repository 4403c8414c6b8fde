//! [`Size`]: how many slots to ask for.
//!
//! ```text
//! span  = 250 ms, at least 2 * lead, at most horizon / 2
//! fair  = span / (interval * hosts), rounded up, in 1..=max
//!         where more important hosts are about, no more than their leases may begin ahead, for them to follow one another
//! want  = min(fair, max(waiters without a slot, appetite))
//! ```
//! With all hosts busy, `hosts` leases of `fair` slots cover `span`: the schedule reaches far enough ahead for a host to ask
//! and be answered (`lead`) while others' slots pass, and a host makes a call each 250 ms or so, whatever the rate. At low
//! rates `fair` is 1. It depends on nothing that a host could win by having more, so that equal demand gets equal leases.
//!
//! The appetite lets a host whose callers come back as soon as they are released ask for more than are in line at the
//! moment. It doubles with each ask of a host that was busy all the time since the one before, until slots pass unused for the
//! first time: that takes a quarter off, and from there it grows by one.

/// What a busy host's lease is to last, in microseconds.
pub(super) use crate::calendar::SPAN;
use crate::calendar::reach;

/// The lease size of one host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    max: u32,
    horizon: u64,
    appetite: u32,
    /// Above that it grows slowly.
    enough: u32,
}

impl Size {
    pub(crate) fn new(max: u32, horizon: u64) -> Self {
        Self {
            max,
            horizon,
            appetite: 1,
            enough: max,
        }
    }

    /// How many slots a host with all the demand in the world is to ask for.
    pub(crate) fn fair(&self, interval: u64, hosts: u32, lead: u64, above: u32) -> u32 {
        let span = SPAN.max(2 * lead).min(self.horizon / 2);
        let span = reach(self.horizon, above).map_or(span, |reach| reach.clamp(1, span));
        let slots = span.div_ceil(interval.max(1).saturating_mul(u64::from(hosts.max(1))));
        u32::try_from(slots).unwrap_or(u32::MAX).clamp(1, self.max)
    }

    /// How many of `fair` to ask for when so many callers have no slot yet.
    pub(crate) fn want(&self, fair: u32, uncovered: usize) -> u32 {
        let uncovered = u32::try_from(uncovered).unwrap_or(u32::MAX);
        fair.min(uncovered.max(self.appetite))
    }

    /// The host was busy since its latest ask, for up to `fair` slots.
    pub(crate) fn grow(&mut self, fair: u32) {
        let more = if self.appetite < self.enough {
            self.appetite
        } else {
            1
        };
        // What was not asked for is not known to be wanted.
        self.appetite = self
            .appetite
            .saturating_add(more)
            .min(fair.max(self.appetite / 2))
            .max(1);
    }

    /// Whether more are wanted than were in line when it was asked.
    pub(crate) fn has_grown(&self) -> bool {
        self.appetite > 1
    }

    /// Slots passed unused.
    pub(crate) fn shrink(&mut self) {
        self.appetite = (self.appetite - self.appetite.div_ceil(4)).max(1);
        self.enough = self.appetite;
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    const SECOND: u64 = 1_000_000;

    fn size() -> Size {
        Size::new(256, 2 * SECOND)
    }

    #[test]
    fn a_busy_host_asks_about_four_times_a_second_at_any_rate() {
        for (per_second, hosts, lease) in
            [(100, 4, 7), (2_000, 4, 125), (2_000, 8, 63), (40, 1, 10)]
        {
            assert_eq!(size().fair(SECOND / per_second, hosts, 2_000, 0), lease);
        }
    }

    #[test]
    fn low_rates_and_large_fleets_get_single_slots() {
        assert_eq!(size().fair(SECOND, 1, 2_000, 0), 1);
        assert_eq!(size().fair(3600 * SECOND, 1_000, 2_000, 0), 1);
        assert_eq!(size().fair(1_000, 10_000, 2_000, 0), 1);
    }

    #[test]
    fn a_long_round_trip_gets_larger_leases_but_never_half_the_horizon() {
        assert_eq!(size().fair(10_000, 1, 200_000, 0), 40);
        assert_eq!(size().fair(10_000, 1, 10 * SECOND, 0), 100);
    }

    #[test]
    fn nothing_makes_a_lease_larger_than_the_limit_or_empty() {
        assert_eq!(size().fair(1, 1, 0, 0), 256);
        assert_eq!(size().fair(0, 0, u64::MAX / 2, 0), 256);
        assert_eq!(size().fair(u64::MAX, u32::MAX, 0, 0), 1);
    }

    #[test]
    fn the_line_and_the_appetite_bound_what_is_asked_for() {
        let mut size = size();
        assert_eq!(
            (size.want(64, 1), size.want(64, 8), size.want(64, 500)),
            (1, 8, 64)
        );
        for _ in 0..4 {
            size.grow(64);
        }
        assert_eq!(size.want(64, 1), 16);
        size.shrink();
        assert_eq!(size.want(64, 1), 12);
        size.grow(64);
        assert_eq!(size.want(64, 1), 13);
        size.shrink();
        assert_eq!(size.want(64, 1), 9);
        for _ in 0..9 {
            size.shrink();
        }
        assert_eq!(size.want(64, 1), 1);
    }
}
