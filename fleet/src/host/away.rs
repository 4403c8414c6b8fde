//! [`Away`]: what a host does when the backend does not answer.

use std::time::Duration;

/// What to do while the backend is away: from the second call in a row that fails until one succeeds. Slots held are used up
/// first in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Away {
    /// Each host releases one each interval × the number of hosts seen last, for `at_most` this long; then nobody. A host
    /// that has never heard of the others releases nobody.
    ///
    /// As many hosts as were seen last keep the rate together. If the others reach the backend all the same, this host
    /// adds its share to theirs.
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

/// A backend that is away, and the host's own schedule meanwhile. Microseconds of the host's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alone {
    pub(crate) since: u64,
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

impl Alone {
    /// A schedule that begins a step after the `last` slot used, and not before `earliest`. `phase` of 2^32 spreads hosts
    /// whose backend went away at the same moment.
    pub(crate) fn new(
        away: Away,
        now: u64,
        last: u64,
        earliest: u64,
        interval: u64,
        hosts: u32,
        phase: u32,
    ) -> Self {
        let (at_most, factor) = match away {
            Away::Share { at_most } if hosts > 0 => (at_most, u64::from(hosts)),
            Away::Share { .. } | Away::Stop => (Duration::ZERO, 1),
            Away::Full { at_most } => (at_most, 1),
        };
        let at_most = u64::try_from(at_most.as_micros()).unwrap_or(u64::MAX);
        let step = interval.saturating_mul(factor);
        let spread = (u128::from(step) * u128::from(phase)) >> 32;
        let next = now
            .max(earliest)
            .max(last.saturating_add(step))
            .saturating_add(u64::try_from(spread).unwrap_or(u64::MAX));
        Self {
            since: now,
            until: now.saturating_add(at_most),
            next,
            factor,
            taken: 0,
            again: 0,
        }
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

    /// The terms have changed.
    pub(crate) fn keep_none(&mut self) {
        self.taken = 0;
    }
}
