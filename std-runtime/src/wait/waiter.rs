//! What a caller holds while in line, and the three ways to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use apiqueue_core::{Closed, Left, Status};

use crate::error::WaitError;
use crate::guarded::guarded;
use crate::line::{CoreWaiter, Line};
use crate::wait::block;

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
    /// When it took its place, until the wait has been counted.
    since: AtomicU64,
}

/// There is no wait to count.
const COUNTED: u64 = u64::MAX;

impl Waiter {
    /// One that has its permit.
    pub(crate) fn passed(core: CoreWaiter) -> Self {
        Self::joined(core, COUNTED)
    }

    /// One that has to wait, from this reading on.
    pub(crate) fn joined(core: CoreWaiter, since: u64) -> Self {
        Self {
            core,
            since: AtomicU64::new(since),
        }
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        self.core.queue().line()
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
        self.status() == Status::Waiting
    }

    /// Waiting, released, or closed. Like every look at a waiter, this counts as telling its holder of the release.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.core.status() {
            Status::Released => {
                self.count();
                Status::Released
            }
            // Nobody drives the queue here.
            Status::Waiting if self.line().is_forked() => Status::Closed,
            other => other,
        }
    }

    /// Counts the wait, once.
    fn count(&self) {
        // Ordering: Relaxed; only a number, and the swap has it counted once.
        if self.since.load(Ordering::Relaxed) != COUNTED {
            let since = self.since.swap(COUNTED, Ordering::Relaxed);
            if since != COUNTED {
                let line = self.line();
                line.counters.waited(line.now().saturating_sub(since));
            }
        }
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
            .and_then(|at| self.core.queue().clock().instant(at))
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
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<(), WaitError> {
        if let Some(outcome) = self.block(Instant::now().checked_add(timeout)) {
            return Ok(outcome?);
        }
        match self.leave() {
            Left::Released => Ok(()),
            Left::InLine | Left::Over => Err(WaitError::TimedOut { timeout }),
        }
    }

    /// None when `until` came first.
    fn block(&self, until: Option<Instant>) -> Option<Result<(), Closed>> {
        match self.status() {
            Status::Waiting => block::block_on(until, |waker| self.poll_release(waker)),
            Status::Released => Some(Ok(())),
            Status::Closed => Some(Err(Closed)),
        }
    }

    fn poll_release(&self, waker: &Waker) -> Poll<Result<(), Closed>> {
        match self.core.poll_release(waker) {
            Poll::Ready(outcome) => {
                if outcome.is_ok() {
                    self.count();
                }
                Poll::Ready(outcome)
            }
            Poll::Pending if self.line().is_forked() => Poll::Ready(Err(Closed)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Gives the permit back, when the call will not be made after all: the next one then goes early. Says whether it
    /// could be: not before the release, and not once another was released or the rate or hold has changed.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    /// use std::time::Duration;
    ///
    /// let queue = ApiQueue::builder().every(Duration::from_secs(3600)).start()?;
    /// let waiter = queue.enqueue()?;
    /// assert!(!waiter.is_waiting());
    /// assert!(waiter.give_back()); // the answer was in the cache
    /// queue.enqueue()?.wait()?; // not an hour later
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn give_back(mut self) -> bool {
        let given = self.core.give_back();
        if given {
            self.line().gave_back(self.core.weight());
        }
        given
    }

    pub(crate) fn leave(&mut self) -> Left {
        // Only who was in line leaves a waker behind, whose drop is user code. The core then has not looked who is next.
        let left = guarded(|| self.core.leave()).unwrap_or_else(|| {
            self.line().wake_driver();
            Left::InLine
        });
        match left {
            Left::InLine => {
                let line = self.core.queue().line();
                line.counters.cancelled();
                line.backlog.admit(line);
                // The drain of a queue whose last waiters leave is over; nobody else would say so before the next slot.
                if line.queue.is_closed() && !line.end.is_reached() {
                    line.wake_driver();
                    line.look_for_the_end();
                }
            }
            Left::Released => self.count(),
            Left::Over => {}
        }
        left
    }
}

impl Future for Waiter {
    type Output = Result<(), Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_release(cx.waker())
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.leave() == Left::Released && self.core.give_back() {
            self.line().gave_back(self.core.weight());
        }
    }
}

impl fmt::Debug for Waiter {
    /// Without the status: to look at that counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("queue", &self.line().name)
            .finish_non_exhaustive()
    }
}
