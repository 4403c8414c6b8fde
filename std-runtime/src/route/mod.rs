//! [`Route`]: which queue a request goes through, and what its answer does to that queue (feature `http`).

mod answer;

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::advice::Follow;
use crate::error::StartError;
use crate::queue::ApiQueue;
use crate::registry::Registry;
use crate::throttled::Throttled;
use crate::wait::place::Enqueue;

/// Which queue a request of type `R` goes through, and what its answer does to that queue: for HTTP clients, of which those of tower,
/// reqwest and the AWS SDK are integrations that all go by it. A clone is the same route.
///
/// | after an answer | |
/// |---|---|
/// | [`charge`](Self::charge) | the call has cost more permits, as the answer tells |
/// | [`follow`](Self::follow) | the rate becomes the one that the headers allow |
/// | [`hold`](Self::hold), by default | nobody is released for a time: after status 429 or 503, a 403 for coming too often, and as `follow` reads the headers |
/// | always | an [adaptive](crate::Builder::adaptive) queue hears whether the call was refused, and goes slower |
///
/// Where several holds could be, the longest counts: that of [`Throttled`], of [`Follow`], and one that is on already.
///
/// An answer refuses the call with status 429 or 503, with a 403 as far as [`Throttled`] tells it from a plain "forbidden", and where the
/// route follows also with any status from 400 on that comes with a `Retry-After`. Every other answer took it.
///
/// ```
/// # futures_lite::future::block_on(async {
/// use apiqueue::{ApiQueue, Route};
///
/// let queue = ApiQueue::builder().per_second(1000).at_once(8).start()?;
/// let route: Route<http::Request<String>> = Route::to(queue.clone());
///
/// let request = http::Request::get("http://api.example.com/").body(String::new())?;
/// let turn = match route.place(&request)? {
///     Some(place) => Some(place.await?.await?), // a place in line, and then the turn
///     None => None,                             // not limited
/// };
/// // … the call; should it fail without an answer, the turn is dropped …
/// let answer = http::Response::builder().status(429).header("retry-after", "7").body(())?;
/// route.answered(turn, answer.status(), answer.headers());
/// assert!(queue.try_acquire().is_err()); // held for 7 s
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Route<R: ?Sized> {
    terms: Arc<Terms<R>>,
}

struct Terms<R: ?Sized> {
    choose: Arc<Choose<R>>,
    /// None where no answer holds.
    hold: Option<Throttled>,
    follow: Option<Follow>,
    charge: Option<Arc<Charge>>,
}

type Choose<R> = dyn Fn(&R) -> Result<Option<ApiQueue>, StartError> + Send + Sync;
type Charge = dyn Fn(StatusCode, &HeaderMap) -> usize + Send + Sync;

impl<R: ?Sized> Route<R> {
    /// One queue for all requests. An [`ApiQueue`] also becomes such a route by itself, [`into`](Into::into) one.
    #[must_use]
    pub fn to(queue: ApiQueue) -> Self {
        Self::choosing(move |_| Ok(Some(queue.clone())))
    }

    /// The queue of the request's key.
    ///
    /// ```
    /// use apiqueue::{Limit, Limits, Rate, Registry, Route};
    ///
    /// let limits = Limits::new(Limit::None).set("api.github.com", Limit::rate(Rate::per_second(10)?));
    /// let route = Route::keyed(Registry::from(limits), |request: &http::Request<String>| {
    ///     request.uri().host().unwrap_or_default().to_owned()
    /// });
    /// let request = http::Request::get("http://localhost/").body(String::new())?;
    /// assert!(route.place(&request)?.is_none()); // not limited
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn keyed<K>(registry: Registry<K>, key: impl Fn(&R) -> K + Send + Sync + 'static) -> Self
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
    {
        Self::choosing(move |request| registry.queue(&key(request)))
    }

    fn choosing(
        choose: impl Fn(&R) -> Result<Option<ApiQueue>, StartError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            terms: Arc::new(Terms {
                choose: Arc::new(choose),
                hold: Some(Throttled::default()),
                follow: None,
                charge: None,
            }),
        }
    }

    /// For how long an answer that throttles holds the queue, in place of [`Throttled::default`]: its `Retry-After`, at most 60 s, or 1 s
    /// without one.
    #[must_use]
    pub fn hold(self, throttled: Throttled) -> Self {
        self.with(|terms| terms.hold = Some(throttled))
    }

    /// No answer holds the queue, whatever it says. An adaptive one still hears of it, and [`follow`](Self::follow) sets the rate.
    #[must_use]
    pub fn never_hold(self) -> Self {
        self.with(|terms| terms.hold = None)
    }

    /// Sets the queue's rate, and holds it, as the headers of every answer advise. Not the rate of an
    /// [adaptive](crate::Builder::adaptive) queue, which is its controller's to set.
    #[must_use]
    pub fn follow(self, follow: Follow) -> Self {
        self.with(|terms| terms.follow = Some(follow))
    }

    /// Uses up as many permits more as `cost` reads from an answer: what the call has cost beyond the one that it waited for. So
    /// many that [`ApiQueue::charge`] refuses them, 2 years' worth, are none.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, Route};
    /// use http::HeaderValue;
    ///
    /// let graphql = ApiQueue::builder().per_second(50).burst(1000).start()?;
    /// let route: Route<http::Request<String>> = Route::to(graphql).charge(|_status, headers| {
    ///     let cost = headers.get("x-query-cost").map(HeaderValue::to_str);
    ///     let cost: usize = cost.and_then(|cost| cost.ok()?.parse().ok()).unwrap_or(1);
    ///     cost.saturating_sub(1).min(1000)
    /// });
    /// # Ok::<(), apiqueue::StartError>(())
    /// ```
    #[must_use]
    pub fn charge(
        self,
        cost: impl Fn(StatusCode, &HeaderMap) -> usize + Send + Sync + 'static,
    ) -> Self {
        self.with(|terms| terms.charge = Some(Arc::new(cost)))
    }

    fn with(mut self, change: impl FnOnce(&mut Terms<R>)) -> Self {
        change(Arc::make_mut(&mut self.terms));
        self
    }

    /// Takes the place in line now, so that calls stand in the order in which they were made; where the line is full, the future that
    /// comes of it waits for room. None when the request is not limited.
    ///
    /// The [`Turn`](crate::Turn) that the place leads to is kept until the answer has come, as the call is under way so long, and then given to
    /// [`answered`](Self::answered). A call that fails without an answer drops it, which tells the queue nothing.
    ///
    /// # Errors
    /// [`StartError`] when the queue of a key can't be started. That a queue was stopped is what the future says:
    /// [`Closed`](crate::Closed).
    ///
    /// # Cancel safety
    /// Dropping what it gives leaves the line and costs nobody a turn.
    pub fn place(&self, request: &R) -> Result<Option<Enqueue>, StartError> {
        let queue = self.queue(request)?;
        Ok(queue.map(|queue| queue.enqueue_async()))
    }

    /// The queue that a request goes through; none where it is not limited. For clients that block, which wait there for their turn:
    ///
    /// ```
    /// use apiqueue::{ApiQueue, Route};
    ///
    /// let route: Route<str> = Route::to(ApiQueue::builder().per_second(1000).start()?);
    /// let queue = route.queue("http://api.example.com/")?;
    /// let turn = queue.as_ref().map(ApiQueue::wait_turn).transpose()?;
    /// // … the call …
    /// let answer = http::Response::builder().status(429).body(())?;
    /// route.answered(turn, answer.status(), answer.headers());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StartError`] when the queue of a key can't be started.
    pub fn queue(&self, request: &R) -> Result<Option<ApiQueue>, StartError> {
        (self.terms.choose)(request)
    }
}

impl<R: ?Sized> From<ApiQueue> for Route<R> {
    fn from(queue: ApiQueue) -> Self {
        Self::to(queue)
    }
}

impl<R: ?Sized> Clone for Route<R> {
    fn clone(&self) -> Self {
        Self {
            terms: Arc::clone(&self.terms),
        }
    }
}

impl<R: ?Sized> Clone for Terms<R> {
    fn clone(&self) -> Self {
        Self {
            choose: Arc::clone(&self.choose),
            hold: self.hold,
            follow: self.follow,
            charge: self.charge.clone(),
        }
    }
}

impl<R: ?Sized> fmt::Debug for Route<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("hold", &self.terms.hold)
            .field("follow", &self.terms.follow)
            .field("charges", &self.terms.charge.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
