#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::fmt;
use std::hash::Hash;

use apiqueue::{ApiQueue, Follow, Registry, StartError, Throttled};
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

type Choose = dyn Fn(&Request) -> std::result::Result<Option<ApiQueue>, StartError> + Send + Sync;

/// Lets each request take its turn. Where the line is full, it waits for room, in order.
pub struct QueueMiddleware {
    choose: Box<Choose>,
    throttled: Option<Throttled>,
    follow: Option<Follow>,
}

impl QueueMiddleware {
    /// One queue for all requests.
    #[must_use]
    pub fn new(queue: ApiQueue) -> Self {
        Self::choosing(move |_| Ok(Some(queue.clone())))
    }

    /// The queue of the request's key.
    ///
    /// ```
    /// use apiqueue::{Limit, Limits, Rate, Registry};
    /// use apiqueue_reqwest::QueueMiddleware;
    ///
    /// let limits = Limits::new(Limit::None).set("api.github.com", Limit::rate(Rate::per_second(10)?));
    /// let middleware = QueueMiddleware::keyed(Registry::from(limits), |request| {
    ///     request.url().host_str().unwrap_or_default().to_owned()
    /// });
    /// # Ok::<(), apiqueue::RateError>(())
    /// ```
    #[must_use]
    pub fn keyed<K>(
        registry: Registry<K>,
        key: impl Fn(&Request) -> K + Send + Sync + 'static,
    ) -> Self
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
    {
        Self::choosing(move |request| registry.queue(&key(request)))
    }

    fn choosing(
        choose: impl Fn(&Request) -> std::result::Result<Option<ApiQueue>, StartError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            choose: Box::new(choose),
            throttled: None,
            follow: None,
        }
    }

    /// Holds the request's queue after an answer with status 429 or 503: for its `Retry-After`, capped. Holds only extend
    /// each other.
    #[must_use]
    pub fn hold_when_throttled(self, throttled: Throttled) -> Self {
        Self {
            throttled: Some(throttled),
            ..self
        }
    }

    /// Sets the rate of the request's queue, and holds it, as the headers of every answer advise.
    #[must_use]
    pub fn following(self, follow: Follow) -> Self {
        Self {
            follow: Some(follow),
            ..self
        }
    }
}

#[async_trait::async_trait]
impl Middleware for QueueMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let queue = (self.choose)(&request).map_err(Error::middleware)?;
        if let Some(queue) = &queue {
            let waiter = queue.enqueue_async().await.map_err(Error::middleware)?;
            waiter.await.map_err(Error::middleware)?;
        }
        let answer = next.run(request, extensions).await?;
        if let (Some(queue), Some(follow)) = (&queue, self.follow) {
            follow
                .advice_of(answer.status(), answer.headers())
                .apply(queue);
        }
        let hold = self
            .throttled
            .and_then(|throttled| throttled.hold_for(answer.status(), answer.headers()));
        if let (Some(queue), Some(hold)) = (queue, hold) {
            // One too long for a queue can't be, with the cap.
            let _ = queue.hold_for(hold);
        }
        Ok(answer)
    }
}

impl fmt::Debug for QueueMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueMiddleware")
            .field("throttled", &self.throttled)
            .field("follow", &self.follow)
            .finish_non_exhaustive()
    }
}
