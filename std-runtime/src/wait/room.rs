//! [`Waiting`]: the wait for room in a full line.

use std::sync::Arc;
use std::task::{Poll, Waker};

use apiqueue_core::EnqueueError;

use crate::line::backlog::Entry;
use crate::line::{Line, Place};
use crate::wait::waiter::Waiter;

/// A hold on an entry of the backlog. Dropping it gives the turn up, and a place that came with it.
#[derive(Debug)]
pub(crate) struct Waiting {
    line: Arc<Line>,
    /// None in a forked child, where nobody would ever answer.
    entry: Option<Arc<Entry<Place>>>,
    /// Where this was made.
    process: u32,
}

impl Waiting {
    pub(crate) fn join(line: &Arc<Line>, weight: usize) -> Self {
        let entry = (!line.is_forked()).then(|| line.backlog.join(weight));
        let waiting = Self {
            line: Arc::clone(line),
            entry,
            process: std::process::id(),
        };
        if let Some(entry) = &waiting.entry {
            line.admit();
            if entry.waits() {
                line.wake_driver();
            }
        }
        waiting
    }

    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<Waiter, EnqueueError>> {
        match self.entry() {
            Some(entry) => entry.poll(waker).map_ok(Waiter::at),
            None => Poll::Ready(Err(EnqueueError::Closed)),
        }
    }

    /// None where this is the copy in a forked child, which may have copied its locks held.
    fn entry(&self) -> Option<&Arc<Entry<Place>>> {
        let is_ours = self.process == std::process::id();
        self.entry.as_ref().filter(|_| is_ours)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(entry) = self.entry() {
            self.line.backlog.leave(entry);
        }
    }
}
