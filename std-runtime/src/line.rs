//! What handles, waiters and the driver share: one core queue and what is known about it beside.

use std::ops::Deref;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use apiqueue_core::{EnqueueError, Next, QueueOver, Slot};

use crate::clock::MonotonicClock;
use crate::end::End;

pub(crate) type Queue = QueueOver<MonotonicClock, Box<[Slot]>>;
pub(crate) type CoreWaiter = apiqueue_core::Waiter<Place>;

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) queue: Queue,
    pub(crate) name: String,
    /// Wakes the driver. None when the user drives.
    pub(crate) bell: OnceLock<Waker>,
    pub(crate) end: End,
    /// Releases by `advance`, from whichever thread. Those that an `enter` makes for itself are not in it.
    released: AtomicUsize,
    /// Calls of `enter` under way.
    entering: AtomicUsize,
}

impl Line {
    pub(crate) fn new(queue: Queue, name: String) -> Self {
        Self {
            queue,
            name,
            bell: OnceLock::new(),
            end: End::default(),
            released: AtomicUsize::new(0),
            entering: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is_driven(&self) -> bool {
        self.bell.get().is_some()
    }

    /// Takes a place in line, or a free permit at once.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<CoreWaiter, EnqueueError> {
        let _entering = Counted::up(&self.entering);
        loop {
            let place = Place(Arc::clone(self));
            // Entering may release others and so call their wakers. One that panics must not cost this caller its
            // place; it is called once, so that this ends.
            if let Ok(entered) = panic::catch_unwind(AssertUnwindSafe(|| CoreWaiter::enter(place)))
            {
                return entered;
            }
        }
    }

    /// Whether some thread is inside `enter`, where it may release waiters uncounted.
    pub(crate) fn is_entered(&self) -> bool {
        self.entering.load(Ordering::SeqCst) != 0
    }

    /// `advance`, counted. With `waker`, that is left to be called when there is something to do again.
    ///
    /// None when a waker of a waiter panicked: come back at once.
    pub(crate) fn advance(&self, waker: Option<&Waker>) -> Option<apiqueue_core::Advance<u64>> {
        let advanced = panic::catch_unwind(AssertUnwindSafe(|| match waker {
            Some(waker) => self.queue.advance_with(waker),
            None => self.queue.advance(),
        }));
        let Ok(advanced) = advanced else {
            // The one whose waker it was. If others were released by the same call, as of a burst, they go uncounted.
            self.released.fetch_add(1, Ordering::SeqCst);
            return None;
        };
        self.released.fetch_add(advanced.released, Ordering::SeqCst);
        if advanced.next == Next::Closed {
            self.end.reached();
        }
        Some(advanced)
    }

    pub(crate) fn released(&self) -> usize {
        self.released.load(Ordering::SeqCst)
    }

    /// Closes the queue for good. Wakers that panic stop nobody else from being told.
    pub(crate) fn close(&self) {
        // Each panic is one waiter that was told, so there are at most `capacity` rounds.
        while panic::catch_unwind(AssertUnwindSafe(|| self.queue.close())).is_err() {}
        self.end.reached();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The driver finds its line gone, and forgets it.
        if let Some(bell) = self.bell.get() {
            bell.wake_by_ref();
        }
    }
}

/// How a waiter holds on to its line.
#[derive(Debug)]
pub(crate) struct Place(Arc<Line>);

impl Place {
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.0
    }
}

impl Deref for Place {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.0.queue
    }
}

impl Drop for Place {
    /// Comes after the core's waiter has left the line.
    fn drop(&mut self) {
        // The drain of a queue whose last waiters leave is over; nobody else would say so before the next slot.
        if self.0.queue.is_closed() && !self.0.end.is_reached() {
            self.0.queue.wake_driver();
        }
    }
}

/// One more while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn up(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
