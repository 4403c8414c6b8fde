//! What goes into a [`Host`](super::Host) and comes out of it.

use std::time::Duration;

use super::{Away, Call};
use crate::backend::BackendError;

/// What a host is made with.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Its random number.
    pub host: u64,
    /// The interval if the backend knows none, microseconds.
    pub interval: u64,
    /// How far ahead leases reach, microseconds.
    pub horizon: u64,
    /// How long a call may take, microseconds.
    pub timeout: u64,
    /// How late a slot may still be used, microseconds.
    pub late: u64,
    /// The largest lease.
    pub max_lease: u32,
    /// What to do without the backend.
    pub away: Away,
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

/// A change in how the backend is reached.
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
        self.granted += other.granted;
        self.used += other.used;
        self.given_back += other.given_back;
        self.lost += other.lost;
        self.alone += other.alone;
    }
}
