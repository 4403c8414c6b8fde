//! The ready list: how whoever wakes the driver for a queue hands that to it: a list, a flag for each queue, and an unpark.
//!
//! ```text
//!   waking                                     the driver
//!   listed.swap(true) was false?               take the list
//!     push on the list                         for each: listed.swap(false), then look at the queue
//!     unpark                                   nothing due: park
//! ```
//! A queue is on the list at most once. A wake that finds the flag set is served by the look that clears it: that comes
//! after the swap to false, which sees what came before the wake's swap to true. An unpark before the park makes that
//! return at once. The loom models of this module (`tests/tests/loom/ready_list.rs`, which takes
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
pub(crate) struct Listed(AtomicBool);

/// The queues that the driver was woken for and has not looked at since.
#[derive(Debug)]
pub(crate) struct ReadyList<E> {
    /// None once the driver has ended: whoever comes then is let go.
    list: Mutex<Option<Vec<E>>>,
}

impl Listed {
    /// Not on the list.
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// For the driver, before it looks at the queue: a wake from here on is a new one.
    pub(crate) fn clear(&self) {
        // Ordering: AcqRel; see the head of this page.
        self.0.swap(false, Ordering::AcqRel);
    }
}

impl Default for Listed {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> ReadyList<E> {
    /// An empty list.
    pub(crate) fn new() -> Self {
        Self {
            list: Mutex::new(Some(Vec::new())),
        }
    }

    /// Has the driver look at the queue whose flag this is.
    pub(crate) fn push(&self, listed: &Listed, entry: impl FnOnce() -> E, unpark: impl FnOnce()) {
        // Ordering: AcqRel; see the head of this page.
        if listed.0.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(list) = &mut *self.list() {
            list.push(entry());
        }
        unpark();
    }

    /// Swaps the list with `into`, which is empty.
    pub(crate) fn take(&self, into: &mut Vec<E>) {
        if let Some(list) = &mut *self.list() {
            std::mem::swap(list, into);
        }
    }

    /// The driver has ended.
    pub(crate) fn end(&self) -> Option<Vec<E>> {
        self.list().take()
    }

    fn list(&self) -> MutexGuard<'_, Option<Vec<E>>> {
        // No user code runs under this lock.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Default for ReadyList<E> {
    fn default() -> Self {
        Self::new()
    }
}
