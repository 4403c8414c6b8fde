//! The account's token bucket, as EC2 documents it: so many at the start, refilled at a steady rate.

use std::sync::Mutex;
use std::time::Instant;

/// A bucket that says no when it is empty.
pub(crate) struct Bucket {
    size: f64,
    per_second: f64,
    state: Mutex<(f64, Instant)>,
}

impl Bucket {
    pub(crate) fn new(size: u32, per_second: f64) -> Self {
        Self {
            size: f64::from(size),
            per_second,
            state: Mutex::new((f64::from(size), Instant::now())),
        }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        let now = Instant::now();
        let refilled = now.duration_since(state.1).as_secs_f64() * self.per_second;
        let level = (state.0 + refilled).min(self.size);
        let granted = level >= 1.0;
        *state = (if granted { level - 1.0 } else { level }, now);
        granted
    }
}
