//! [`PacedHttpClient`]: the SDK's HTTP client with a queue before it.

use std::fmt;
use std::hash::Hash;

use apiqueue::{Closed, Registry, Route};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Limited};

use crate::attempt::Attempt;
use crate::codes;

/// The largest error answer that is read, in bytes; those of AWS take less than a kilobyte.
const MAX_ERROR_BODY: usize = 1 << 20;

/// An HTTP client for the SDK's configuration that lets each attempt take its turn. Give it to `http_client` of the
/// SDK's configuration loader. Clones share the queues.
#[derive(Clone)]
pub struct PacedHttpClient<C> {
    inner: C,
    route: Route<Attempt>,
}

impl<C: HttpClient> PacedHttpClient<C> {
    /// By queues whose keys are `service/region/class`.
    #[must_use]
    pub fn new(inner: C, registry: Registry<String>) -> Self {
        Self::keyed(inner, registry, Attempt::key)
    }

    /// By queues whose keys are of your own making.
    #[must_use]
    pub fn keyed<K>(
        inner: C,
        registry: Registry<K>,
        key: impl Fn(&Attempt) -> K + Send + Sync + 'static,
    ) -> Self
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
    {
        Self::routed(inner, Route::keyed(registry, key))
    }

    /// By this route, which says what answers do: hold, follow, charge. Or through this one [`ApiQueue`](apiqueue::ApiQueue).
    ///
    /// An error answer whose code the SDK takes for throttling counts as one with status 429.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use apiqueue::{Limit, Limits, Rate, Registry, Route, Throttled};
    /// use apiqueue_aws::{Attempt, PacedHttpClient};
    ///
    /// let limits = Limits::new(Limit::None).set("ec2/*/describe", Limit::rate(Rate::per_second(9)?));
    /// let route = Route::keyed(Registry::from(limits), Attempt::key)
    ///     .hold(Throttled::default().without_hint(Duration::from_secs(2)));
    /// let http = aws_smithy_http_client::Builder::new().build_http();
    /// let http = PacedHttpClient::routed(http, route);
    /// # Ok::<(), apiqueue::RateError>(())
    /// ```
    #[must_use]
    pub fn routed(inner: C, route: impl Into<Route<Attempt>>) -> Self {
        Self {
            inner,
            route: route.into(),
        }
    }
}

impl<C: HttpClient + Clone + 'static> HttpClient for PacedHttpClient<C> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Paced {
            inner: self.inner.http_connector(settings, components),
            route: self.route.clone(),
        })
    }
}

impl<C: fmt::Debug> fmt::Debug for PacedHttpClient<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacedHttpClient")
            .field("inner", &self.inner)
            .field("route", &self.route)
            .finish()
    }
}

#[derive(Debug)]
struct Paced {
    inner: SharedHttpConnector,
    route: Route<Attempt>,
}

impl HttpConnector for Paced {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, route) = (self.inner.clone(), self.route.clone());
        // The place is taken here, so that attempts stand in the order in which they were made.
        let place = route.place(&Attempt::of(&request));
        HttpConnectorFuture::new(async move {
            let closed = |why: Closed| ConnectorError::user(why.into());
            let turn = match place.map_err(|why| ConnectorError::user(why.into()))? {
                Some(place) => Some(place.await.map_err(closed)?.await.map_err(closed)?),
                None => None,
            };
            // Without an answer the turn is dropped, which tells the queue nothing.
            let mut answer = inner.call(request).await?;
            let Some(turn) = turn else {
                return Ok(answer);
            };
            let (read, status) = status(&mut answer).await;
            route.answered(Some(turn), status, &headers(&answer));
            read.map(|()| answer)
        })
    }
}

/// The status of an answer, which is 429 for an error whose code throttles: that is in the body, which is read then.
async fn status(answer: &mut HttpResponse) -> (Result<(), ConnectorError>, StatusCode) {
    let status = answer.status().as_u16();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    if !status.is_client_error() && !status.is_server_error() {
        return (Ok(()), status);
    }
    let body = Limited::new(answer.take_body(), MAX_ERROR_BODY);
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(why) => return (Err(ConnectorError::io(why)), status),
    };
    let text = String::from_utf8_lossy(&body);
    let code = codes::code(answer.headers().get("x-amzn-errortype"), &text);
    let status = match code {
        Some(code) if codes::throttles(code) => StatusCode::TOO_MANY_REQUESTS,
        _ => status,
    };
    *answer.body_mut() = SdkBody::from(body);
    (Ok(()), status)
}

/// Those that can be read.
fn headers(answer: &HttpResponse) -> HeaderMap {
    let headers = answer.headers().iter();
    headers
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        })
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}
