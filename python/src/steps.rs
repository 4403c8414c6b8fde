//! [`Steps`]: when waiters were released.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// When waiters were released, in milliseconds since 1970, while `debug` is on.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    is_on: Arc<AtomicBool>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// Between one reading of both clocks and now only the one counts that never jumps.
    base: Option<(Instant, Duration)>,
    steps: Vec<u64>,
}

impl Steps {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_on(&self) -> bool {
        // Ordering: Relaxed; whoever sets it is not waited for.
        self.is_on.load(Ordering::Relaxed)
    }

    pub(crate) fn set_on(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    /// One was released so long ago.
    pub(crate) fn add(&self, age: Duration) {
        if !self.is_on() {
            return;
        }
        let mut kept = self.kept();
        let (instant, epoch) = *kept.base.get_or_insert_with(|| {
            let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
            (Instant::now(), epoch.unwrap_or_default())
        });
        let at = (epoch + instant.elapsed()).saturating_sub(age);
        // Rounded down: two that are whole milliseconds apart stay so.
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        kept.steps.push(at);
    }

    /// In their order.
    pub(crate) fn all(&self) -> Vec<u64> {
        let mut steps = self.kept().steps.clone();
        steps.sort_unstable();
        steps
    }
}

pub(crate) fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
