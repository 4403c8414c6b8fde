//! How whoever rings for a queue hands it to the sleeping driver: a list, a mark for each queue, and an unpark.
//!
//! ```text
//!   ringing                                    the driver
//!   mark.swap(true) was false?                 take the list
//!     push on the list                         for each: mark.swap(false), then look at the queue
//!     unpark                                   nothing due: park
//! ```
//! A queue is on the list at most once. A ring that finds the mark set is served by the look that clears it: that comes
//! after the swap to false, which sees what came before the ring's swap to true. An unpark before the park makes that
//! return at once. The loom models of this module (`tests/tests/loom/handover.rs`, which takes
//! this very file in) put a real core queue behind it.

#[cfg(loom)]
use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
#[cfg(not(loom))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use std::sync::PoisonError;

/// Whether a queue is on the list.
#[derive(Debug)]
pub(crate) struct Mark(AtomicBool);

/// The queues that were rung for and not looked at since.
#[derive(Debug)]
pub(crate) struct ReadyList<E> {
    /// None once the driver has ended: what rings then is let go.
    rung: Mutex<Option<Vec<E>>>,
}

impl Mark {
    /// Not on the list.
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// For the driver, before it looks at the queue: a ring from here on is a new one.
    pub(crate) fn clear(&self) {
        // Ordering: AcqRel; see the head of this page.
        self.0.swap(false, Ordering::AcqRel);
    }
}

impl Default for Mark {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> ReadyList<E> {
    /// An empty list.
    pub(crate) fn new() -> Self {
        Self {
            rung: Mutex::new(Some(Vec::new())),
        }
    }

    /// Has the driver look at the queue whose mark this is.
    pub(crate) fn ring(&self, mark: &Mark, entry: impl FnOnce() -> E, unpark: impl FnOnce()) {
        // Ordering: AcqRel; see the head of this page.
        if mark.0.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(rung) = &mut *self.rung() {
            rung.push(entry());
        }
        unpark();
    }

    /// Swaps the list with `into`, which is empty.
    pub(crate) fn take(&self, into: &mut Vec<E>) {
        if let Some(rung) = &mut *self.rung() {
            std::mem::swap(rung, into);
        }
    }

    /// The driver has ended.
    pub(crate) fn end(&self) -> Option<Vec<E>> {
        self.rung().take()
    }

    fn rung(&self) -> MutexGuard<'_, Option<Vec<E>>> {
        // No user code runs under this lock.
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Default for ReadyList<E> {
    fn default() -> Self {
        Self::new()
    }
}
