//! [`Refusal`]: what the proxy answers in place of the origin.

use http::{Method, StatusCode};

/// Why a request is not forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The answer's status.
    pub(crate) status: StatusCode,
    /// The error type of RFC 9209 for `Proxy-Status`; none where nothing went wrong.
    pub(crate) error: Option<&'static str>,
    /// What a person reads.
    pub(crate) why: String,
}

impl Refusal {
    /// Of a request that is not as it must be.
    pub(crate) fn bad(why: impl Into<String>) -> Self {
        Self::of(
            StatusCode::BAD_REQUEST,
            Some("http_request_error"),
            why.into(),
        )
    }

    pub(crate) fn of(status: StatusCode, error: Option<&'static str>, why: String) -> Self {
        Self { status, error, why }
    }

    /// The proxy is the one who is meant: by `OPTIONS *`, or by `Max-Forwards: 0`.
    pub(super) fn own(method: &Method) -> Self {
        match *method {
            Method::OPTIONS => Self::of(StatusCode::NO_CONTENT, None, String::new()),
            _ => Self::of(
                StatusCode::METHOD_NOT_ALLOWED,
                Some("http_request_denied"),
                format!("this proxy itself does not answer {method}"),
            ),
        }
    }
}
