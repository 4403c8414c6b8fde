//! [`QueueLayer`]: each request takes its turn in the queue of its route.

use std::fmt;
use std::sync::Arc;

use apiqueue::{Route, Turn};
use http::Response;
use tower_layer::Layer;

use crate::queued::Queued;

/// What is done with a turn after the answer.
pub(crate) type Heed<A> = dyn Fn(Turn<'static>, &A) + Send + Sync;

/// Lets each request take its turn, waiting in the future that `call` gives. `R` is the request, `A` the answer.
pub struct QueueLayer<R, A> {
    route: Route<R>,
    heed: Arc<Heed<A>>,
}

impl<R: 'static, B> QueueLayer<R, Response<B>> {
    /// For HTTP: goes by this route, or through this one [`ApiQueue`](apiqueue::ApiQueue), which status 429 and 503 then hold.
    ///
    /// ```
    /// use apiqueue::{Follow, Limit, Limits, Rate, Registry, Route, Throttled};
    /// use apiqueue_tower::QueueLayer;
    ///
    /// let fastest = Rate::per_second(10)?;
    /// let limits = Limits::new(Limit::None).set("api.github.com", Limit::rate(fastest));
    /// let route = Route::keyed(Registry::from(limits), |request: &http::Request<String>| {
    ///     request.uri().host().unwrap_or_default().to_owned()
    /// });
    /// let route = route.follow(Follow::new(Rate::per_second(1)?, fastest, Throttled::default())?);
    /// let layer: QueueLayer<_, http::Response<String>> = QueueLayer::new(route);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(route: impl Into<Route<R>>) -> Self {
        let route = route.into();
        let heed = of_http(&route);
        Self { route, heed }
    }
}

impl<R, A> QueueLayer<R, A> {
    /// For all else: `heed` tells the turn what came of the call, [`ok`](Turn::ok) or [`throttled`](Turn::throttled), after each answer
    /// of a request that is limited. An error of the inner service drops the turn, which tells the queue nothing.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, Turn};
    /// use apiqueue_tower::QueueLayer;
    ///
    /// enum Answer {
    ///     Done(u32),
    ///     Busy,
    /// }
    /// let queue = ApiQueue::builder().per_second(10).start()?;
    /// let layer: QueueLayer<String, Answer> = QueueLayer::heeding(queue, |turn: Turn, answer| match answer {
    ///     Answer::Done(_) => turn.ok(),
    ///     Answer::Busy => turn.throttled(None),
    /// });
    /// # Ok::<(), apiqueue::StartError>(())
    /// ```
    #[must_use]
    pub fn heeding(
        route: impl Into<Route<R>>,
        heed: impl Fn(Turn<'static>, &A) + Send + Sync + 'static,
    ) -> Self {
        Self {
            route: route.into(),
            heed: Arc::new(heed),
        }
    }
}

/// The route says what an HTTP answer does.
pub(crate) fn of_http<R: 'static, B>(route: &Route<R>) -> Arc<Heed<Response<B>>> {
    let route = route.clone();
    Arc::new(move |turn, answer: &Response<B>| {
        route.answered(Some(turn), answer.status(), answer.headers());
    })
}

impl<R, A, S> Layer<S> for QueueLayer<R, A> {
    type Service = Queued<S, R, A>;

    fn layer(&self, inner: S) -> Self::Service {
        Queued {
            inner,
            route: self.route.clone(),
            heed: Arc::clone(&self.heed),
        }
    }
}

impl<R, A> Clone for QueueLayer<R, A> {
    fn clone(&self) -> Self {
        Self {
            route: self.route.clone(),
            heed: Arc::clone(&self.heed),
        }
    }
}

impl<R, A> fmt::Debug for QueueLayer<R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueLayer")
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}
