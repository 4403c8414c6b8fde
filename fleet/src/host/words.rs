//! What goes into a [`Host`](super::Host) and comes out of it.

use std::sync::Arc;
use std::time::Duration;

use super::Away;
use crate::backend::{BackendError, Call};
use crate::error::FleetError;

/// What a host is made with. Times are microseconds.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its random number.
    pub host: u64,
    /// What people call it.
    pub label: Arc<str>,
    /// The interval if the backend knows none.
    pub interval: u64,
    /// How many slots may gather while nobody takes them.
    pub burst: u32,
    /// Whether that takes the place of another one that the backend knows.
    pub interval_wins: bool,
    /// How far ahead leases reach.
    pub horizon: u64,
    /// How long a call may take.
    pub timeout: u64,
    /// How late a slot may still be used by somebody who waited for it.
    pub late: u64,
    /// The largest lease.
    pub max_lease: u32,
    /// How many times the lease of others it asks for.
    pub weight: u32,
    /// Whether a limit that the backend knows nothing of begins at once.
    pub at_once: bool,
    /// How many hosts there are at most, if that was told; 0 if not.
    pub expected_hosts: u32,
    /// What to do without the backend.
    pub away: Away,
}

impl Config {
    /// How far apart answers may be for this host to know how many others there are.
    pub(super) fn contact(&self, interval: u64) -> u64 {
        const SHORTEST: u64 = 2_000_000;
        const LONGEST: u64 = 150_000_000;
        let calls = 2 * self.horizon + 4 * self.timeout;
        SHORTEST
            .max(calls)
            .max(interval.saturating_mul(8).min(LONGEST))
    }

    /// How late a slot may be used by somebody who came after it: by an interval, as where nobody was in line at most one is made up, and by
    /// as much as callers who come back may be late for theirs.
    pub(super) fn late_for_new(&self, interval: u64) -> u64 {
        const CALLERS: u64 = 10_000;
        self.late.min(interval.max(CALLERS))
    }
}

/// What to do now.
#[derive(Debug, Default)]
pub struct Step {
    /// How many to release.
    pub grant: usize,
    /// A call to make, by its number. What was under way before is not waited for any more.
    pub call: Option<(u64, Call)>,
    /// When to come back at the latest.
    pub wake: Option<u64>,
    /// What has changed.
    pub news: Option<News>,
}

/// A change in how the backend is reached, or in what it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// It does not answer; [`Away`] says what happens now.
    Away(BackendError),
    /// The time for which to go on without it is over: nobody is released until it answers.
    Spent,
    /// It answers again.
    Back {
        /// How long it was away.
        after: Duration,
    },
    /// It has lost its state: a flush, an eviction, a restart without data. It grants nothing for `learning`; until then hosts that know how
    /// many they are go on by themselves.
    Forgot {
        /// How long it grants nothing.
        learning: Duration,
    },
    /// The rate in force is not the one that this queue was built with: somebody set another one, or a queue that was built
    /// with another one came first. [`FleetLimit::rate_wins`](crate::FleetLimit::rate_wins) is for those who want theirs.
    OtherRate {
        /// From one release to the next as this queue was built.
        built: Duration,
        /// From one release to the next as it is.
        in_force: Duration,
    },
    /// The rate given to [`set_rate`](apiqueue::ApiQueue::set_rate) can't be kept to in all: its interval is in force, with the
    /// largest burst there is, and it is not strict.
    NotInFull(FleetError),
}

/// What a host has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls to the backend.
    pub calls: u64,
    /// Calls that failed.
    pub failures: u64,
    /// How often the backend went away.
    pub times_away: u64,
    /// For how long it was, the present time included, microseconds.
    pub away: u64,
    /// How often the backend had lost its state.
    pub forgotten: u64,
    /// Slots that arrived.
    pub granted: u64,
    /// Releases at granted slots.
    pub used: u64,
    /// Slots given back.
    pub given_back: u64,
    /// Slots neither used nor given back.
    pub lost: u64,
    /// Releases without the backend.
    pub alone: u64,
}

impl Counts {
    /// Both together.
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.times_away += other.times_away;
        self.away += other.away;
        self.forgotten += other.forgotten;
        self.granted += other.granted;
        self.used += other.used;
        self.given_back += other.given_back;
        self.lost += other.lost;
        self.alone += other.alone;
    }
}
