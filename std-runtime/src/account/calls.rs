//! Queues that limit how many calls are under way: [`CallQueue`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use apiqueue_core::{Closed, EnqueueError, Left, Status};

use super::Account;
use crate::error::{StartError, WaitError};
use crate::line::Line;
use crate::queue::ApiQueue;
use crate::rate::Rate;
use crate::wait::block;
use crate::wait::waiter::Waiter;

/// A queue with at most so many calls under way: whoever is released holds a [`Call`] until the call is over.
///
/// ```
/// use apiqueue::{CallQueue, Rate};
///
/// let github = CallQueue::start(Rate::per_second(50)?, 100)?; // 50 a second, and 100 at once
/// let call = github.enqueue()?.wait()?;
/// // … the call …
/// drop(call); // the next one may begin
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Of an account it is made by [`MemberBuilder::start_calls`](crate::MemberBuilder::start_calls). A handle: clones mean the same
/// queue.
#[derive(Clone)]
pub struct CallQueue {
    queue: ApiQueue,
}

impl CallQueue {
    pub(super) fn new(queue: ApiQueue) -> Self {
        Self { queue }
    }

    /// A queue of this rate, with at most `at_most` calls under way, of no account.
    ///
    /// # Errors
    /// [`StartError`], naming the value and what it may be.
    pub fn start(rate: Rate, at_most: usize) -> Result<Self, StartError> {
        let alone = Account::builder().start();
        alone.queue().limit(rate).start_calls(at_most)
    }

    /// Takes the next place in line.
    ///
    /// # Errors
    /// As [`ApiQueue::enqueue`].
    pub fn enqueue(&self) -> Result<CallWaiter, EnqueueError> {
        self.enqueue_weighted(1)
    }

    /// [`enqueue`](Self::enqueue) for a call that costs `weight` permits of the rates. It is one call under way.
    ///
    /// # Errors
    /// As [`ApiQueue::enqueue_weighted`].
    pub fn enqueue_weighted(&self, weight: usize) -> Result<CallWaiter, EnqueueError> {
        Ok(CallWaiter {
            waiter: Some(self.queue.enqueue_weighted(weight)?),
        })
    }

    /// How many calls are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        let given = &self.queue.line().given;
        given.as_ref().map_or(0, |given| given.under_way())
    }

    /// The queue, for everything but enqueuing: rate, hold, stop, stats. Whoever enqueues on it directly holds no [`Call`], and
    /// counts as under way for ever.
    #[must_use]
    pub fn queue(&self) -> &ApiQueue {
        &self.queue
    }
}

impl fmt::Debug for CallQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallQueue")
            .field("queue", &self.queue)
            .field("under_way", &self.under_way())
            .finish()
    }
}

/// A place in line of a [`CallQueue`]: block in [`wait`](Self::wait), or `.await` it.
///
/// # Cancel safety
/// Dropping it leaves the line and costs nobody a turn. If it was released meanwhile, its call counts as over.
#[derive(Debug)]
#[must_use = "dropping a waiter leaves the line"]
pub struct CallWaiter {
    /// None once it has become a call.
    waiter: Option<Waiter>,
}

impl CallWaiter {
    /// Whether it still waits.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiter.as_ref().is_some_and(Waiter::is_waiting)
    }

    /// Blocks this thread until the release.
    ///
    /// # Errors
    /// [`Closed`] when the queue is closed first.
    pub fn wait(self) -> Result<Call, Closed> {
        self.block(None).unwrap_or(Err(Closed))
    }

    /// [`wait`](Self::wait), for `timeout` at most. Then the place is given up.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] when the time is over first, [`WaitError::Closed`] when the queue is closed first.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Call, WaitError> {
        match self.block(Instant::now().checked_add(timeout)) {
            Some(call) => Ok(call?),
            None => Err(WaitError::TimedOut { timeout }),
        }
    }

    fn block(mut self, until: Option<Instant>) -> Option<Result<Call, Closed>> {
        block::block_on(until, |waker| {
            Pin::new(&mut self).poll(&mut Context::from_waker(waker))
        })
    }
}

impl Future for CallWaiter {
    type Output = Result<Call, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(waiter) = &mut self.waiter else {
            // Polled after it was ready: there is no second call.
            return Poll::Ready(Err(Closed));
        };
        match Pin::new(waiter).poll(cx) {
            Poll::Ready(outcome) => {
                let line = self.waiter.take().map(|waiter| Arc::clone(waiter.line()));
                Poll::Ready(outcome.and_then(|()| line.map(|line| Call { line }).ok_or(Closed)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for CallWaiter {
    fn drop(&mut self) {
        let Some(mut waiter) = self.waiter.take() else {
            return;
        };
        let released = match waiter.leave() {
            Left::InLine => false,
            Left::Released => true,
            Left::Over => waiter.status() == Status::Released,
        };
        if released {
            // Gives the permit back where that can be, and the call is over either way.
            let line = Arc::clone(waiter.line());
            let _ = waiter.give_back();
            drop(Call { line });
        }
    }
}

/// A call that may be made, and is under way until this is dropped.
#[must_use = "dropping it says that the call is over"]
pub struct Call {
    line: Arc<Line>,
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(given) = &self.line.given {
            given.ended();
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("queue", &self.line.name)
            .finish_non_exhaustive()
    }
}
