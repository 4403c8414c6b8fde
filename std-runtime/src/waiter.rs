//! What a caller holds while in line, and the three ways to wait.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use apiqueue_core::{Closed, Status};
use parking::Parker;

use crate::clock::MonotonicClock;
use crate::error::WaitError;
use crate::line::CoreWaiter;

/// A place in line, from [`ApiQueue::enqueue`](crate::ApiQueue::enqueue).
///
/// Look at [`is_waiting`](Self::is_waiting) now and then, block in [`wait`](Self::wait) or
/// [`wait_timeout`](Self::wait_timeout), or `.await` it on any executor.
///
/// It keeps its queue going: a waiter is released in its turn even if nobody else holds the queue any more.
///
/// # Cancel safety
/// Dropping a waiter leaves the line at once and costs nobody a turn; so does dropping a future that awaits it. If it
/// was released meanwhile and never told so, the permit goes to the next one, unless something was released or the rate
/// or hold changed since.
///
/// # Fairness
/// Strictly first in, first out, whichever way each of them waits.
#[must_use = "dropping a waiter leaves the line"]
pub struct Waiter {
    core: CoreWaiter,
}

impl Waiter {
    pub(crate) fn new(core: CoreWaiter) -> Self {
        Self { core }
    }

    /// Whether it still waits. False once released, and once the queue is closed: [`wait`](Self::wait) then returns at
    /// once and tells which.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// let queue = ApiQueue::builder().per_second(1000).start()?;
    /// let _first = queue.enqueue()?;
    /// let second = queue.enqueue()?;
    /// while second.is_waiting() {
    ///     std::thread::yield_now(); // or some work
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.core.is_waiting()
    }

    /// Waiting, released, or closed. Like every look at a waiter, this counts as telling its holder of the release.
    #[must_use]
    pub fn status(&self) -> Status {
        self.core.status()
    }

    /// How many are ahead, 0 for the next one; those who have left count until the head passes them. None when it does
    /// not wait any more.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.core.position()
    }

    /// When it will be released at the present rate and hold, if nobody ahead leaves. None when it does not wait any
    /// more, or that is too far away to be told.
    #[must_use]
    pub fn estimate(&self) -> Option<Instant> {
        self.core
            .estimate()
            .and_then(|at| MonotonicClock.instant(at))
    }

    /// Blocks this thread until the release. Allocates nothing after a thread's first wait.
    ///
    /// Not for a thread that drives the queue by hand, and not for async code: `.await` the waiter there.
    ///
    /// # Errors
    /// [`Closed`] when the queue is closed first.
    pub fn wait(self) -> Result<(), Closed> {
        self.block(None).unwrap_or(Err(Closed))
    }

    /// [`wait`](Self::wait), for `timeout` at most. Then the place is given up, which costs nobody a turn. A release
    /// that comes in the same moment counts.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, WaitError};
    /// use std::time::Duration;
    ///
    /// let queue = ApiQueue::builder().every(Duration::from_secs(60)).start()?;
    /// queue.enqueue()?.wait()?; // the first is free
    /// let timeout = Duration::from_millis(1);
    /// assert_eq!(queue.enqueue()?.wait_timeout(timeout), Err(WaitError::TimedOut { timeout }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] when the time is over first, [`WaitError::Closed`] when the queue is closed first.
    pub fn wait_timeout(self, timeout: Duration) -> Result<(), WaitError> {
        match self.block(Instant::now().checked_add(timeout)) {
            Some(outcome) => Ok(outcome?),
            None => Err(WaitError::TimedOut { timeout }),
        }
    }

    /// None when `until` came first.
    fn block(&self, until: Option<Instant>) -> Option<Result<(), Closed>> {
        match self.status() {
            Status::Waiting => {}
            Status::Released => return Some(Ok(())),
            Status::Closed => return Some(Err(Closed)),
        }
        let seat = Seat::take();
        let outcome = loop {
            if let Poll::Ready(outcome) = self.core.poll_release(&seat.waker) {
                break Some(outcome);
            }
            match until {
                None => seat.parker.park(),
                Some(until) => {
                    if !seat.parker.park_deadline(until) {
                        break match self.status() {
                            Status::Waiting => None,
                            Status::Released => Some(Ok(())),
                            Status::Closed => Some(Err(Closed)),
                        };
                    }
                }
            }
        };
        seat.put_back();
        outcome
    }
}

impl Future for Waiter {
    type Output = Result<(), Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.core).poll(cx)
    }
}

impl fmt::Debug for Waiter {
    /// Without the status: to look at that counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("queue", &self.core.queue().line().name)
            .finish_non_exhaustive()
    }
}

thread_local! {
    static SEAT: Cell<Option<Seat>> = const { Cell::new(None) };
}

/// What a thread sleeps in, kept from wait to wait.
///
/// A waker left behind in a slot may unpark the thread in a later wait; that looks again and sleeps on.
struct Seat {
    parker: Parker,
    waker: Waker,
}

impl Seat {
    fn take() -> Self {
        SEAT.try_with(Cell::take).ok().flatten().unwrap_or_else(|| {
            let (parker, unparker) = parking::pair();
            Self {
                parker,
                waker: unparker.into(),
            }
        })
    }

    fn put_back(self) {
        // Where the thread is just ending there is no place for it.
        let _ = SEAT.try_with(|place| place.set(Some(self)));
    }
}
