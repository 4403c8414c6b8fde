//! [`Enqueue`]: the future of a place in line.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use apiqueue_core::Closed;

use crate::wait::room::Waiting;
use crate::wait::waiter::Waiter;

/// A place in line as soon as there is room, from [`ApiQueue::enqueue_async`](crate::ApiQueue::enqueue_async). Says
/// [`Closed`] when the queue is stopped first.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Enqueue {
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Ready(Result<Waiter, Closed>),
    Backlog(Waiting),
    Over,
}

impl Enqueue {
    pub(crate) fn ready(place: Result<Waiter, Closed>) -> Self {
        Self {
            stage: Stage::Ready(place),
        }
    }

    pub(crate) fn backlog(waiting: Waiting) -> Self {
        Self {
            stage: Stage::Backlog(waiting),
        }
    }
}

impl Future for Enqueue {
    type Output = Result<Waiter, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Stage::Backlog(waiting) = &self.stage {
            let place = waiting.poll(cx.waker());
            if place.is_ready() {
                self.stage = Stage::Over;
            }
            // Of one permit, which is never too many.
            return place.map_err(|_| Closed);
        }
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Ready(place) => Poll::Ready(place),
            // Polled after it was ready: there is no second place.
            Stage::Backlog(_) | Stage::Over => Poll::Ready(Err(Closed)),
        }
    }
}
