//! Each contender as its own documents say, at one release an interval and no burst.

use std::sync::Arc;
use std::time::Duration;

use apiqueue::ApiQueue;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt};

/// A way to acquire on a task. Made inside of a runtime.
pub(crate) trait Contender: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    fn new(interval: Duration) -> Self;
    fn acquire(&self) -> impl Future<Output = ()> + Send;
}

#[derive(Clone)]
pub(crate) struct Ours(ApiQueue);

impl Contender for Ours {
    const NAME: &'static str = "apiqueue";

    fn new(interval: Duration) -> Self {
        Self(ApiQueue::builder().every(interval).start().unwrap())
    }

    async fn acquire(&self) {
        self.0.enqueue().unwrap().await.unwrap();
    }
}

#[derive(Clone)]
pub(crate) struct Governor(Arc<DefaultDirectRateLimiter>);

impl Contender for Governor {
    const NAME: &'static str = "governor until_ready";

    fn new(interval: Duration) -> Self {
        Self(Arc::new(RateLimiter::direct(
            Quota::with_period(interval).unwrap(),
        )))
    }

    async fn acquire(&self) {
        self.0.until_ready().await;
    }
}

#[derive(Clone)]
pub(crate) struct Leaky(Arc<leaky_bucket::RateLimiter>);

impl Contender for Leaky {
    const NAME: &'static str = "leaky-bucket";

    fn new(interval: Duration) -> Self {
        let limiter = leaky_bucket::RateLimiter::builder()
            .max(1)
            .initial(1)
            .refill(1)
            .interval(interval)
            .build();
        Self(Arc::new(limiter))
    }

    async fn acquire(&self) {
        self.0.acquire_one().await;
    }
}

/// tower's `RateLimit` is not `Clone`: its documents put a `Buffer` before it.
#[derive(Clone)]
pub(crate) struct Tower(Buffered);

type Nothing =
    tower::util::ServiceFn<fn(()) -> std::future::Ready<Result<(), std::convert::Infallible>>>;
type Buffered = tower::buffer::Buffer<(), std::future::Ready<Result<(), std::convert::Infallible>>>;

impl Contender for Tower {
    const NAME: &'static str = "tower RateLimit + Buffer";

    fn new(interval: Duration) -> Self {
        let nothing: Nothing = tower::service_fn(|()| std::future::ready(Ok(())));
        let limited =
            tower::limit::RateLimit::new(nothing, tower::limit::rate::Rate::new(1, interval));
        Self(tower::buffer::Buffer::new(Unboxed(limited), 1024))
    }

    async fn acquire(&self) {
        let mut service = self.0.clone();
        service.ready().await.unwrap().call(()).await.unwrap();
    }
}

/// Gives the limited service the future type of the one inside, so that the buffer's type can be named.
struct Unboxed(tower::limit::RateLimit<Nothing>);

impl Service<()> for Unboxed {
    type Response = ();
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<(), std::convert::Infallible>>;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.0.call(())
    }
}

/// What people write themselves: a task that adds a permit at each tick, if there is none.
#[derive(Clone)]
pub(crate) struct Ticks(Arc<Semaphore>);

impl Contender for Ticks {
    const NAME: &'static str = "Semaphore + interval";

    fn new(interval: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(1));
        let ticking = Arc::downgrade(&permits);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let Some(permits) = ticking.upgrade() else {
                    return;
                };
                if permits.available_permits() == 0 {
                    permits.add_permits(1);
                }
            }
        });
        Self(permits)
    }

    async fn acquire(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}
