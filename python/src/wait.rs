//! [`Wait`]: a place in line and the turn, as one wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use apiqueue::core::EnqueueError;
use apiqueue::{ApiQueue, Closed, Turn};
use pyo3::prelude::*;

use crate::block::block_on;
use crate::errors::{Timeout, enqueue};

pub(crate) enum Wait {
    /// For a place, of a line that is full.
    Place(Pin<Box<dyn Future<Output = Result<apiqueue::Waiter, EnqueueError>> + Send>>),
    Line(apiqueue::Waiter),
}

impl Wait {
    /// A place now, and an error where there is none.
    pub(crate) fn now(queue: &ApiQueue, weight: usize) -> Result<Self, EnqueueError> {
        let waiter = match weight {
            1 => queue.enqueue(),
            weight => queue.enqueue_weighted(weight),
        };
        waiter.map(Self::Line)
    }

    /// A place as soon as there is one.
    pub(crate) fn begin(queue: &ApiQueue, weight: usize) -> Result<Self, EnqueueError> {
        if queue.len() < queue.capacity() {
            match Self::now(queue, weight) {
                Err(EnqueueError::Full { .. }) => {}
                wait => return wait,
            }
        }
        // Told now, and not when there is a place.
        let max = queue.rate().burst_size();
        if weight > max {
            return Err(EnqueueError::Weight { weight, max });
        }
        let queue = queue.clone();
        let place = async move { queue.enqueue_weighted_async(weight).await };
        Ok(Self::Place(Box::pin(place)))
    }

    /// Whether it waits. False also when the queue is closed.
    pub(crate) fn is_waiting(&self) -> bool {
        match self {
            Self::Place(_) => true,
            Self::Line(waiter) => waiter.is_waiting(),
        }
    }

    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Result<Turn<'static>, EnqueueError>> {
        let mut context = Context::from_waker(waker);
        loop {
            match self {
                Self::Place(place) => match place.as_mut().poll(&mut context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
                    Poll::Ready(Ok(waiter)) => *self = Self::Line(waiter),
                },
                Self::Line(waiter) => {
                    let turn = Pin::new(waiter).poll(&mut context);
                    return turn.map_err(|Closed| EnqueueError::Closed);
                }
            }
        }
    }

    /// The turn, if it has come.
    pub(crate) fn look(&mut self) -> Result<Option<Turn<'static>>, EnqueueError> {
        match self {
            Self::Line(waiter) => waiter.try_wait().map_err(|Closed| EnqueueError::Closed),
            Self::Place(_) => match self.poll(Waker::noop()) {
                Poll::Ready(turn) => turn.map(Some),
                Poll::Pending => Ok(None),
            },
        }
    }

    /// Blocks this thread, without the interpreter's lock, until the turn comes, for `timeout` at most. On the main thread signals are
    /// handled meanwhile, and what they raise ends the wait.
    pub(crate) fn block(
        &mut self,
        py: Python<'_>,
        timeout: Option<Duration>,
    ) -> PyResult<Turn<'static>> {
        if let Some(turn) = self.look().map_err(enqueue)? {
            return Ok(turn);
        }
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        match block_on(py, until, |waker| self.poll(waker))? {
            Some(turn) => turn.map_err(enqueue),
            None => {
                let seconds = timeout.unwrap_or_default().as_secs_f64();
                let why = format!("the turn did not come within {seconds} s");
                Err(Timeout::new_err(why))
            }
        }
    }
}

/// For a wait that has begun and may have failed to.
pub(crate) fn begun(wait: Result<Wait, EnqueueError>) -> PyResult<Wait> {
    wait.map_err(enqueue)
}
