//! [`Turn`]: what a released caller holds, and through which it tells how the call went.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apiqueue_core::{ChargeError, Outcome, Word};

use crate::line::waited_for::{Ahead, WaitedFor};
use crate::line::{Gone, Line};
use crate::rate::MAX_SPAN;
use crate::stats::telemetry;

/// A caller's turn: the call may be made now, and is under way as long as this lives.
///
/// That matters where calls under way are [limited](crate::Builder::at_once): keep it until the call is over there. Elsewhere it can
/// be ignored, and costs and means nothing then. What came of the call can be told through it: [`ok`](Self::ok),
/// [`throttled`](Self::throttled), [`charge`](Self::charge), [`refund`](Self::refund). Dropping it tells nothing.
///
/// ```
/// use apiqueue::ApiQueue;
///
/// let model = ApiQueue::builder().per_second(1000).burst(1000).at_once(8).start()?;
/// let turn = model.wait_turn()?;
/// // … the call …
/// turn.charge(20)?; // it has cost 21
/// turn.ok(); // over: the next may begin
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `Turn<'static>` can be kept and sent anywhere, as a [`Waiter`](crate::Waiter) gives it; the turn of
/// [`wait_turn`](crate::ApiQueue::wait_turn) and [`turn`](crate::ApiQueue::turn) borrows its queue.
pub struct Turn<'q> {
    line: Held<'q>,
    weight: usize,
    /// When its holder was told, by the clock that permits are given by.
    told: u64,
    /// In nanoseconds.
    waited: u64,
    ahead: Ahead,
}

/// How it holds on to the queue.
enum Held<'q> {
    Borrowed(&'q Arc<Line>),
    Owned(Arc<Line>),
}

impl<'q> Turn<'q> {
    pub(crate) fn of(gone: Gone) -> Self {
        Self {
            line: Held::Owned(gone.line),
            weight: gone.weight,
            told: gone.told,
            waited: gone.waited,
            ahead: gone.ahead,
        }
    }

    /// Of one who took a permit at this reading.
    #[inline(always)]
    pub(crate) fn passed(line: &'q Arc<Line>, at: u64) -> Self {
        Self {
            line: Held::Borrowed(line),
            weight: 1,
            told: at,
            waited: 0,
            ahead: Ahead::PASSED,
        }
    }

    /// The turn of [`passed`](Self::passed), which holds the queue from now on instead of borrowing it.
    pub(crate) fn kept(self) -> Turn<'static> {
        let kept = Turn {
            line: Held::Owned(Arc::clone(self.line())),
            weight: self.weight,
            told: self.told,
            waited: self.waited,
            ahead: self.ahead,
        };
        // The call goes on. All that it has is a borrow, so nothing is leaked.
        std::mem::forget(self);
        kept
    }

    #[inline(always)]
    pub(crate) fn line(&self) -> &Arc<Line> {
        match &self.line {
            Held::Borrowed(line) => line,
            Held::Owned(line) => line,
        }
    }

    /// Whether a controller sets the queue's rate.
    #[cfg(feature = "http")]
    pub(crate) fn is_adaptive(&self) -> bool {
        self.line().controller.is_some()
    }

    /// How long it waited in line.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited)
    }

    /// What for.
    #[must_use]
    pub fn waited_for(&self) -> WaitedFor {
        self.ahead.waited_for()
    }

    /// How many were ahead of it when it took its place.
    #[must_use]
    pub fn waited_behind(&self) -> usize {
        self.ahead.count()
    }

    /// For how much of the time that it waited the queue was [held](crate::ApiQueue::hold_for), by an answer or by hand, or
    /// [paused](crate::Builder::paused). Of holds that were apart the queue remembers the latest 16.
    #[must_use]
    pub fn held(&self) -> Duration {
        if self.ahead.was_held() {
            let since = self.told.saturating_sub(self.waited);
            self.line().held_within(since, self.told)
        } else {
            Duration::ZERO
        }
    }

    /// How long ago it came.
    #[must_use]
    pub fn age(&self) -> Duration {
        Duration::from_nanos(self.line().now().saturating_sub(self.told))
    }

    /// The call was taken by the server, be its answer good or bad, and is over.
    pub fn ok(self) {
        self.outcome(Outcome::Ok);
    }

    /// The server refused the call for coming too often, and it is over. With `retry_after`, how long it asks to stay away, the queue
    /// is [held](crate::ApiQueue::hold_for) so long, 2 years at most; an [adaptive](crate::Builder::adaptive) one goes slower as well.
    pub fn throttled(self, retry_after: Option<Duration>) {
        self.outcome(match retry_after {
            Some(time) => Outcome::RetryAfter(
                u64::try_from(time.min(MAX_SPAN).as_nanos()).unwrap_or(u64::MAX_SPAN),
            ),
            None => Outcome::Throttled,
        });
    }

    fn outcome(&self, outcome: Outcome<u64>) {
        let line = self.line();
        if let Outcome::RetryAfter(nanos) = outcome {
            telemetry::changed(&line.name, "held", &Duration::from_nanos(nanos));
            // Whatever a controller makes of it: one may have panicked, or hear of it later.
            line.hold(nanos);
        }
        if let Some(controller) = &line.controller {
            line.tell_controller(controller, self.told, outcome);
        }
    }

    /// Uses up `permits` more: [`ApiQueue::charge`](crate::ApiQueue::charge).
    ///
    /// # Errors
    /// As there.
    pub fn charge(&self, permits: usize) -> Result<(), ChargeError> {
        self.line().charge(permits)
    }

    /// Puts `permits` back: [`ApiQueue::refund`](crate::ApiQueue::refund).
    pub fn refund(&self, permits: usize) {
        self.line().refund(permits);
    }

    /// Gives the permit back, when the call will not be made after all: the next one then goes early. Where several queues count on a
    /// limit, only as long as no other release was counted there since.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    /// use std::time::Duration;
    ///
    /// let queue = ApiQueue::builder().every(Duration::from_secs(3600)).start()?;
    /// queue.wait_turn()?.give_back(); // the answer was in the cache
    /// queue.wait_turn()?; // not an hour later
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn give_back(self) {
        let line = self.line();
        line.counters.gave_back();
        if line.supply.is_schedule() {
            line.refund(self.weight);
        } else {
            line.came_back(self.weight);
        }
    }
}

impl Drop for Turn<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.line().call_ended();
    }
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("queue", &self.line().name)
            .field("waited", &self.waited())
            .field("waited_for", &self.waited_for())
            .finish_non_exhaustive()
    }
}
