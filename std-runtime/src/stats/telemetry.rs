//! What is told to the `tracing` and `metrics` ecosystems, each behind the feature of its name; nothing without them.
//! Recorders and subscribers are user code: they run behind a guard, and nobody calls them under a lock.

use std::time::Duration;

use crate::rate::Rate;
use crate::stats::LongWait;

#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::guarded::guarded;

/// The handles of one queue's metrics, registered when it is started.
pub(crate) struct Telemetry {
    #[cfg(feature = "metrics")]
    metrics: Metrics,
    #[cfg(feature = "tracing")]
    name: String,
}

#[cfg(feature = "metrics")]
struct Metrics {
    released: metrics::Counter,
    cancelled: metrics::Counter,
    refused: metrics::Counter,
    wait: metrics::Histogram,
    interval: metrics::Histogram,
    depth: metrics::Gauge,
    under_way: metrics::Gauge,
    rate: metrics::Gauge,
}

#[cfg_attr(
    not(any(feature = "metrics", feature = "tracing")),
    expect(
        clippy::unused_self,
        unused_variables,
        reason = "there is nobody to tell"
    )
)]
impl Telemetry {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            #[cfg(feature = "metrics")]
            metrics: Metrics::register(name),
            #[cfg(feature = "tracing")]
            name: name.to_owned(),
        }
    }

    /// Somebody saw the release.
    #[inline]
    pub(crate) fn waited(&self, wait: Duration) {
        #[cfg(feature = "metrics")]
        guarded(|| {
            self.metrics.released.increment(1);
            self.metrics.wait.record(wait);
        });
        #[cfg(feature = "tracing")]
        guarded(|| tracing::trace!(target: "apiqueue", queue = %self.name, ?wait, "released"));
    }

    /// Somebody has seen the release after a long wait, the last of so many since one was told.
    #[inline]
    pub(crate) fn waited_long(&self, wait: &LongWait, count: u64) {
        #[cfg(feature = "tracing")]
        guarded(|| {
            let LongWait {
                waited,
                held,
                ahead,
                rate,
                ..
            } = wait;
            let interval = rate.interval();
            tracing::info!(target: "apiqueue", queue = %self.name, ?waited, ?held, ahead, ?interval, count, "waited {wait}");
        });
        #[cfg(not(feature = "tracing"))]
        let _ = (wait, count);
    }

    #[inline]
    pub(crate) fn interval(&self, interval: Duration) {
        #[cfg(feature = "metrics")]
        guarded(|| self.metrics.interval.record(interval));
        #[cfg(all(feature = "tracing", not(feature = "metrics")))]
        let _ = interval;
    }

    /// How many are in line and how many calls are under way, which are asked for only where somebody wants to know.
    #[inline]
    pub(crate) fn level(&self, depth: impl FnOnce() -> usize, under_way: impl FnOnce() -> usize) {
        #[cfg(feature = "metrics")]
        {
            let (depth, under_way) = (depth(), under_way());
            guarded(|| {
                self.metrics.depth.set(depth as f64);
                self.metrics.under_way.set(under_way as f64);
            });
        }
        #[cfg(not(feature = "metrics"))]
        let _ = (depth, under_way);
    }

    /// The rate, in releases a second.
    #[inline]
    pub(crate) fn rate(&self, rate: Rate) {
        #[cfg(feature = "metrics")]
        guarded(|| self.metrics.rate.set(rate.interval().as_secs_f64().recip()));
        #[cfg(not(feature = "metrics"))]
        let _ = rate;
    }

    #[inline]
    pub(crate) fn cancelled(&self) {
        #[cfg(feature = "metrics")]
        guarded(|| self.metrics.cancelled.increment(1));
        #[cfg(feature = "tracing")]
        guarded(|| tracing::trace!(target: "apiqueue", queue = %self.name, "cancelled"));
    }

    #[inline]
    pub(crate) fn refused(&self) {
        #[cfg(feature = "metrics")]
        guarded(|| self.metrics.refused.increment(1));
        #[cfg(feature = "tracing")]
        guarded(|| tracing::debug!(target: "apiqueue", queue = %self.name, "refused"));
    }
}

/// A change that somebody made to the queue `name`.
#[inline]
#[cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "there is nobody to tell")
)]
pub(crate) fn changed(name: &str, what: &str, value: &dyn std::fmt::Debug) {
    #[cfg(feature = "tracing")]
    guarded(|| tracing::debug!(target: "apiqueue", queue = %name, ?value, "{what}"));
}

/// Something that its author should know of went wrong, and was survived.
#[inline]
#[cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "there is nobody to tell")
)]
pub(crate) fn survived(name: &str, what: &str) {
    #[cfg(feature = "tracing")]
    guarded(|| tracing::error!(target: "apiqueue", queue = %name, "{what}"));
}

#[cfg(feature = "metrics")]
impl Metrics {
    fn register(name: &str) -> Self {
        let queue = name.to_owned();
        Self {
            released: metrics::counter!("apiqueue_released_total", "queue" => queue.clone()),
            cancelled: metrics::counter!("apiqueue_cancelled_total", "queue" => queue.clone()),
            refused: metrics::counter!("apiqueue_refused_total", "queue" => queue.clone()),
            wait: metrics::histogram!("apiqueue_wait_seconds", "queue" => queue.clone()),
            interval: metrics::histogram!("apiqueue_interval_seconds", "queue" => queue.clone()),
            depth: metrics::gauge!("apiqueue_depth", "queue" => queue.clone()),
            under_way: metrics::gauge!("apiqueue_calls_under_way", "queue" => queue.clone()),
            rate: metrics::gauge!("apiqueue_rate_per_second", "queue" => queue),
        }
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}
