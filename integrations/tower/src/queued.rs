//! [`Queued`]: waits for its turn in `call`'s future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use apiqueue::{ApiQueue, Enqueue, Waiter};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::BoxError;
use crate::route::QueueLayer;

/// A service whose requests take their turn in a queue, from [`QueueLayer`].
pub struct Queued<S, R, A> {
    inner: S,
    route: QueueLayer<R, A>,
}

impl<S, R, A> Queued<S, R, A> {
    pub(crate) fn new(inner: S, route: QueueLayer<R, A>) -> Self {
        Self { inner, route }
    }
}

impl<S, R> Service<R> for Queued<S, R, S::Response>
where
    S: Service<R> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = QueuedFuture<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The one that was polled ready is the one to call; the other has to be asked anew.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        let stage = match (self.route.choose)(&request) {
            Ok(None) => Stage::Due { queue: None },
            // The place is taken here, so that calls stand in the order in which they were made.
            Ok(Some(queue)) => Stage::Room {
                place: queue.enqueue_async(),
                queue,
            },
            Err(why) => Stage::Refused {
                why: Some(why.into()),
            },
        };
        QueuedFuture {
            stage,
            call: Some((inner, request)),
            route: self.route.clone(),
        }
    }
}

impl<S: Clone, R, A> Clone for Queued<S, R, A> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            route: self.route.clone(),
        }
    }
}

impl<S: fmt::Debug, R, A> fmt::Debug for Queued<S, R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued")
            .field("inner", &self.inner)
            .field("route", &self.route)
            .finish()
    }
}

pin_project! {
    /// A request that waits for its turn and is then made.
    pub struct QueuedFuture<S, R>
    where
        S: Service<R>,
    {
        #[pin]
        stage: Stage<S::Future>,
        call: Option<(S, R)>,
        route: QueueLayer<R, S::Response>,
    }
}

pin_project! {
    #[project = StageProjected]
    enum Stage<F> {
        /// Waits for a place in line.
        Room { place: Enqueue, queue: ApiQueue },
        /// Waits for its turn.
        Turn { waiter: Waiter, queue: ApiQueue },
        /// May be made.
        Due { queue: Option<ApiQueue> },
        Made { #[pin] answer: F, queue: Option<ApiQueue> },
        Refused { why: Option<BoxError> },
    }
}

impl<S, R> Future for QueuedFuture<S, R>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.stage.as_mut().project() {
                StageProjected::Room { place, queue } => {
                    let waiter = ready!(Pin::new(place).poll(cx))?;
                    Stage::Turn {
                        waiter,
                        queue: queue.clone(),
                    }
                }
                StageProjected::Turn { waiter, queue } => {
                    ready!(Pin::new(waiter).poll(cx))?;
                    Stage::Due {
                        queue: Some(queue.clone()),
                    }
                }
                StageProjected::Due { queue } => match this.call.take() {
                    Some((mut inner, request)) => Stage::Made {
                        answer: inner.call(request),
                        queue: queue.take(),
                    },
                    None => Stage::Refused { why: None },
                },
                StageProjected::Made { answer, queue } => {
                    let answer = ready!(answer.poll(cx)).map_err(Into::into)?;
                    if let (Some(queue), Some(heed)) = (queue, &this.route.heed) {
                        heed(queue, &answer);
                    }
                    return Poll::Ready(Ok(answer));
                }
                StageProjected::Refused { why } => {
                    let why = why.take().unwrap_or_else(|| apiqueue::Closed.into());
                    return Poll::Ready(Err(why));
                }
            };
            this.stage.set(next);
        }
    }
}

impl<S: Service<R>, R> fmt::Debug for QueuedFuture<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedFuture").finish_non_exhaustive()
    }
}
