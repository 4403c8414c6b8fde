//! What an answer tells.

use apiqueue::Throttled;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pyo3::prelude::*;

/// For how many seconds to hold after an answer with this status and these headers; None where it does not throttle.
///
/// Status 429 and 503 throttle, and a 403 that says when to come back. The hold is what the answer says, by `Retry-After` or a header like it,
/// at most 60 s, and 1 s where it says nothing. What is no status or no header of HTTP says nothing.
#[pyfunction]
pub(crate) fn hold_after(status: u16, headers: Vec<(String, String)>) -> Option<f64> {
    let status = StatusCode::from_u16(status).ok()?;
    let headers = headers.into_iter().filter_map(|(name, value)| {
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    });
    let hold = Throttled::default().hold_of(status, &headers.collect::<HeaderMap>());
    hold.map(|hold| hold.as_secs_f64())
}
