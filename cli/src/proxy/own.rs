//! Answers of the proxy itself. `Proxy-Status` (RFC 9209) tells them from the origin's.

use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Bytes;

use super::body::Download;
use super::head::Refusal;
use super::wait::NoTurn;

pub(super) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// The answer to a request that is not forwarded.
pub(super) fn refused(why: &Refusal) -> Response<Download> {
    answer(why.status, why.error, &why.why)
}

/// The answer to one whose turn does not come in time.
pub(super) fn no_turn(key: &str, why: &NoTurn, longest: Duration) -> Response<Download> {
    let NoTurn::TooLate { come_back } = why else {
        let why = format!("the limit of {key} is closed");
        return answer(
            StatusCode::SERVICE_UNAVAILABLE,
            Some("proxy_internal_error"),
            &why,
        );
    };
    let seconds = come_back.as_secs() + u64::from(come_back.subsec_nanos() > 0);
    let seconds = seconds.max(1);
    let why = format!(
        "the turn of {key} does not come within {longest:?}, which --max-wait allows; come back after {seconds} s"
    );
    busy(seconds, &why)
}

/// Nothing is wrong, but it is too much for now.
pub(super) fn busy(seconds: u64, why: &str) -> Response<Download> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut answer = answer(status, Some("http_request_denied"), why);
    let headers = answer.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

pub(super) fn answer(
    status: StatusCode,
    error: Option<&'static str>,
    why: &str,
) -> Response<Download> {
    let body = match status {
        StatusCode::NO_CONTENT => None,
        _ => Some(Bytes::from(format!("apiqueue: {why}\n"))),
    };
    let mut answer = Response::new(Download::Own(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    if status != StatusCode::NO_CONTENT {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, text);
    }
    let proxy_status = match error {
        Some(error) => HeaderValue::from_str(&format!("apiqueue; error={error}")),
        None => Ok(HeaderValue::from_static("apiqueue")),
    };
    if let Ok(value) = proxy_status {
        headers.insert(PROXY_STATUS, value);
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("OPTIONS"));
    }
    answer
}
