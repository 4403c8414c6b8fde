//! [`Away`]: what a host does when the backend does not answer, and [`Alone`]: its own schedule meanwhile.

use std::time::Duration;

/// What to do while the backend is away: from the second call in a row that fails until one succeeds. Slots held are used up
/// first in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Away {
    /// Each host releases one each interval × the number of hosts, for `at_most` this long; then nobody.
    ///
    /// The number is the one that the backend told last, if it counts: once this host has asked for some seconds (4 by default), and
    /// for half as long after the last answer. A host that starts then, or was idle, can't know how many others there are, and releases nobody.
    /// With [`expected_hosts`](crate::FleetLimit::expected_hosts) it needs no number of the backend's.
    ///
    /// So the hosts together keep the rate. If the others reach the backend all the same, this host adds its share to theirs.
    Share {
        /// For how long.
        at_most: Duration,
    },
    /// Release nobody.
    Stop,
    /// Each host releases one each interval, for `at_most` this long; then nobody. The fleet goes at up to the rate times
    /// the number of hosts.
    Full {
        /// For how long.
        at_most: Duration,
    },
}

impl Default for Away {
    /// The share, for a minute.
    fn default() -> Self {
        Self::Share {
            at_most: Duration::from_secs(60),
        }
    }
}

/// The host's own schedule while the backend can't give any slots. Microseconds of the host's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alone {
    /// Since when the backend is away. None while it answers, and learns what its lost state had granted.
    pub(crate) away_since: Option<u64>,
    /// From when on nobody is released.
    until: u64,
    next: u64,
    /// In intervals.
    factor: u64,
    /// How many releases the latest take was, as long as they may be put back.
    taken: usize,
    /// What `next` was when a release was last put back that had been used.
    again: u64,
}

/// What a host has had so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Had {
    /// Where the latest lease began, and how many slots it had.
    pub(crate) lease: (u64, u64),
    /// The latest slot that was used.
    pub(crate) last: u64,
}

impl Alone {
    /// A schedule from `now` until `until`, at every `factor`th interval: not before the host would have its next slot by this
    /// schedule if it had begun with the latest lease. `phase` of 2^32 spreads hosts that have had none lately.
    pub(crate) fn new(
        now: u64,
        until: u64,
        interval: u64,
        factor: u32,
        had: Had,
        phase: u32,
    ) -> Self {
        let factor = u64::from(factor.max(1));
        let step = interval.max(1).saturating_mul(factor);
        let (begun, slots) = had.lease;
        let paid = begun
            .saturating_add(step.saturating_mul(slots))
            .max(had.last.saturating_add(step));
        let spread = match paid > now {
            true => 0,
            false => u64::try_from((u128::from(step) * u128::from(phase)) >> 32).unwrap_or(0),
        };
        Self {
            away_since: None,
            until,
            next: now.max(paid).saturating_add(spread),
            factor,
            taken: 0,
            again: 0,
        }
    }

    /// Goes on until then, by so many hosts, with what it has released so far.
    pub(crate) fn go_on(&mut self, until: u64, factor: u32) {
        self.until = until;
        self.factor = u64::from(factor.max(1));
    }

    /// Those before are gone, as there was a hold.
    pub(crate) fn not_before(&mut self, earliest: u64) {
        self.next = self.next.max(earliest);
    }

    /// The backend answers at `now`.
    pub(crate) fn end(&mut self, now: u64) {
        self.away_since = None;
        self.until = now;
    }

    /// From when on nobody is released.
    pub(crate) fn until(&self) -> u64 {
        self.until
    }

    /// When the one after `ahead` others goes.
    pub(crate) fn nth(&self, interval: u64, ahead: u64) -> u64 {
        self.next
            .saturating_add(self.step(interval).saturating_mul(ahead))
    }

    /// Whether the time for releases without the backend is over.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        now >= self.until
    }

    /// When there is something to do next, if somebody is in line.
    pub(crate) fn next(&self) -> u64 {
        self.next.min(self.until)
    }

    /// Takes up to `most` releases that are due; those missed by more than `late` are gone.
    pub(crate) fn take_due(&mut self, now: u64, interval: u64, late: u64, most: usize) -> usize {
        if self.is_over(now) {
            return 0;
        }
        self.next = self.next.max(now.saturating_sub(late));
        let step = self.step(interval);
        let due = match now.checked_sub(self.next) {
            None => 0,
            Some(past) => usize::try_from(past / step + 1).unwrap_or(usize::MAX),
        };
        let taken = due.min(most);
        let slots = u64::try_from(taken).unwrap_or(u64::MAX);
        self.next = self.next.saturating_add(step.saturating_mul(slots));
        if taken > 0 {
            self.taken = taken;
        }
        taken
    }

    fn step(&self, interval: u64) -> u64 {
        interval.max(1).saturating_mul(self.factor)
    }

    /// Puts the last `count` releases of the latest take back. Says how many these are.
    pub(crate) fn put_back(&mut self, interval: u64, count: usize) -> usize {
        let back = count.min(self.taken);
        self.taken -= back;
        let slots = u64::try_from(back).unwrap_or(u64::MAX);
        let span = self.step(interval).saturating_mul(slots);
        self.next = self.next.saturating_sub(span);
        back
    }

    /// Puts the latest release back, if that was not put back so before. Says how many that is.
    pub(crate) fn put_back_used(&mut self, interval: u64) -> usize {
        let mut back = 0;
        if self.taken > 0 && self.next > self.again {
            self.again = self.next;
            back = self.put_back(interval, 1);
        }
        self.taken = 0;
        back
    }

    /// The interval is another one: the next goes the new one after the latest. What was taken is not to be put back any more.
    pub(crate) fn retune(&mut self, old: u64, new: u64) {
        let latest = self.next.saturating_sub(self.step(old));
        self.next = latest.saturating_add(self.step(new));
        self.taken = 0;
    }
}
