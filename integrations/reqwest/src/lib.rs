#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::fmt;

use apiqueue::{Route, Throttled};
use bytes::Bytes;
use http::Extensions;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
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
        let (status, headers) = (answer.status(), answer.headers());
        if turn.is_none() || !Throttled::is_told_by_body(status, headers) {
            self.route.answered(turn, status, headers);
            return Ok(answer);
        }
        let (answer, body) = with_body(answer).await?;
        let (status, headers) = (answer.status(), answer.headers());
        self.route.answered_with_body(turn, status, headers, &body);
        Ok(answer)
    }
}

/// The same answer, and its body, which is there once more.
async fn with_body(answer: Response) -> Result<(Response, Bytes)> {
    let url = answer.url().clone();
    let (mut parts, body) = http::Response::<Body>::from(answer).into_parts();
    let body = Response::from(http::Response::new(body)).bytes().await?;
    // What tells the URL is private to reqwest.
    let told = http::Response::builder()
        .url(url)
        .body(())
        .map(http::Response::into_parts);
    if let Ok((told, ())) = told {
        parts.extensions.extend(told.extensions);
    }
    let answer = http::Response::from_parts(parts, body.clone());
    Ok((Response::from(answer), body))
}

impl fmt::Debug for QueueMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueMiddleware")
            .field("route", &self.route)
            .finish()
    }
}
