//! Those who got a permit without waiting: how many, and when the latest did. In the cache line of the schedule, which each of
//! them has in hand anyway.

use std::sync::atomic::{AtomicU64, Ordering};

// Ordering: Relaxed throughout, as in `counters`.
const ORDER: Ordering = Ordering::Relaxed;

#[derive(Debug, Default)]
pub(crate) struct Passes {
    count: AtomicU64,
    /// As the queue's clock told it. Nothing where the count is 0.
    latest: AtomicU64,
}

impl Passes {
    /// One more, at this reading of the clock.
    #[inline]
    pub(crate) fn count(&self, at: u64) {
        self.count.fetch_add(1, ORDER);
        self.latest.store(at, ORDER);
    }

    pub(crate) fn so_far(&self) -> u64 {
        self.count.load(ORDER)
    }

    pub(crate) fn latest(&self) -> Option<u64> {
        (self.so_far() > 0).then(|| self.latest.load(ORDER))
    }
}
