#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::error::Error;

use apiqueue::{Route, Turn};
use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};

/// Connects as another connector does, and has each request take its turn.
#[derive(Debug)]
pub struct PacedConnector<C> {
    inner: C,
    route: Route<HttpRequest>,
}

impl<C: HttpConnector> PacedConnector<C> {
    /// Over this connector, such as object_store's `ReqwestConnector`; by this route, or through this one
    /// [`ApiQueue`](apiqueue::ApiQueue), which status 429 and 503 then hold.
    ///
    /// ```
    /// use apiqueue::{Limit, Limits, Rate, Registry, Route};
    /// use apiqueue_object_store::PacedConnector;
    /// use object_store::client::{HttpRequest, ReqwestConnector};
    ///
    /// // S3 allows so many reads and writes of a prefix; here, half of that for the bucket.
    /// let limits = Limits::new(Limit::None)
    ///     .set("GET", Limit::rate(Rate::per_second(2_750)?))
    ///     .set("PUT", Limit::rate(Rate::per_second(1_750)?));
    /// let route = Route::keyed(Registry::from(limits), |request: &HttpRequest| {
    ///     request.method().to_string()
    /// });
    /// let connector = PacedConnector::new(ReqwestConnector::default(), route);
    /// # Ok::<(), apiqueue::RateError>(())
    /// ```
    #[must_use]
    pub fn new(inner: C, route: impl Into<Route<HttpRequest>>) -> Self {
        Self {
            inner,
            route: route.into(),
        }
    }
}

impl<C: HttpConnector> HttpConnector for PacedConnector<C> {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Paced {
            inner: self.inner.connect(options)?,
            route: self.route.clone(),
        }))
    }
}

/// A client whose requests take their turn.
#[derive(Debug)]
struct Paced {
    inner: HttpClient,
    route: Route<HttpRequest>,
}

#[async_trait]
impl HttpService for Paced {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let turn = self.turn(&request).await?;
        // Without an answer the turn is dropped, which tells the queue nothing.
        let answer = self.inner.execute(request).await?;
        self.route.answered(turn, answer.status(), answer.headers());
        Ok(answer)
    }
}

impl Paced {
    async fn turn(&self, request: &HttpRequest) -> Result<Option<Turn<'static>>, HttpError> {
        match self.route.place(request).map_err(refused)? {
            Some(place) => {
                let waiter = place.await.map_err(refused)?;
                waiter.await.map(Some).map_err(refused)
            }
            None => Ok(None),
        }
    }
}

/// Of a kind that is not tried again.
fn refused(why: impl Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, why)
}
