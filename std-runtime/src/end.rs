//! The end of a queue, and who waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Tells that a queue has closed, or has drained to the last waiter.
#[derive(Debug, Default)]
pub(crate) struct End {
    reached: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl End {
    pub(crate) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    pub(crate) fn reached(&self) {
        if !self.reached.swap(true, Ordering::SeqCst) {
            // Held for a moment, so that no waiter is between its look and its sleep.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
        }
    }

    /// Blocks until then, or until `until`.
    pub(crate) fn wait(&self, until: Option<Instant>) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_reached() {
            guard = match until {
                None => self
                    .changed
                    .wait(guard)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.changed
                        .wait_timeout(guard, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}
