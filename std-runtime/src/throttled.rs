//! [`Throttled`]: what an HTTP answer says about when to come back (feature `http`).

use std::time::{Duration, SystemTime};

use http::header::HeaderMap;
use http::{Response, StatusCode};

use crate::headers::Headers;

/// How long GitHub asks to stay away where it does not say how long (docs.github.com, "Rate limits for the REST API").
const SECONDARY: Duration = Duration::from_secs(60);

/// How long to hold a queue after an HTTP answer that throttles.
///
/// | it throttles | |
/// |---|---|
/// | status 429 or 503 | always |
/// | status 403 | where it is told from a plain "forbidden": it says when to come back, or that nothing remains, or has a `Gh-Limited-By`, or GitHub's body names a secondary limit |
///
/// | the hold, of those the first that the answer has | |
/// |---|---|
/// | `Retry-After-Ms`, `X-Ms-Retry-After-Ms`, `X-Amz-Retry-After` | milliseconds |
/// | `Retry-After` | seconds, or a date; zero seconds mean now, and a date that is over says nothing |
/// | nothing remains, by any of the fields that [`Follow`](crate::Follow) reads | until that is reset, or as that one says of what gathers |
/// | a secondary limit of GitHub's: a `Gh-Limited-By`, a 429 with an `X-GitHub-Request-Id`, or a 403 with that whose body says so | a minute, the least that GitHub asks for |
/// | nothing of these | [`without_hint`](Self::without_hint) |
///
/// It is capped, since a server that says a year by mistake would stall the client that long.
///
/// # Clocks
/// A date is a span from the answer's own `Date`, and `Age` where it comes from a cache. This host's clock counts only where there is no
/// `Date`.
///
/// # GitHub's secondary limits
/// GitHub does not always send a `Retry-After` or `Gh-Limited-By` with them. A 403 with neither, while calls remain, is told from a plain
/// "forbidden" by its body only: [`is_told_by_body`](Self::is_told_by_body) says when to read it, and
/// [`hold_with_body`](Self::hold_with_body), or [`Route::answered_with_body`](crate::Route::answered_with_body), take it. The
/// integration for reqwest does so by itself.
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
        self.hold_with_body(status, headers, &[])
    }

    /// The same with the body of an answer that [is told by it](Self::is_told_by_body). Of it the first 16 KiB are looked at.
    ///
    /// ```
    /// use apiqueue::Throttled;
    /// use std::time::Duration;
    ///
    /// let (parts, body) = http::Response::builder()
    ///     .status(403)
    ///     .header("x-github-request-id", "0F5A:2B:1C")
    ///     .header("x-ratelimit-remaining", "21")
    ///     .body(br#"{"message":"You have exceeded a secondary rate limit."}"#)?
    ///     .into_parts();
    /// assert!(Throttled::is_told_by_body(parts.status, &parts.headers));
    /// let hold = Throttled::default().hold_with_body(parts.status, &parts.headers, body);
    /// assert_eq!(hold, Some(Duration::from_secs(60)));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn hold_with_body(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Option<Duration> {
        let headers = Headers::new(headers, SystemTime::now()).with_body(body);
        self.at(status, &headers)
    }

    /// Whether only the body tells if the answer throttles: a 403 of GitHub whose headers say nothing of it.
    #[must_use]
    pub fn is_told_by_body(status: StatusCode, headers: &HeaderMap) -> bool {
        let headers = Headers::new(headers, SystemTime::now());
        status == StatusCode::FORBIDDEN && headers.is_githubs() && !throttles(status, &headers)
    }

    pub(crate) fn at(&self, status: StatusCode, headers: &Headers<'_>) -> Option<Duration> {
        throttles(status, headers).then(|| {
            let hint = headers.retry_after().or_else(|| reset(headers));
            // Of a 429 with calls left GitHub has nothing else to say.
            let is_secondary = headers.names_secondary_limit()
                || (headers.is_githubs() && status == StatusCode::TOO_MANY_REQUESTS);
            let minute = || is_secondary.then_some(SECONDARY);
            let hold = hint.or_else(minute).unwrap_or(self.without_hint);
            hold.min(self.cap)
        })
    }

    /// What the answer asks for, whatever its status.
    pub(crate) fn explicit(&self, headers: &Headers<'_>) -> Option<Duration> {
        headers.retry_after().map(|hold| hold.min(self.cap))
    }

    pub(crate) fn longest(&self) -> Duration {
        self.cap
    }
}

/// Whether an answer refuses a call for coming too often.
pub(crate) fn throttles(status: StatusCode, headers: &Headers<'_>) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => true,
        StatusCode::FORBIDDEN => {
            let nothing_remains = || {
                headers
                    .allowances()
                    .iter()
                    .any(|left| left.remaining == Some(0))
            };
            headers.retry_after().is_some() || headers.names_secondary_limit() || nothing_remains()
        }
        _ => false,
    }
}

/// When the last of those is there again of which nothing remains.
fn reset(headers: &Headers<'_>) -> Option<Duration> {
    let allowances = headers.allowances().into_iter();
    let empty = allowances.filter(|left| left.remaining == Some(0));
    empty.filter_map(|left| left.wait()).max()
}

#[cfg(test)]
mod tests;
