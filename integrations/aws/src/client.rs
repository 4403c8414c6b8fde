//! [`PacedHttpClient`]: the SDK's HTTP client with a queue before it.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use apiqueue::{ApiQueue, Registry, StartError, Throttled};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, HeaderValue, StatusCode};
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
    pacing: Pacing,
}

/// Which queue an attempt goes through, and which answers hold it.
#[derive(Clone)]
struct Pacing {
    choose: Arc<Choose>,
    throttled: Option<Throttled>,
}

type Choose = dyn Fn(&Attempt) -> Result<Option<ApiQueue>, StartError> + Send + Sync;

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
        Self {
            inner,
            pacing: Pacing {
                choose: Arc::new(move |attempt| registry.queue(&key(attempt))),
                throttled: Some(Throttled::default()),
            },
        }
    }

    /// How long a throttling answer holds the attempt's queue.
    #[must_use]
    pub fn hold_when_throttled(mut self, throttled: Throttled) -> Self {
        self.pacing.throttled = Some(throttled);
        self
    }

    /// No answer holds a queue.
    #[must_use]
    pub fn never_hold(mut self) -> Self {
        self.pacing.throttled = None;
        self
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
            pacing: self.pacing.clone(),
        })
    }
}

impl<C: fmt::Debug> fmt::Debug for PacedHttpClient<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacedHttpClient")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

struct Paced {
    inner: SharedHttpConnector,
    pacing: Pacing,
}

impl HttpConnector for Paced {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, pacing) = (self.inner.clone(), self.pacing.clone());
        // The place is taken here, so that attempts stand in the order in which they were made.
        let queue = (pacing.choose)(&Attempt::of(&request));
        let place = match &queue {
            Ok(Some(queue)) => Some(queue.enqueue_async()),
            _ => None,
        };
        HttpConnectorFuture::new(async move {
            let queue = queue.map_err(|why| ConnectorError::user(why.into()))?;
            if let Some(place) = place {
                let closed = |why: apiqueue::Closed| ConnectorError::user(why.into());
                place.await.map_err(closed)?.await.map_err(closed)?;
            }
            let answer = inner.call(request).await?;
            match (queue, pacing.throttled) {
                (Some(queue), Some(throttled)) if answer.status().as_u16() >= 400 => {
                    hold(&queue, &throttled, answer).await
                }
                _ => Ok(answer),
            }
        })
    }
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").field("inner", &self.inner).finish()
    }
}

/// Holds the queue if the error answer throttles, and hands the answer on with its body read.
async fn hold(
    queue: &ApiQueue,
    throttled: &Throttled,
    mut answer: HttpResponse,
) -> Result<HttpResponse, ConnectorError> {
    let body = Limited::new(answer.take_body(), MAX_ERROR_BODY);
    let body = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    let code = codes::code(answer.headers().get("x-amzn-errortype"), &text);
    let status = if code.is_some_and(codes::throttles) {
        StatusCode::TOO_MANY_REQUESTS
    } else {
        StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_REQUEST)
    };
    let mut headers = HeaderMap::new();
    let hint = answer.headers().get("retry-after");
    if let Some(hint) = hint.and_then(|hint| HeaderValue::from_str(hint).ok()) {
        headers.insert(http::header::RETRY_AFTER, hint);
    }
    if let Some(time) = throttled.hold_for(status, &headers) {
        // Too long for a queue it can't be, with the cap.
        let _ = queue.hold_for(time);
    }
    *answer.body_mut() = SdkBody::from(body);
    Ok(answer)
}
