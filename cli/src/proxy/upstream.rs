//! Connections to origins: kept open for the next request, by TLS where that is spoken.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::StatusCode;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use super::body::{Broken, Upload};
use super::head::Refusal;

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// How long one is kept open for the next request: less than servers keep it, so that none is sent into a closing one.
const IDLE: Duration = Duration::from_secs(15);

/// What sends requests on.
pub(super) type Upstream = Client<HttpsConnector<HttpConnector>, Upload>;

/// With the system's root certificates, or those of `$SSL_CERT_FILE`.
pub(super) fn upstream() -> Result<Upstream, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = rustls::crypto::ring::default_provider();
    let tls = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    let both = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        // The Host is the client's, byte by byte.
        .set_host(false)
        .build(both))
}

/// What a client is told of a request that had no answer.
pub(super) fn failure(why: &legacy::Error, host: &str) -> Refusal {
    let first: &(dyn Error + 'static) = why;
    let causes = || std::iter::successors(Some(first), |&it| it.source());
    if let Some(broken) = causes().find_map(|it| it.downcast_ref::<Broken>()) {
        return Refusal::of(
            match broken {
                Broken::Still(_) => StatusCode::REQUEST_TIMEOUT,
                _ => StatusCode::BAD_REQUEST,
            },
            Some("http_request_error"),
            broken.to_string(),
        );
    }
    let kind = causes().find_map(|it| it.downcast_ref::<io::Error>().map(io::Error::kind));
    let text = causes()
        .last()
        .map_or_else(String::new, ToString::to_string);
    let is_tls = causes().any(|it| it.is::<rustls::Error>()) || text.contains("certificate");
    let (status, error) = match kind {
        _ if is_tls => (StatusCode::BAD_GATEWAY, "tls_protocol_error"),
        Some(io::ErrorKind::TimedOut) => (StatusCode::GATEWAY_TIMEOUT, "connection_timeout"),
        Some(io::ErrorKind::ConnectionRefused) => (StatusCode::BAD_GATEWAY, "connection_refused"),
        _ if text.contains("failed to lookup") => (StatusCode::BAD_GATEWAY, "dns_error"),
        _ if why.is_connect() => (StatusCode::BAD_GATEWAY, "destination_unavailable"),
        _ => (StatusCode::BAD_GATEWAY, "connection_terminated"),
    };
    Refusal::of(status, Some(error), format!("{host}: {text}"))
}
