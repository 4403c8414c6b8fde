//! [`QueuedFuture`]: a request on its way through the line and the call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use apiqueue::{Closed, Enqueue, StartError, Turn, Waiter};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::BoxError;
use crate::layer::Heed;

pin_project! {
    /// A request that waits for its turn and is then made. Dropping it while it waits leaves the line and costs nobody a turn.
    pub struct QueuedFuture<S, R>
    where
        S: Service<R>,
    {
        #[pin]
        stage: Stage<S::Future>,
        call: Option<(S, R)>,
        heed: Arc<Heed<S::Response>>,
    }
}

pin_project! {
    #[project = StageProjected]
    enum Stage<F> {
        /// Waits for a place in line.
        Room { place: Enqueue },
        /// Waits for its turn.
        Line { waiter: Waiter },
        /// May be made.
        Due { turn: Option<Turn<'static>> },
        /// Is under way; the turn is kept until it is over.
        Made { #[pin] answer: F, turn: Option<Turn<'static>> },
        Over { why: Option<BoxError> },
    }
}

impl<S: Service<R>, R> QueuedFuture<S, R> {
    /// Waits for what comes of `place`.
    pub(crate) fn of_place(
        place: Result<Option<Enqueue>, StartError>,
        call: (S, R),
        heed: Arc<Heed<S::Response>>,
    ) -> Self {
        let stage = match place {
            Ok(Some(place)) => Stage::Room { place },
            Ok(None) => Stage::Due { turn: None },
            Err(why) => Stage::Over {
                why: Some(why.into()),
            },
        };
        Self {
            stage,
            call: Some(call),
            heed,
        }
    }

    /// Is under way already.
    pub(crate) fn made(
        answer: S::Future,
        turn: Option<Turn<'static>>,
        heed: Arc<Heed<S::Response>>,
    ) -> Self {
        Self {
            stage: Stage::Made { answer, turn },
            call: None,
            heed,
        }
    }

    /// Is never made.
    pub(crate) fn refused(why: BoxError, heed: Arc<Heed<S::Response>>) -> Self {
        Self {
            stage: Stage::Over { why: Some(why) },
            call: None,
            heed,
        }
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
                StageProjected::Room { place } => match ready!(Pin::new(place).poll(cx)) {
                    Ok(waiter) => Stage::Line { waiter },
                    Err(closed) => closed.into(),
                },
                StageProjected::Line { waiter } => match ready!(Pin::new(waiter).poll(cx)) {
                    Ok(turn) => Stage::Due { turn: Some(turn) },
                    Err(closed) => closed.into(),
                },
                StageProjected::Due { turn } => match this.call.take() {
                    Some((mut inner, request)) => Stage::Made {
                        answer: inner.call(request),
                        turn: turn.take(),
                    },
                    None => Closed.into(),
                },
                StageProjected::Made { answer, turn } => {
                    let answer = ready!(answer.poll(cx)).map_err(Into::into);
                    // Over here, and not when this future is dropped; without an answer nothing is told.
                    if let (Some(turn), Ok(answer)) = (turn.take(), &answer) {
                        (this.heed)(turn, answer);
                    }
                    this.stage.set(Stage::Over { why: None });
                    return Poll::Ready(answer);
                }
                StageProjected::Over { why } => {
                    // Polled after it was ready: there is no second answer.
                    return Poll::Ready(Err(why.take().unwrap_or_else(|| Closed.into())));
                }
            };
            this.stage.set(next);
        }
    }
}

impl<F> From<Closed> for Stage<F> {
    fn from(why: Closed) -> Self {
        Self::Over {
            why: Some(why.into()),
        }
    }
}

impl<S: Service<R>, R> fmt::Debug for QueuedFuture<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedFuture").finish_non_exhaustive()
    }
}
