#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::fmt;

use apiqueue::Route;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

/// Lets each request take its turn. Where the line is full, it waits for room, in order.
pub struct QueueMiddleware {
    route: Route<Request>,
}

impl QueueMiddleware {
    /// By this route, or through this one [`ApiQueue`](apiqueue::ApiQueue), which status 429 and 503 then hold.
    ///
    /// ```
    /// use apiqueue::{Follow, Limit, Limits, Rate, Registry, Route, Throttled};
    /// use apiqueue_reqwest::QueueMiddleware;
    ///
    /// let fastest = Rate::per_second(10)?;
    /// let limits = Limits::new(Limit::None).set("api.github.com", Limit::rate(fastest));
    /// let route = Route::keyed(Registry::from(limits), |request: &reqwest::Request| {
    ///     request.url().host_str().unwrap_or_default().to_owned()
    /// });
    /// let route = route.follow(Follow::new(Rate::per_second(1)?, fastest, Throttled::default())?);
    /// let middleware = QueueMiddleware::new(route);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(route: impl Into<Route<Request>>) -> Self {
        Self {
            route: route.into(),
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
        let turn = match self.route.place(&request).map_err(Error::middleware)? {
            Some(place) => {
                let waiter = place.await.map_err(Error::middleware)?;
                Some(waiter.await.map_err(Error::middleware)?)
            }
            None => None,
        };
        // Without an answer the turn is dropped, which tells the queue nothing.
        let answer = next.run(request, extensions).await?;
        self.route.answered(turn, answer.status(), answer.headers());
        Ok(answer)
    }
}

impl fmt::Debug for QueueMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueMiddleware")
            .field("route", &self.route)
            .finish()
    }
}
