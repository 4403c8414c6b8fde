//! [`QueueLayer`]: which queue a request goes through, and which answers hold it.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use apiqueue::{ApiQueue, Registry, StartError};
use tower_layer::Layer;

use crate::queued::Queued;

type Choose<R> = dyn Fn(&R) -> Result<Option<ApiQueue>, StartError> + Send + Sync;
type Heed<A> = dyn Fn(&ApiQueue, &A) + Send + Sync;

/// Lets each request take its turn, waiting in the future that `call` gives. `R` is the request, `A` the answer.
pub struct QueueLayer<R, A> {
    pub(crate) choose: Arc<Choose<R>>,
    /// What is done with the queue of a request after its answer.
    pub(crate) heed: Option<Arc<Heed<A>>>,
}

impl<R: 'static, A: 'static> QueueLayer<R, A> {
    /// One queue for all requests.
    #[must_use]
    pub fn new(queue: ApiQueue) -> Self {
        Self::choosing(move |_| Ok(Some(queue.clone())))
    }

    /// The queue of the request's key.
    ///
    /// ```
    /// use apiqueue::{Limit, Limits, Rate, Registry};
    /// use apiqueue_tower::QueueLayer;
    ///
    /// let limits = Limits::new(Limit::None).set("api.github.com", Limit::rate(Rate::per_second(10)?));
    /// let layer: QueueLayer<http::Request<String>, http::Response<String>> =
    ///     QueueLayer::keyed(Registry::from(limits), |request: &http::Request<String>| {
    ///         request.uri().host().unwrap_or_default().to_owned()
    ///     });
    /// # Ok::<(), apiqueue::RateError>(())
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
            choose: Arc::new(choose),
            heed: None,
        }
    }

    /// Holds the request's queue for as long as `hold` says of its answer. Holds only extend each other.
    #[must_use]
    pub fn hold_when(self, hold: impl Fn(&A) -> Option<Duration> + Send + Sync + 'static) -> Self {
        self.heeding(move |queue, answer| {
            if let Some(time) = hold(answer) {
                // One too long for a queue is no hold at all, and the cap is the caller's.
                let _ = queue.hold_for(time);
            }
        })
    }

    /// Does something with the request's queue after its answer, whatever that is. Of several calls the last one counts.
    #[must_use]
    pub fn heeding(self, heed: impl Fn(&ApiQueue, &A) + Send + Sync + 'static) -> Self {
        Self {
            heed: Some(Arc::new(heed)),
            ..self
        }
    }
}

#[cfg(feature = "http")]
impl<R: 'static, B: 'static> QueueLayer<R, http::Response<B>> {
    /// Holds the request's queue after an HTTP answer with status 429 or 503: for its `Retry-After`, capped.
    #[must_use]
    pub fn hold_when_throttled(self, throttled: apiqueue::Throttled) -> Self {
        self.hold_when(move |answer| throttled.hold(answer))
    }

    /// Sets the rate of the request's queue, and holds it, as the headers of every answer advise. In place of
    /// [`hold_when_throttled`](Self::hold_when_throttled), whose holds are among them.
    #[must_use]
    pub fn following(self, follow: apiqueue::Follow) -> Self {
        self.heeding(move |queue, answer| follow.advice(answer).apply(queue))
    }
}

impl<R, A, S> Layer<S> for QueueLayer<R, A> {
    type Service = Queued<S, R, A>;

    fn layer(&self, inner: S) -> Self::Service {
        Queued::new(inner, self.clone())
    }
}

impl<R, A> Clone for QueueLayer<R, A> {
    fn clone(&self) -> Self {
        Self {
            choose: Arc::clone(&self.choose),
            heed: self.heed.clone(),
        }
    }
}

impl<R, A> fmt::Debug for QueueLayer<R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueLayer")
            .field("heeds", &self.heed.is_some())
            .finish_non_exhaustive()
    }
}
