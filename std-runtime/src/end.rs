//! The end of a queue, and who waits for it.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};

use crate::forked::unless_inherited;

/// Tells that a queue has closed, or has drained to the last waiter.
#[derive(Debug)]
pub(crate) struct End {
    reached: AtomicBool,
    /// Of those who wait for it.
    wakers: Mutex<Vec<Waker>>,
    /// Where this was made.
    process: u32,
}

impl End {
    pub(crate) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    pub(crate) fn reached(&self) {
        if !self.reached.swap(true, Ordering::SeqCst) {
            // Nobody waits in a forked child, where the lock may be another thread's for ever.
            let wakers = unless_inherited(&self.wakers, self.process)
                .map(|mut wakers| std::mem::take(&mut *wakers));
            for waker in wakers.unwrap_or_default() {
                // One that panics keeps nobody else from hearing of the end.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
            }
        }
    }

    pub(crate) fn poll(&self, waker: &Waker) -> Poll<()> {
        // Cloned first: user code must not run under the lock.
        let waker = waker.clone();
        {
            let Some(mut wakers) = unless_inherited(&self.wakers, self.process) else {
                return Poll::Ready(());
            };
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
}

impl Default for End {
    fn default() -> Self {
        Self {
            reached: AtomicBool::new(false),
            wakers: Mutex::default(),
            process: std::process::id(),
        }
    }
}
