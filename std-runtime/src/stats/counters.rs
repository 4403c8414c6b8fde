//! What a queue counts of itself while it runs: a few relaxed additions a call, and no allocation after the first wait.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use histogram::{AtomicHistogram, Histogram};
use once_cell::race::OnceBox;

use crate::forked::unless_inherited;
use crate::stats::passes::Passes;
use crate::stats::telemetry::Telemetry;
use crate::stats::{Intervals, Waits};

/// Intervals are told of the last so many releases.
const WINDOW: usize = 256;
/// 16 buckets for each power of two, up to 2⁴⁴ ns (about 5 hours): 5 KB, and percentiles are within 3.2 %.
const BUCKETS: (u8, u8) = (4, 44);
/// No release yet.
const NEVER: u64 = u64::MAX;

// Ordering: Relaxed throughout. The counts are for people; each is exact, but no two are of the same moment.
const ORDER: Ordering = Ordering::Relaxed;

/// The counts of one queue. Readings and spans are nanoseconds.
#[derive(Debug)]
pub(crate) struct Counters {
    /// How many took a place and had to wait.
    joined: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
    given_back: AtomicU64,
    last: AtomicU64,
    /// Written by whoever drives, for the length of a few stores.
    window: Mutex<Option<Box<Window>>>,
    waits: OnceBox<Option<AtomicHistogram>>,
    longest: AtomicU64,
    pub(crate) telemetry: Telemetry,
    /// Where this was made.
    process: u32,
}

impl Counters {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            joined: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            given_back: AtomicU64::new(0),
            last: AtomicU64::new(NEVER),
            window: Mutex::new(None),
            waits: OnceBox::new(),
            process: std::process::id(),
            longest: AtomicU64::new(0),
            telemetry: Telemetry::new(name),
        }
    }

    /// Somebody took a place and has to wait.
    pub(crate) fn joined(&self) {
        self.joined.fetch_add(1, ORDER);
    }

    /// Somebody who had not to wait knows of the permit: for the ecosystems, as `passes` has the count.
    #[inline]
    pub(crate) fn passed(&self) {
        self.telemetry.waited(Duration::ZERO);
    }

    /// Somebody left before hearing of a release.
    pub(crate) fn cancelled(&self) {
        self.cancelled.fetch_add(1, ORDER);
        self.telemetry.cancelled();
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, ORDER);
        self.telemetry.refused();
    }

    /// A permit was given back by one who knew of it.
    pub(crate) fn gave_back(&self) {
        self.given_back.fetch_add(1, ORDER);
    }

    pub(crate) fn given_back(&self) -> u64 {
        self.given_back.load(ORDER)
    }

    /// `count` waiters were released at `now`.
    pub(crate) fn released(&self, now: u64, count: usize, passes: &Passes) {
        if count == 0 {
            return;
        }
        let before = latest(self.last.swap(now, ORDER), passes);
        // Another thread may have recorded a later release meanwhile: then there was no time between.
        let first = before.map(|before| now.saturating_sub(before));
        let others = 1..count.min(WINDOW + 1);
        {
            let Some(mut window) = unless_inherited(&self.window, self.process) else {
                return;
            };
            let window = window.get_or_insert_with(Box::default);
            if let Some(interval) = first {
                window.push(interval);
            }
            others.clone().for_each(|_| window.push(0));
        }
        if let Some(interval) = first {
            self.telemetry.interval(Duration::from_nanos(interval));
        }
        others.for_each(|_| self.telemetry.interval(Duration::ZERO));
    }

    /// Somebody who took a place has seen the release after so many nanoseconds.
    pub(crate) fn waited(&self, nanos: u64) {
        let waits = self
            .waits
            .get_or_init(|| Box::new(AtomicHistogram::new(BUCKETS.0, BUCKETS.1).ok()));
        if let Some(waits) = waits {
            // What is too long for the last bucket counts there.
            let _ = waits.increment(nanos.min((1 << BUCKETS.1) - 1));
        }
        self.longest.fetch_max(nanos, ORDER);
        self.telemetry.waited(Duration::from_nanos(nanos));
    }

    /// Of all who took a place or `passed`, those who are neither `waiting` nor gone were released.
    pub(crate) fn released_of(&self, waiting: usize, passed: u64) -> u64 {
        let gone = self.cancelled.load(ORDER).saturating_add(waiting as u64);
        let came = self.joined.load(ORDER).saturating_add(passed);
        came.saturating_sub(gone)
    }

    pub(crate) fn cancelled_count(&self) -> u64 {
        self.cancelled.load(ORDER)
    }

    pub(crate) fn refused_count(&self) -> u64 {
        self.refused.load(ORDER)
    }

    pub(crate) fn since_last(&self, now: u64, passes: &Passes) -> Option<Duration> {
        let last = latest(self.last.load(ORDER), passes)?;
        Some(Duration::from_nanos(now.saturating_sub(last)))
    }

    pub(crate) fn intervals(&self) -> Option<Intervals> {
        let window = unless_inherited(&self.window, self.process)?;
        window.as_ref().and_then(|window| window.told())
    }

    pub(crate) fn waits(&self, passed: u64) -> Option<Waits> {
        let mut waits = match self.waits.get() {
            Some(Some(waits)) => waits.load(),
            _ => Histogram::new(BUCKETS.0, BUCKETS.1).ok()?,
        };
        let _ = waits.add(0, passed);
        let longest = self.longest.load(ORDER);
        let at = |quantile: f64| -> Option<Duration> {
            let bucket = waits.quantile_bucket(quantile).ok()??;
            let middle = bucket.start() + (bucket.end() - bucket.start()) / 2;
            Some(Duration::from_nanos(middle.min(longest)))
        };
        Some(Waits {
            count: waits.as_slice().iter().sum(),
            p50: at(0.5)?,
            p99: at(0.99)?,
            max: Duration::from_nanos(longest),
        })
    }
}

/// When the latest went, of those released, at `last`, and those who passed.
fn latest(last: u64, passes: &Passes) -> Option<u64> {
    let released = (last != NEVER).then_some(last);
    released.max(passes.latest())
}

/// The last intervals, in a ring.
#[derive(Debug)]
struct Window {
    intervals: [u64; WINDOW],
    /// How many were ever pushed.
    pushed: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            intervals: [0; WINDOW],
            pushed: 0,
        }
    }
}

impl Window {
    fn push(&mut self, interval: u64) {
        if let Some(place) = self.intervals.get_mut(self.pushed % WINDOW) {
            *place = interval;
        }
        self.pushed = self.pushed.wrapping_add(1);
    }

    fn told(&self) -> Option<Intervals> {
        let mut sorted: Vec<u64> = self.intervals.iter().copied().take(self.pushed).collect();
        sorted.sort_unstable();
        let count = sorted.len();
        let last = count.checked_sub(1)?;
        let mean = sorted.iter().map(|&n| n as f64).sum::<f64>() / count as f64;
        let squares: f64 = sorted.iter().map(|&n| (n as f64 - mean).powi(2)).sum();
        // The nearest rank.
        let at = |percent: usize| {
            let rank = (count * percent).div_ceil(100).saturating_sub(1).min(last);
            sorted.get(rank).copied().map(Duration::from_nanos)
        };
        Some(Intervals {
            count,
            mean: Duration::from_nanos(mean.round() as u64),
            deviation: Duration::from_nanos((squares / count as f64).sqrt().round() as u64),
            p50: at(50)?,
            p99: at(99)?,
        })
    }
}
