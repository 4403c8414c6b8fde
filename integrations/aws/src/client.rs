//! [`PacedHttpClient`]: the SDK's HTTP client, which uses the turns that attempts have had, and tells the queue what came of them.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use apiqueue::{Closed, Route, Turn};
use aws_runtime::invocation_id::InvocationId;
use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::config_bag::ConfigBag;

use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::granted::{Granted, Pass};

/// An HTTP client for the SDK's configuration that uses the turns which attempts had before they were signed, and lets requests that
/// had none wait; from [`Paced::http_client`](crate::Paced::http_client).
#[derive(Clone)]
pub struct PacedHttpClient {
    inner: SharedHttpClient,
    terms: Terms,
}

/// What each connector goes by.
#[derive(Clone)]
struct Terms {
    route: Route<Attempt>,
    granted: Granted,
    timeout: Option<Duration>,
}

impl PacedHttpClient {
    pub(crate) fn new(
        inner: SharedHttpClient,
        route: Route<Attempt>,
        granted: Granted,
        timeout: Option<Duration>,
    ) -> Self {
        let terms = Terms {
            route,
            granted,
            timeout,
        };
        Self { inner, terms }
    }
}

impl HttpClient for PacedHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Paced {
            inner: self.inner.http_connector(settings, components),
            terms: self.terms.clone(),
            sleep: components.sleep_impl(),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        if self.terms.timeout.is_some() && components.sleep_impl().is_none() {
            return Err("an attempt timeout needs the configuration's sleep_impl".into());
        }
        self.inner.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

impl fmt::Debug for PacedHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacedHttpClient")
            .field("inner", &self.inner)
            .field("route", &self.terms.route)
            .field("attempt_timeout", &self.terms.timeout)
            .finish_non_exhaustive()
    }
}

struct Paced {
    inner: SharedHttpConnector,
    terms: Terms,
    sleep: Option<SharedAsyncSleep>,
}

impl HttpConnector for Paced {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, terms, sleep) = (self.inner.clone(), self.terms.clone(), self.sleep.clone());
        // A turn or a place is taken here, so that requests stand in the order in which they were made.
        let granted = id(&request).and_then(|id| terms.granted.take(&id));
        let place = match granted {
            Some(_) => Ok(None),
            None => terms.route.place(&Attempt::sent(&request)),
        };
        HttpConnectorFuture::new(async move {
            let closed = |why: Closed| ConnectorError::user(why.into());
            let turn = match place.map_err(|why| ConnectorError::user(why.into()))? {
                Some(place) => Some(place.await.map_err(closed)?.await.map_err(closed)?),
                None => match granted {
                    Some(Pass::Turn(turn)) => Some(turn),
                    Some(Pass::Free) | None => None,
                },
            };
            let call = send(&inner, request, turn, terms.route);
            match (terms.timeout, sleep) {
                (Some(timeout), Some(sleep)) => {
                    let limited = Timeout::new(call, sleep.sleep(timeout)).await;
                    let over = |_| Err(ConnectorError::timeout(TimedOut(timeout).into()));
                    limited.unwrap_or_else(over)
                }
                _ => call.await,
            }
        })
    }
}

/// Without an answer the turn is dropped, which tells the queue nothing.
async fn send(
    inner: &SharedHttpConnector,
    request: HttpRequest,
    turn: Option<Turn<'static>>,
    route: Route<Attempt>,
) -> Result<HttpResponse, ConnectorError> {
    let mut response = inner.call(request).await?;
    if let Some(turn) = turn {
        Answer::watch(&mut response, route, turn);
    }
    Ok(response)
}

/// The id that the SDK gave to the operation. Any value that is a header's can be one.
fn id(request: &HttpRequest) -> Option<InvocationId> {
    let id = request.headers().get("amz-sdk-invocation-id")?;
    Some(InvocationId::new(id.to_owned()))
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// An attempt was under way for too long.
#[derive(Debug)]
struct TimedOut(Duration);

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {:?} after the attempt's turn", self.0)
    }
}

impl Error for TimedOut {}
