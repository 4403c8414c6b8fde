//! [`Queued`]: waits for its turn in `call`'s future.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use apiqueue::Route;
use tower_service::Service;

use crate::BoxError;
use crate::future::QueuedFuture;
use crate::layer::Heed;

/// A service whose requests take their turn in a queue, from [`QueueLayer`](crate::QueueLayer).
pub struct Queued<S, R, A> {
    pub(crate) inner: S,
    pub(crate) route: Route<R>,
    pub(crate) heed: Arc<Heed<A>>,
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
        let place = self.route.place(&request);
        QueuedFuture::of_place(place, (inner, request), Arc::clone(&self.heed))
    }
}

impl<S: Clone, R, A> Clone for Queued<S, R, A> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            route: self.route.clone(),
            heed: Arc::clone(&self.heed),
        }
    }
}

impl<S: fmt::Debug, R, A> fmt::Debug for Queued<S, R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued")
            .field("inner", &self.inner)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}
