//! The account's token buckets, one for each action: so many calls at the start, refilled at a steady rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{self, Limit};

/// All buckets of all accounts.
pub struct Buckets {
    scanned: Limit,
    scale: f64,
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    buckets: Mutex<HashMap<Key, Bucket>>,
}

/// An account, an action, and whether filters or pages make it a cheaper one.
type Key = (String, String, bool);

impl Buckets {
    /// Refills go `scale` times faster than EC2's. `scanned` is the limit of the action that the scanner calls.
    #[must_use]
    pub fn new(scanned: Limit, scale: f64) -> Self {
        let began = Instant::now();
        Self {
            scanned,
            scale,
            now: Box::new(move || began.elapsed()),
            buckets: Mutex::default(),
        }
    }

    /// Refilled by this clock in place of the system's: it tells the time since whenever it began, and never goes back.
    #[must_use]
    pub fn by_clock(self, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            now: Box::new(now),
            ..self
        }
    }

    /// Takes one call from `account`'s bucket for `action`, if it has one.
    pub(crate) fn take(&self, account: &str, action: &str, narrowed: bool) -> bool {
        let key = (account.to_owned(), action.to_owned(), narrowed);
        let now = (self.now)();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets
            .entry(key)
            .or_insert_with(|| {
                let Limit { size, refill } = limits::of(action, narrowed, self.scanned);
                Bucket::new(size, refill * self.scale, now)
            })
            .take(now)
    }
}

/// A bucket that says no when it is empty.
struct Bucket {
    size: f64,
    per_second: f64,
    level: f64,
    at: Duration,
}

impl Bucket {
    fn new(size: u32, per_second: f64, at: Duration) -> Self {
        let size = f64::from(size);
        Self {
            size,
            per_second,
            level: size,
            at,
        }
    }

    fn take(&mut self, now: Duration) -> bool {
        // Readings of two callers may come in the other order.
        let refilled = now.saturating_sub(self.at).as_secs_f64() * self.per_second;
        self.at = self.at.max(now);
        self.level = (self.level + refilled).min(self.size);
        let granted = self.level >= 1.0;
        if granted {
            self.level -= 1.0;
        }
        granted
    }
}
