//! [`Follow`]: what the headers of an HTTP answer say about the pace to come (feature `http`).

mod fields;
mod ietf;

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Response, StatusCode};

use crate::queue::ApiQueue;
use crate::rate::Rate;
use crate::throttled::Throttled;

/// Turns the headers of answers into holds and rates, within bounds.
///
/// | read | e.g. |
/// |---|---|
/// | `Retry-After` of an answer with a status from 400 on | seconds or a date, as [`Throttled`] reads it |
/// | `RateLimit`, `RateLimit-Policy` (IETF draft) | `"default";r=50;t=30`, `"default";q=100;w=60` |
/// | `RateLimit-Limit`, `-Remaining`, `-Reset` (its older drafts) | `100`, `50`, `30` |
/// | `X-RateLimit-…`, `X-Rate-Limit-…` | GitHub, X: the reset as seconds of the Unix epoch, others: seconds from now |
/// | `X-RateLimit-…-Requests`, `…-Tokens` | OpenAI: the reset as `6m0s` or `20ms` |
///
/// With `r` calls remaining until a reset in `t`:
///
/// ```text
///   r > 0     →  rate: one each t / r            what remains, spread over the time
///   r = 0     →  hold for t
///   no r, q calls in each w  →  rate: one each w / q
/// ```
///
/// Of several fields the slowest rate and the longest hold count, but where there is a `Retry-After` it alone makes the hold. A
/// number of tokens is no number of calls: it makes a hold when none remains, and no rate. What can't be read is ignored. A hold
/// is at most as long as [`Throttled::cap`], since a server that says a year by mistake would stall the client that long; a
/// rate is brought within the two that the user gives.
///
/// ```
/// use apiqueue::{ApiQueue, Follow, Rate, Throttled};
/// use std::time::Duration;
///
/// let fastest = Rate::per_second(10)?;
/// let follow = Follow::new(Rate::per_second(1)?, fastest, Throttled::default())?;
/// let answer = http::Response::builder()
///     .header("x-ratelimit-remaining", "50")
///     .header("x-ratelimit-reset", "25")
///     .body(())?;
/// let advice = follow.advice(&answer);
/// assert_eq!(advice.rate, Some(Rate::per_second(2)?));
///
/// let queue = ApiQueue::builder().rate(fastest).start()?;
/// advice.apply(&queue);
/// assert_eq!(queue.rate(), Rate::per_second(2)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follow {
    slowest: Rate,
    fastest: Rate,
    throttled: Throttled,
}

/// What an answer advises.
#[must_use = "it is advice: `apply` follows it"]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Nobody should be released for so long.
    pub hold: Option<Duration>,
    /// The rate that the answer allows.
    pub rate: Option<Rate>,
}

/// The slowest rate is faster than the fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowError {
    /// What was to be the slowest.
    pub slowest: Rate,
    /// What was to be the fastest.
    pub fastest: Rate,
}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slowest, fastest) = (self.slowest.interval(), self.fastest.interval());
        write!(
            f,
            "the slowest rate, one each {slowest:?}, is faster than the fastest, one each {fastest:?}"
        )
    }
}

impl std::error::Error for FollowError {}

/// What a server allows until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Allowance {
    remaining: Option<u64>,
    /// From now.
    reset: Option<Duration>,
    /// So many calls in each such time.
    policy: Option<(u64, Duration)>,
    /// What is counted are calls.
    of_calls: bool,
}

impl Follow {
    /// Rates between `slowest` and `fastest`, which also says the burst, but no more than remain; holds as `throttled` says.
    ///
    /// # Errors
    /// [`FollowError`] when they are the wrong way round.
    pub fn new(slowest: Rate, fastest: Rate, throttled: Throttled) -> Result<Self, FollowError> {
        if slowest.interval() < fastest.interval() {
            return Err(FollowError { slowest, fastest });
        }
        Ok(Self {
            slowest,
            fastest,
            throttled,
        })
    }

    /// What `answer` advises.
    pub fn advice<B>(&self, answer: &Response<B>) -> Advice {
        self.advice_of(answer.status(), answer.headers())
    }

    /// The same from the parts of an answer.
    pub fn advice_of(&self, status: StatusCode, headers: &HeaderMap) -> Advice {
        self.at(status, headers, SystemTime::now())
    }

    fn at(&self, status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Advice {
        let mut advice = Advice::default();
        let allowances = ietf::allowances(headers)
            .into_iter()
            .chain(fields::allowances(headers, now));
        for allowance in allowances {
            let (hold, rate) = self.of(allowance);
            advice.hold = advice.hold.max(hold);
            advice.rate = match (advice.rate, rate) {
                (Some(one), Some(other)) if one.interval() >= other.interval() => Some(one),
                (one, other) => other.or(one),
            };
        }
        let failed = status.is_client_error() || status.is_server_error();
        if let Some(hold) = self.throttled.explicit(headers, now).filter(|_| failed) {
            advice.hold = Some(hold);
        } else if advice.hold.is_none_or(|hold| hold.is_zero()) {
            // A reset in the past, as of a clock that differs, is no hint.
            advice.hold = self.throttled.hold_of(status, headers);
        }
        advice
    }

    fn of(&self, allowance: Allowance) -> (Option<Duration>, Option<Rate>) {
        match (allowance.remaining, allowance.reset) {
            (Some(0), Some(reset)) => (Some(reset.min(self.throttled.longest())), None),
            _ if !allowance.of_calls => (None, None),
            (Some(remaining), Some(reset)) => (None, self.rate(reset, remaining)),
            _ => {
                let rate = allowance
                    .policy
                    .and_then(|(count, time)| self.rate(time, count));
                (None, rate)
            }
        }
    }

    /// One each `time / count`, within the bounds. None where that says nothing.
    fn rate(&self, time: Duration, count: u64) -> Option<Rate> {
        if time.is_zero() {
            return None;
        }
        if count == 0 {
            return None;
        }
        // Rounded up, so that it is never exceeded.
        let nanos = time.as_nanos().div_ceil(u128::from(count));
        let longest = self.slowest.interval().as_nanos();
        let shortest = self.fastest.interval().as_nanos();
        // Never above u64, as the slowest is not.
        let nanos = u64::try_from(nanos.clamp(shortest, longest)).ok()?;
        // No more at once than there are.
        let most = u64::try_from(self.fastest.burst_size()).unwrap_or(u64::MAX);
        let burst = u32::try_from(most.min(count)).unwrap_or(u32::MAX);
        let rate = Rate::every(Duration::from_nanos(nanos)).ok()?;
        let rate = rate.burst(burst).unwrap_or(rate);
        Some(if self.fastest.is_strict() {
            rate.strict()
        } else {
            rate
        })
    }
}

impl Advice {
    /// Sets the queue's rate and holds it, where there is something to say. A hold only extends another. A
    /// [`Registry`](crate::Registry) may forget a rate that comes from here after a minute without releases, and never one that
    /// [`ApiQueue::set_rate`] has set.
    pub fn apply(self, queue: &ApiQueue) {
        if let Some(rate) = self.rate
            && rate != queue.rate()
        {
            queue.set_found_rate(rate);
        }
        if let Some(hold) = self.hold {
            // One too long for a queue can't be, with the cap.
            let _ = queue.hold_for(hold);
        }
    }
}

#[cfg(test)]
mod tests;
