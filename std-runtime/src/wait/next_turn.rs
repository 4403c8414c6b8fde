//! Place and turn in one call: [`ApiQueue::wait_turn`], [`ApiQueue::turn`].
//!
//! Where nobody is in line and a permit is free, they borrow the queue, count on no `Arc`, and make no waiter.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use apiqueue_core::Closed;

use crate::error::WaitError;
use crate::queue::ApiQueue;
use crate::wait::place::Enqueue;
use crate::wait::turn::Turn;
use crate::wait::waiter::Waiter;

impl ApiQueue {
    /// Blocks this thread until its turn, in line with all others: a place, where need be as soon as there is room, and the
    /// wait for its release. The quickest way where a permit is free.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// let ec2 = ApiQueue::builder().per_second(1000).start()?;
    /// for _ in 0..3 {
    ///     ec2.wait_turn()?;
    ///     // the call
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Not for a thread that drives the queue by hand, and not for async code: `.await` [`turn`](Self::turn) there.
    ///
    /// # Errors
    /// [`Closed`] when the queue is stopped before.
    #[inline]
    pub fn wait_turn(&self) -> Result<Turn<'_>, Closed> {
        match self.pass() {
            Some(turn) => Ok(turn),
            None => self.wait_in_line(),
        }
    }

    #[cold]
    fn wait_in_line(&self) -> Result<Turn<'_>, Closed> {
        self.enqueue_wait()?.wait()
    }

    /// [`wait_turn`](Self::wait_turn) for `timeout` at most, the wait for room included. Then the place is given up, which
    /// costs nobody a turn.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] when the time is over first, [`WaitError::Closed`] when the queue is stopped first.
    pub fn wait_turn_timeout(&self, timeout: Duration) -> Result<Turn<'_>, WaitError> {
        if let Some(turn) = self.pass() {
            return Ok(turn);
        }
        let begun = Instant::now();
        let mut waiter = self.enqueue_wait_timeout(timeout)?;
        match waiter.wait_timeout(timeout.saturating_sub(begun.elapsed())) {
            Err(WaitError::TimedOut { .. }) => Err(WaitError::TimedOut { timeout }),
            other => other,
        }
    }

    /// The async twin of [`wait_turn`](Self::wait_turn).
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use apiqueue::ApiQueue;
    ///
    /// let ec2 = ApiQueue::builder().per_second(1000).start()?;
    /// for _ in 0..3 {
    ///     ec2.turn().await?;
    ///     // the call
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// The place is taken at the first poll, not by this call.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the line, or the wait for room, and costs nobody a turn; see [`Waiter`].
    pub fn turn(&self) -> NextTurn<'_> {
        NextTurn {
            stage: Stage::Begin(self),
        }
    }
}

/// A turn to come, from [`ApiQueue::turn`]. Says [`Closed`] when the queue is stopped first.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextTurn<'q> {
    stage: Stage<'q>,
}

#[derive(Debug)]
enum Stage<'q> {
    Begin(&'q ApiQueue),
    Place(Enqueue),
    Line(Waiter),
    Over,
}

impl<'q> Future for NextTurn<'q> {
    type Output = Result<Turn<'q>, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let outcome = match &mut self.stage {
                Stage::Begin(queue) => {
                    let queue: &'q ApiQueue = queue;
                    match queue.pass() {
                        Some(turn) => Ok(turn),
                        None => {
                            self.stage = Stage::Place(queue.enqueue_async());
                            continue;
                        }
                    }
                }
                Stage::Place(place) => match ready!(Pin::new(place).poll(cx)) {
                    Ok(waiter) => {
                        self.stage = Stage::Line(waiter);
                        continue;
                    }
                    Err(closed) => Err(closed),
                },
                Stage::Line(waiter) => ready!(Pin::new(waiter).poll(cx)),
                // Polled after it was ready: there is no second turn.
                Stage::Over => Err(Closed),
            };
            self.stage = Stage::Over;
            return Poll::Ready(outcome);
        }
    }
}
