//! [`Throttled`]: what an HTTP answer says about when to come back (feature `http`).

use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};

/// How long to hold a queue after an HTTP answer that throttles.
///
/// Answers with status 429 or 503 count. With `Retry-After`, in seconds or as a date, the hold is as long as that says,
/// capped, since a server that says a year by mistake would stall the client that long. Without it, or where it can't be
/// read, the hold is a fixed short one.
///
/// ```
/// use apiqueue::Throttled;
/// use std::time::Duration;
///
/// let throttled = Throttled::default();
/// let answer = http::Response::builder().status(429).header("retry-after", "7").body(())?;
/// assert_eq!(throttled.hold(&answer), Some(Duration::from_secs(7)));
/// let answer = http::Response::builder().status(200).body(())?;
/// assert_eq!(throttled.hold(&answer), None);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    cap: Duration,
    without_hint: Duration,
}

impl Default for Throttled {
    /// At most 60 s; 1 s without a hint.
    fn default() -> Self {
        Self {
            cap: Duration::from_secs(60),
            without_hint: Duration::from_secs(1),
        }
    }
}

impl Throttled {
    /// The longest hold.
    #[must_use]
    pub fn cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// The hold when the answer does not say how long; zero for none.
    #[must_use]
    pub fn without_hint(self, hold: Duration) -> Self {
        Self {
            without_hint: hold,
            ..self
        }
    }

    /// How long to hold after `answer`. None when it does not throttle.
    #[must_use]
    pub fn hold<B>(&self, answer: &Response<B>) -> Option<Duration> {
        self.hold_of(answer.status(), answer.headers())
    }

    /// The same from the parts of an answer.
    #[must_use]
    pub fn hold_of(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        throttles(status)
            .then(|| retry_after(headers, SystemTime::now()).unwrap_or(self.without_hint))
            .map(|hold| hold.min(self.cap))
    }

    /// What `Retry-After` says, whatever the status.
    pub(crate) fn explicit(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        retry_after(headers, now).map(|hold| hold.min(self.cap))
    }

    pub(crate) fn longest(&self) -> Duration {
        self.cap
    }
}

/// Whether this status refuses a call for coming too often.
pub(crate) fn throttles(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE
}

fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many digits that they are no u64 mean for ever, and are capped.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 12:00:00 GMT").unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        assert_eq!(of("120"), Some(Duration::from_secs(120)));
        assert_eq!(of(" 0 "), Some(Duration::ZERO));
        assert_eq!(
            of("Mon, 23 Nov 2026 12:00:30 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            of("Mon, 23 Nov 2026 11:00:00 GMT"),
            Some(Duration::ZERO),
            "past"
        );
        assert_eq!(
            of("99999999999999999999999"),
            Some(Duration::from_secs(u64::MAX))
        );
        for malformed in ["", "-3", "1.5", "soon", "+7"] {
            assert_eq!(of(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn only_429_and_503_hold_and_never_longer_than_the_cap() {
        let throttled = Throttled::default()
            .cap(Duration::from_secs(5))
            .without_hint(Duration::from_millis(300));
        let hold = |status: u16, hint: Option<&str>| {
            let answer = Response::builder().status(status);
            let answer = hint
                .into_iter()
                .fold(answer, |answer, hint| answer.header("retry-after", hint));
            throttled.hold(&answer.body(()).unwrap())
        };
        assert_eq!(hold(429, Some("2")), Some(Duration::from_secs(2)));
        assert_eq!(
            hold(503, Some("99999999999999999999999")),
            Some(Duration::from_secs(5))
        );
        assert_eq!(hold(503, None), Some(Duration::from_millis(300)));
        assert_eq!(hold(429, Some("soon")), Some(Duration::from_millis(300)));
        assert_eq!(hold(200, Some("2")), None);
        assert_eq!(hold(500, Some("2")), None);
    }
}
