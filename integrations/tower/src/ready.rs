//! [`Ready`]: waits for its turn in `poll_ready`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use apiqueue::{Enqueue, Route, Turn, Waiter};
use http::Response;
use tower_layer::Layer;
use tower_service::Service;

use crate::BoxError;
use crate::future::QueuedFuture;
use crate::layer::{Heed, of_http};

/// Where an interval is shorter, a permit is good for so long.
const SHORTEST: Duration = Duration::from_millis(1);

/// Lets a service be ready only when it is its turn. `A` is the answer.
///
/// A permit is good for one interval of the queue's rate, and for a millisecond at least, so that services that were made ready long ago do
/// not call all at once. A `call` later than that gives the permit back, takes a place at the end of the line, and waits in its future.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use apiqueue::{ApiQueue, Turn};
/// use apiqueue_tower::ReadyLayer;
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// let queue = ApiQueue::builder().per_second(1000).start()?;
/// let mut client = ServiceBuilder::new()
///     .layer(ReadyLayer::heeding(queue, |turn: Turn, _: &u32| turn.ok()))
///     .service(service_fn(|n: u32| async move { Ok::<_, std::io::Error>(n + 1) }));
/// let client = client.ready().await?; // it is our turn
/// assert_eq!(client.call(1).await?, 2);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// # }).unwrap();
/// ```
pub struct ReadyLayer<A> {
    route: Route<()>,
    heed: Arc<Heed<A>>,
}

impl<B> ReadyLayer<Response<B>> {
    /// For HTTP: through one [`ApiQueue`](apiqueue::ApiQueue), or by a route that asks for no request.
    #[must_use]
    pub fn new(route: impl Into<Route<()>>) -> Self {
        let route = route.into();
        let heed = of_http(&route);
        Self { route, heed }
    }
}

impl<A> ReadyLayer<A> {
    /// For all else: as [`QueueLayer::heeding`](crate::QueueLayer::heeding).
    #[must_use]
    pub fn heeding(
        route: impl Into<Route<()>>,
        heed: impl Fn(Turn<'static>, &A) + Send + Sync + 'static,
    ) -> Self {
        Self {
            route: route.into(),
            heed: Arc::new(heed),
        }
    }
}

impl<A, S> Layer<S> for ReadyLayer<A> {
    type Service = Ready<S, A>;

    fn layer(&self, inner: S) -> Ready<S, A> {
        Ready {
            inner,
            layer: self.clone(),
            stage: Stage::Out,
        }
    }
}

/// A service that is ready when it is its turn, from [`ReadyLayer`]. Each clone takes its own turn.
pub struct Ready<S, A> {
    inner: S,
    layer: ReadyLayer<A>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Not in line.
    Out,
    Room(Enqueue),
    Line(Waiter),
    /// Without a turn where there is no limit.
    Permitted(Option<Turn<'static>>),
}

impl<S, A> Ready<S, A> {
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            let next = match &mut self.stage {
                Stage::Out => self
                    .layer
                    .route
                    .place(&())
                    .map(|place| place.map_or(Stage::Permitted(None), Stage::Room))
                    .map_err(Into::into),
                Stage::Room(place) => ready!(Pin::new(place).poll(cx))
                    .map(Stage::Line)
                    .map_err(Into::into),
                Stage::Line(waiter) => ready!(Pin::new(waiter).poll(cx))
                    .map(|turn| Stage::Permitted(Some(turn)))
                    .map_err(Into::into),
                Stage::Permitted(_) => return Poll::Ready(Ok(())),
            };
            match next {
                Ok(next) => self.stage = next,
                Err(why) => {
                    self.stage = Stage::Out;
                    return Poll::Ready(Err(why));
                }
            }
        }
    }
}

/// Whether it is too late to use it.
fn has_expired(turn: &Turn<'_>) -> bool {
    turn.age() >= turn.queue().rate().interval().max(SHORTEST)
}

impl<S, R> Service<R> for Ready<S, S::Response>
where
    S: Service<R> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = QueuedFuture<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The inner one first, so that no permit waits for it; once permitted, the inner one is asked again.
        ready!(self.inner.poll_ready(cx)).map_err(Into::into)?;
        self.poll_turn(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let heed = Arc::clone(&self.layer.heed);
        match std::mem::replace(&mut self.stage, Stage::Out) {
            Stage::Permitted(Some(turn)) if has_expired(&turn) => {
                turn.give_back();
                let place = self.layer.route.place(&());
                // The one that was polled ready is the one to call; the other has to be asked anew.
                let next = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, next);
                QueuedFuture::of_place(place, (inner, request), heed)
            }
            Stage::Permitted(turn) => QueuedFuture::made(self.inner.call(request), turn, heed),
            // `call` without `poll_ready` first: nobody passes unpaced.
            Stage::Out | Stage::Room(_) | Stage::Line(_) => {
                QueuedFuture::refused(NotReady.into(), heed)
            }
        }
    }
}

impl<A> Clone for ReadyLayer<A> {
    fn clone(&self) -> Self {
        Self {
            route: self.route.clone(),
            heed: Arc::clone(&self.heed),
        }
    }
}

impl<S: Clone, A> Clone for Ready<S, A> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
            stage: Stage::Out,
        }
    }
}

impl<S, A> Drop for Ready<S, A> {
    fn drop(&mut self) {
        if let Stage::Permitted(Some(turn)) = std::mem::replace(&mut self.stage, Stage::Out) {
            turn.give_back();
        }
    }
}

impl<A> fmt::Debug for ReadyLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyLayer")
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, A> fmt::Debug for Ready<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .field("stage", &self.stage)
            .finish()
    }
}

/// `call` came before `poll_ready` was ready.
#[derive(Debug)]
struct NotReady;

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service was called before it was ready")
    }
}

impl std::error::Error for NotReady {}
