//! The end of a queue, and who waits for it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};

use crate::forked::unless_inherited;
use crate::guarded::guarded;

/// Tells that a queue has closed, or has drained to the last waiter.
#[derive(Debug)]
pub(crate) struct End {
    reached: AtomicBool,
    wakers: Mutex<Wakers>,
    /// Where this was made.
    process: u32,
}

/// Of those who wait for it, each by a number of its own.
#[derive(Debug, Default)]
struct Wakers {
    next: u64,
    waiting: Vec<(u64, Waker)>,
}

/// One who waits for the end. Dropping it takes its waker back.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    end: &'a End,
    number: Option<u64>,
}

impl End {
    pub(crate) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    pub(crate) fn reached(&self) {
        if !self.reached.swap(true, Ordering::SeqCst) {
            // Nobody waits in a forked child, where the lock may be another thread's for ever.
            let waiting = unless_inherited(&self.wakers, self.process)
                .map(|mut wakers| std::mem::take(&mut wakers.waiting));
            for (_, waker) in waiting.unwrap_or_default() {
                // One that panics keeps nobody else from hearing of the end.
                guarded(|| waker.wake());
            }
        }
    }

    pub(crate) fn watch(&self) -> Watch<'_> {
        Watch {
            end: self,
            number: None,
        }
    }
}

impl Watch<'_> {
    /// Leaves `waker` in place of the one before.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<()> {
        let end = self.end;
        // Cloned first, and dropped last: user code must not run under the lock.
        let waker = waker.clone();
        let before = {
            let Some(mut wakers) = unless_inherited(&end.wakers, end.process) else {
                return Poll::Ready(());
            };
            // Looked at under the lock: who reaches the end takes the wakers after it is marked.
            if end.is_reached() {
                return Poll::Ready(());
            }
            let number = *self.number.get_or_insert_with(|| {
                wakers.next += 1;
                wakers.next
            });
            match wakers.waiting.iter_mut().find(|(of, _)| *of == number) {
                Some((_, before)) => Some(std::mem::replace(before, waker)),
                None => {
                    wakers.waiting.push((number, waker));
                    None
                }
            }
        };
        drop(before);
        Poll::Pending
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let left = unless_inherited(&self.end.wakers, self.end.process).and_then(|mut wakers| {
            let at = wakers.waiting.iter().position(|(of, _)| *of == number)?;
            Some(wakers.waiting.swap_remove(at))
        });
        guarded(|| drop(left));
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
