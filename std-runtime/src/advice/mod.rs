//! [`Follow`]: what the headers of an HTTP answer say about the pace to come (feature `http`).

mod apply;

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Response, StatusCode};

use crate::headers::{Allowance, Headers};
use crate::rate::Rate;
use crate::throttled::Throttled;

/// Turns the headers of answers into holds and rates, within bounds.
///
/// | read | by |
/// |---|---|
/// | `Retry-After` and its like, of an answer with a status from 400 on | anybody, as [`Throttled`] reads them |
/// | `Gh-Limited-By` and `X-GitHub-Request-Id`, of a 403, 429 or 503 | GitHub, as [`Throttled`] reads them |
/// | `RateLimit`, `RateLimit-Policy`: `"default";r=50;t=30`, `"default";q=100;w=60` | the IETF's draft |
/// | `RateLimit-Remaining`, `-Reset` | its older drafts, GitLab |
/// | `X-RateLimit-Remaining`, `-Reset`, or `-Reset-After` where there is one | GitHub, Reddit, Discord |
/// | `X-Rate-Limit-Remaining`, `-Reset` | X |
/// | `X-RateLimit-Remaining-Requests`, `…-Tokens`, and `-Reset-…` | OpenAI |
/// | `X-RateLimit-Requests-Remaining`, `…-Endpoint-Requests-…`, `…-Complexity-…`, and `-Reset` | Linear |
/// | `Anthropic-RateLimit-Requests-Remaining`, `…-Tokens-…`, `…-Input-Tokens-…`, `…-Output-Tokens-…`, and `-Reset` | Anthropic |
///
/// A reset is a number of seconds from now, or of the Unix epoch from 10<sup>9</sup> on, and of its milliseconds from 10<sup>12</sup> on; a date as in
/// `Date`; a time of RFC 3339; or a sum such as `1d2h`, `6m0s` or `20ms`. One that is over says nothing. Times are judged by the answer's own
/// `Date`, as [`Throttled`] does; what an answer with an `Age` says of what remains is old, and ignored.
///
/// With `r` calls remaining until a reset in `t`:
///
/// ```text
///   r > 0     →  rate: one each t / r            what remains, spread over the time
///   r = 0     →  hold for t
///   no r, q calls in each w  →  rate: one each w / q
/// ```
///
/// By OpenAI and Anthropic a reset is when all is there again, and what is missing gathers until then. With `l` as their limit:
///
/// ```text
///   r > 0     →  rate: one each t / max(r, l − r)     what remains, or what gathers, if that is more
///   r = 0     →  hold for t / 10, until a tenth of it is there; then that rate
/// ```
///
/// Of several fields the slowest rate and the longest hold count, but where there is a `Retry-After` it alone makes the hold. A
/// number of tokens or points is no number of calls: it makes a hold when none remains, and no rate. What can't be read is ignored. A hold
/// is at most as long as [`Throttled::cap`], since a server that says a year by mistake would stall the client that long; a
/// rate is brought within the two that the user gives.
///
/// # No more than remain
/// Where the fastest rate and its burst could spend more than `r` calls before the reset, the permits that have gathered go, but one:
/// [`Advice::evenly`]. From then until the reset no more than `r` calls of weight 1 go. They may gather anew meanwhile, at the rate that the
/// server allows. Where more gathers meanwhile, that comes on top. Not in that promise are calls that were under way when the server counted; a slowest rate that is faster than `t / r`; a
/// [`catch_up`](crate::Builder::catch_up) above a second; and sources of permits outside of this crate, such as a fleet's, which give what
/// they give.
///
/// # Bursts and weights
/// The rate keeps the burst of the fastest, or the queue's own if that is larger. So no answer makes a call too heavy that was not, but one
/// for which permits would gather longer than 2 years. The headers know nothing of weights: a call of weight `w` waits for up to `w` times
/// `t / r`, also past the reset.
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
    /// Of the permits that have gathered no more than one is kept: those that the rate gives until the reset are all that remain.
    pub evenly: bool,
}

/// As much lateness as a queue may make up, with what has gathered, where it is not taken.
const LATENESS: Duration = Duration::from_secs(1);

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

impl Follow {
    /// Rates between `slowest` and `fastest`, which also says the burst; holds as `throttled` says.
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
        self.at(status, &Headers::new(headers, SystemTime::now()))
    }

    pub(crate) fn at(&self, status: StatusCode, headers: &Headers<'_>) -> Advice {
        let allowances = headers.allowances().into_iter();
        let mut advice = allowances.fold(Advice::default(), |advice, allowance| {
            advice.and(self.of(allowance))
        });
        let failed = status.is_client_error() || status.is_server_error();
        let explicit = self.throttled.explicit(headers).filter(|_| failed);
        advice.hold = explicit
            .or(advice.hold)
            .or_else(|| self.throttled.at(status, headers));
        advice
    }

    fn of(&self, allowance: Allowance) -> Advice {
        let hold = |hold| Advice {
            hold,
            ..Advice::default()
        };
        match (allowance.remaining, allowance.reset) {
            (Some(0), Some(reset)) => {
                let wait = allowance.wait().unwrap_or(reset);
                let hold = hold(Some(wait.min(self.throttled.longest())));
                match allowance.of_calls {
                    true => hold.and(self.spread(reset, allowance.gathers)),
                    false => hold,
                }
            }
            _ if !allowance.of_calls => hold(None),
            (Some(remaining), Some(reset)) => self.spread(reset, remaining.max(allowance.gathers)),
            _ => {
                let policy = allowance.policy;
                policy.map_or_else(Advice::default, |(count, time)| self.spread(time, count))
            }
        }
    }

    /// One each `time / count`, within the bounds. Nothing of no calls.
    fn spread(&self, time: Duration, count: u64) -> Advice {
        if count == 0 {
            return Advice::default();
        }
        let count = u128::from(count);
        let (slowest, fastest) = (self.slowest.interval(), self.fastest.interval().as_nanos());
        // Rounded up, so that it is never exceeded. Never above u64, as the slowest is not.
        let nanos = time.as_nanos().div_ceil(count);
        let interval = u64::try_from(nanos).map_or(slowest, Duration::from_nanos);
        let interval = interval.clamp(self.fastest.interval(), slowest);
        let burst = self.fastest.burst_size();
        let most = time.saturating_add(LATENESS).as_nanos() / fastest + burst as u128;
        Advice {
            hold: None,
            rate: apply::rate(interval, burst, self.fastest.is_strict()),
            evenly: most > count,
        }
    }
}

impl Advice {
    /// What both allow.
    fn and(self, other: Self) -> Self {
        let rate = match (self.rate, other.rate) {
            (Some(one), Some(other)) if one.interval() >= other.interval() => Some(one),
            (one, other) => other.or(one),
        };
        Self {
            hold: self.hold.max(other.hold),
            rate,
            evenly: self.evenly || other.evenly,
        }
    }
}

#[cfg(test)]
mod tests;
