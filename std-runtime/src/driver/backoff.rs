//! How a driver treats clocks of the user's that go slower than the system's, or stand, and sources of permits that ask for it in vain.

use std::sync::atomic::{AtomicU32, Ordering};

use apiqueue_core::Clock;

use crate::clock::MonotonicClock;

/// How often in a row the driver came at the time that it was told by the user's code, and found nothing to do yet. Only the driver's
/// own; atomic because it is shared.
#[derive(Debug, Default)]
pub(super) struct Backoff(AtomicU32);

impl Backoff {
    /// `at`, or later where the user's code, as `is_users` says, asks for it too early: a clock that goes slower than the system's, or
    /// stands, or a source of permits. The driver then comes back after 1 µs, 2 µs and so on up to 16 ms, so that it does not spin.
    pub(super) fn not_before(&self, at: u64, early: bool, is_users: bool) -> u64 {
        if !is_users {
            return at;
        }
        if !early {
            self.0.store(0, Ordering::Relaxed);
            return at;
        }
        let times = self.0.load(Ordering::Relaxed);
        self.0.store(times.saturating_add(1), Ordering::Relaxed);
        at.max(MonotonicClock.now().saturating_add(1000 << times.min(14)))
    }
}
