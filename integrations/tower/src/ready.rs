//! [`Ready`]: waits for its turn in `poll_ready`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use apiqueue::{ApiQueue, Enqueue, Waiter};
use tower_layer::Layer;
use tower_service::Service;

use crate::BoxError;

/// Lets a service be ready only when it is its turn.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use apiqueue::ApiQueue;
/// use apiqueue_tower::ReadyLayer;
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// let queue = ApiQueue::builder().per_second(1000).start()?;
/// let mut client = ServiceBuilder::new()
///     .layer(ReadyLayer::new(queue))
///     .service(service_fn(|n: u32| async move { Ok::<_, std::io::Error>(n + 1) }));
/// let client = client.ready().await?; // it is our turn
/// assert_eq!(client.call(1).await?, 2);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ReadyLayer {
    queue: ApiQueue,
}

impl ReadyLayer {
    /// By this queue.
    #[must_use]
    pub fn new(queue: ApiQueue) -> Self {
        Self { queue }
    }
}

impl<S> Layer<S> for ReadyLayer {
    type Service = Ready<S>;

    fn layer(&self, inner: S) -> Ready<S> {
        Ready {
            inner,
            queue: self.queue.clone(),
            stage: Stage::Out,
        }
    }
}

/// A service that is ready when it is its turn, from [`ReadyLayer`]. Each clone takes its own turn.
#[derive(Debug)]
pub struct Ready<S> {
    inner: S,
    queue: ApiQueue,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Not in line.
    Out,
    Room(Enqueue),
    Turn(Waiter),
    /// Released; the waiter is kept to give the permit back if it is not used.
    Permitted(Waiter),
}

impl<S> Ready<S> {
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            let next = match &mut self.stage {
                Stage::Out => Stage::Room(self.queue.enqueue_async()),
                Stage::Room(place) => match ready!(Pin::new(place).poll(cx)) {
                    Ok(waiter) => Stage::Turn(waiter),
                    Err(why) => {
                        self.stage = Stage::Out;
                        return Poll::Ready(Err(why.into()));
                    }
                },
                Stage::Turn(waiter) => {
                    let turn = ready!(Pin::new(waiter).poll(cx));
                    match (turn, std::mem::replace(&mut self.stage, Stage::Out)) {
                        (Ok(()), Stage::Turn(waiter)) => Stage::Permitted(waiter),
                        (Ok(()), other) => other,
                        (Err(why), _) => return Poll::Ready(Err(why.into())),
                    }
                }
                Stage::Permitted(_) => return Poll::Ready(Ok(())),
            };
            self.stage = next;
        }
    }
}

impl<S, R> Service<R> for Ready<S>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The inner one first, so that no permit waits for it; once permitted, the inner one is asked again.
        ready!(self.inner.poll_ready(cx)).map_err(Into::into)?;
        self.poll_turn(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let turn = std::mem::replace(&mut self.stage, Stage::Out);
        let call = match turn {
            Stage::Permitted(_) => Ok(self.inner.call(request)),
            // `call` without `poll_ready` first: nobody passes unpaced.
            Stage::Out | Stage::Room(_) | Stage::Turn(_) => Err(NotReady),
        };
        Box::pin(async move { call?.await.map_err(Into::into) })
    }
}

impl<S: Clone> Clone for Ready<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            queue: self.queue.clone(),
            stage: Stage::Out,
        }
    }
}

impl<S> Drop for Ready<S> {
    fn drop(&mut self) {
        if let Stage::Permitted(waiter) = std::mem::replace(&mut self.stage, Stage::Out) {
            waiter.give_back();
        }
    }
}

/// `call` came before `poll_ready` was ready.
#[derive(Debug)]
struct NotReady;

impl std::fmt::Display for NotReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the service was called before it was ready")
    }
}

impl std::error::Error for NotReady {}
