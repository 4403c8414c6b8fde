//! [`Entry`]: a key's queue, and whether it is still the one.
//!
//! Forgetting a queue must not split a key into two, nor give back what was already used, so an entry has a state of its own:
//!
//! ```text
//!           evict, at rest and held by nobody else       still so
//!   LIVE ──────────────────────────────────► LEAVING ──────────────► GONE (and out of the map)
//!     ▲             asked for                   │                      ▲
//!     └─────────────────────────────────────────┘     replaced by another in the map, from any state
//! ```
//! Who asks takes hold of the queue first and then looks at the state; who evicts sets the state first and then looks who
//! holds the queue. With a fence between both, one of them sees the other.

use std::sync::atomic::{AtomicU8, Ordering, fence};

use crate::queue::ApiQueue;

const LIVE: u8 = 0;
const LEAVING: u8 = 1;
const GONE: u8 = 2;

#[derive(Debug)]
pub(super) struct Entry<K> {
    pub(super) key: K,
    /// None for a key without a limit.
    queue: Option<ApiQueue>,
    state: AtomicU8,
}

impl<K> Entry<K> {
    pub(super) fn new(key: K, queue: Option<ApiQueue>) -> Self {
        Self {
            key,
            queue,
            state: AtomicU8::new(LIVE),
        }
    }

    /// Takes hold of the queue. None when it is gone.
    pub(super) fn hold(&self) -> Option<Option<ApiQueue>> {
        let held = self.queue.clone();
        // Ordering: SeqCst, against the fence in `leave`: either this look sees `LEAVING`, or that one sees `held`.
        fence(Ordering::SeqCst);
        match self
            .state
            .compare_exchange(LEAVING, LIVE, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) | Err(LIVE) => Some(held),
            Err(_) => None,
        }
    }

    /// Whether it is gone, be it that it could be given up now. For one thread at a time: that which has taken it out of the order.
    pub(super) fn leave(&self) -> bool {
        // Ordering: AcqRel, here and below; nothing else goes by the state.
        let leaving =
            self.state
                .compare_exchange(LIVE, LEAVING, Ordering::AcqRel, Ordering::Acquire);
        if leaving.is_err() {
            // Replaced.
            return true;
        }
        fence(Ordering::SeqCst);
        let end = if self.is_at_rest() { GONE } else { LIVE };
        match self
            .state
            .compare_exchange(LEAVING, end, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => end == GONE,
            // Asked for, or replaced.
            Err(now) => now == GONE,
        }
    }

    /// The map has another in its place.
    pub(super) fn was_replaced(&self) {
        // Ordering: Release; who evicts only lets go of it.
        self.state.store(GONE, Ordering::Release);
    }

    fn is_at_rest(&self) -> bool {
        let Some(queue) = &self.queue else {
            return true;
        };
        let is_last = queue.is_last_handle();
        // Ordering: Acquire; what those did who held it before is seen by the next look.
        fence(Ordering::Acquire);
        is_last && queue.is_rested()
    }
}
