//! Waits that are longer than somebody wanted to know of: how many there were, and what the latest was like.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::waited_for::Ahead;
use super::{Line, NEVER};
use crate::forked::unless_inherited;
use crate::stats::LongWait;

/// Told at most once in this time, in nanoseconds.
const QUIET: u64 = 1_000_000_000;

// Ordering: Relaxed throughout, as in `stats::counters`.
const ORDER: Ordering = Ordering::Relaxed;

#[derive(Debug)]
pub(crate) struct LongWaits {
    /// From this on, in nanoseconds.
    pub(crate) bound: u64,
    count: AtomicU64,
    latest: Mutex<Option<LongWait>>,
    /// When one was told last.
    told: AtomicU64,
    /// How many there were when one was told last.
    counted: AtomicU64,
    /// Where this was made.
    process: u32,
}

impl LongWaits {
    pub(crate) fn from(bound: u64) -> Self {
        Self {
            bound,
            count: AtomicU64::new(0),
            latest: Mutex::new(None),
            told: AtomicU64::new(NEVER),
            counted: AtomicU64::new(0),
            process: std::process::id(),
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(ORDER)
    }

    pub(crate) fn latest(&self) -> Option<LongWait> {
        unless_inherited(&self.latest, self.process).and_then(|latest| *latest)
    }

    /// One more; and how many there were since one was told last, if it is time to tell this one.
    fn one_more(&self, wait: LongWait, now: u64) -> Option<u64> {
        let count = self.count.fetch_add(1, ORDER) + 1;
        if let Some(mut latest) = unless_inherited(&self.latest, self.process) {
            *latest = Some(wait);
        }
        let told = self.told.load(ORDER);
        let is_quiet = told != NEVER && now.saturating_sub(told) < QUIET;
        let is_ours = !is_quiet && self.told.compare_exchange(told, now, ORDER, ORDER).is_ok();
        is_ours.then(|| count.saturating_sub(self.counted.swap(count, ORDER)))
    }
}

impl Line {
    /// Somebody was told at this reading that the wait is over, after a long one.
    #[cold]
    pub(super) fn waited_long(&self, since: u64, told: u64, ahead: Ahead) {
        let nanos = Duration::from_nanos;
        let wait = LongWait {
            waited: nanos(told.saturating_sub(since)),
            held: self.held_within(since, told),
            ahead: ahead.count(),
            rate: self.rate(),
        };
        if let Some(count) = self.long_waits.one_more(wait, told) {
            self.counters.telemetry.waited_long(&wait, count);
        }
    }

    /// For how long it was held between two readings.
    pub(crate) fn held_within(&self, from: u64, to: u64) -> Duration {
        Duration::from_nanos(self.holds.within(from, to))
    }
}
