//! The end of a queue, and who waits for it.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

/// Tells that a queue has closed, or has drained to the last waiter.
#[derive(Debug, Default)]
pub(crate) struct End {
    reached: AtomicBool,
    /// Of those who wait for it.
    wakers: Mutex<Vec<Waker>>,
}

impl End {
    pub(crate) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    pub(crate) fn reached(&self) {
        if !self.reached.swap(true, Ordering::SeqCst) {
            let wakers = std::mem::take(&mut *self.wakers());
            for waker in wakers {
                // One that panics keeps nobody else from hearing of the end.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
            }
        }
    }

    pub(crate) fn poll(&self, waker: &Waker) -> Poll<()> {
        // Cloned first: user code must not run under the lock.
        let waker = waker.clone();
        {
            let mut wakers = self.wakers();
            // Looked at under the lock: who reaches the end takes the wakers after it is marked.
            if self.is_reached() {
                return Poll::Ready(());
            }
            if !wakers.iter().any(|other| other.will_wake(&waker)) {
                wakers.push(waker);
            }
        }
        Poll::Pending
    }

    fn wakers(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
