//! [`Waiter`]: what a caller holds while in line, and the ways to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use apiqueue_core::{Closed, Status};

use crate::error::WaitError;
use crate::line::Place;
use crate::wait::block;
use crate::wait::turn::Turn;

/// A place in line, from [`ApiQueue::enqueue`](crate::ApiQueue::enqueue).
///
/// Ask [`try_wait`](Self::try_wait) now and then, block in [`wait`](Self::wait) or
/// [`wait_timeout`](Self::wait_timeout), or `.await` it on any executor: each gives a [`Turn`].
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
    place: Place,
}

impl Waiter {
    pub(crate) fn at(place: Place) -> Self {
        Self { place }
    }

    /// Whether it still waits: a look that changes nothing, for showing it. False once released, but also once the queue is closed:
    /// who is about to make a call asks [`try_wait`](Self::try_wait), which tells the two apart.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.place.is_waiting()
    }

    /// The turn of one that was released.
    #[inline(always)]
    fn turn(&mut self) -> Result<Turn<'static>, Closed> {
        // Polled after it was ready: there is no second turn.
        self.place.go().map(Turn::of).ok_or(Closed)
    }

    /// The turn, if it has come; none while it has not. The way to wait for who has other work to do meanwhile.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// let queue = ApiQueue::builder().per_second(1000).start()?;
    /// queue.wait_turn()?;
    /// let mut waiter = queue.enqueue()?;
    /// let turn = loop {
    ///     match waiter.try_wait()? {
    ///         Some(turn) => break turn,
    ///         None => std::thread::yield_now(), // or some work
    ///     }
    /// };
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Closed`] when the queue was closed first, and after the turn was given.
    pub fn try_wait(&mut self) -> Result<Option<Turn<'static>>, Closed> {
        match self.place.status() {
            Status::Waiting => Ok(None),
            Status::Released => self.turn().map(Some),
            Status::Closed => Err(Closed),
        }
    }

    /// How many are ahead, 0 for the next one; those who have left count until the head passes them. None when it does
    /// not wait any more.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.place.position()
    }

    /// When it will be released at the present rate and hold, if nobody ahead leaves; where others share the limits, at the
    /// earliest. None when it does not wait any more, or nobody can tell.
    #[must_use]
    pub fn estimate(&self) -> Option<Instant> {
        self.place.estimate()
    }

    /// Blocks this thread until the release. Allocates nothing after a thread's first wait.
    ///
    /// Not for a thread that drives the queue by hand, and not for async code: `.await` the waiter there.
    ///
    /// # Errors
    /// [`Closed`] when the queue is closed first.
    #[inline]
    pub fn wait(mut self) -> Result<Turn<'static>, Closed> {
        if self.place.has_passed() {
            return self.turn();
        }
        self.block(None).unwrap_or(Err(Closed))
    }

    /// [`wait`](Self::wait), for `timeout` at most. It keeps its place: who does not wait on drops it, which costs nobody a turn.
    /// A release that comes in the same moment counts.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, WaitError};
    /// use std::time::Duration;
    ///
    /// let queue = ApiQueue::builder().every(Duration::from_millis(20)).start()?;
    /// queue.enqueue()?.wait()?; // the first is free
    /// let mut waiter = queue.enqueue()?;
    /// let turn = loop {
    ///     match waiter.wait_timeout(Duration::from_millis(5)) {
    ///         Err(WaitError::TimedOut { .. }) => println!("still waiting"),
    ///         other => break other?,
    ///     }
    /// };
    /// assert!(turn.waited() <= Duration::from_secs(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] when the time is over first, [`WaitError::Closed`] when the queue is closed first.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Turn<'static>, WaitError> {
        match self.block(Instant::now().checked_add(timeout)) {
            Some(turn) => Ok(turn?),
            None => self.try_wait()?.ok_or(WaitError::TimedOut { timeout }),
        }
    }

    /// None when `until` came first.
    #[cold]
    fn block(&mut self, until: Option<Instant>) -> Option<Result<Turn<'static>, Closed>> {
        match self.place.status() {
            Status::Waiting => block::block_on(until, |waker| self.poll_turn(waker)),
            Status::Released => Some(self.turn()),
            Status::Closed => Some(Err(Closed)),
        }
    }

    fn poll_turn(&mut self, waker: &Waker) -> Poll<Result<Turn<'static>, Closed>> {
        match self.place.poll(waker) {
            Poll::Ready(outcome) => Poll::Ready(outcome.and_then(|()| self.turn())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Future for Waiter {
    type Output = Result<Turn<'static>, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_turn(cx.waker())
    }
}

impl fmt::Debug for Waiter {
    /// Without the status: to look at that counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("queue", &self.place.line().map(|line| &line.name))
            .finish_non_exhaustive()
    }
}
