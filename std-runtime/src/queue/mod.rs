//! [`ApiQueue`]: the handle that a program holds.

mod builder;
mod control;
mod cost;
mod granted;
mod parts;
mod places;
mod stop;
mod task;

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::advance::{Advance, Next};
use crate::clock::HELD_UNTIL;
use crate::driver;
use crate::error::StartError;
use crate::line::nested::{What, unless_nested};
use crate::line::{DrivenBy, Line, Queue};
use crate::stats::Stats;
use crate::wait::turn::Turn;

pub use builder::Builder;
#[cfg(feature = "toml")]
pub(crate) use parts::MAX_CAPACITY;
pub(crate) use parts::{Driving, Parts};
pub use stop::{Stop, StopReport};
pub(crate) use stop::{stop_all, stop_all_async};

/// A queue of callers of one API, released one by one at a configured rate.
///
/// A handle: clones mean the same queue. It is used from any number of threads and async tasks at once.
///
/// Dropping the last handle does not stop the queue: waiters in line keep it, and are released in their turn. To end it
/// earlier, [`stop`](Self::stop) it.
///
/// # Fairness
/// Strictly first in, first out, in the order in which the calls of [`enqueue`](Self::enqueue) took effect.
#[derive(Clone)]
pub struct ApiQueue {
    line: Arc<Line>,
}

impl ApiQueue {
    /// Sets up a queue.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    /// use std::time::Duration;
    ///
    /// let ec2 = ApiQueue::builder().every(Duration::from_millis(100)).start()?;
    /// # Ok::<(), apiqueue::StartError>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn of(line: &Arc<Line>) -> Self {
        Self {
            line: Arc::clone(line),
        }
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Takes everything that the builder has checked.
    pub(crate) fn start(parts: Parts) -> Result<Self, StartError> {
        let Parts {
            rate,
            clock,
            slots,
            terms,
            member,
            is_within,
        } = parts;
        let queue = Queue::weighted_over(clock, rate.ticks(), slots)
            .map_err(|why| StartError::Capacity {
                capacity: why.capacity,
                max: why.max,
            })?
            .catch_up(terms.catch_up);
        let driven_by = terms.driven_by;
        let line = Arc::new(Line::new(queue, terms));
        line.counters.telemetry.rate(rate);
        if !line.supply.is_schedule() {
            // Never an error: it is one tick away.
            let _ = line.queue.hold_until(HELD_UNTIL);
        }
        if let Some(member) = &member {
            member.attach(&line);
        }
        if driven_by == DrivenBy::Thread {
            driver::attach(&line).map_err(StartError::Thread)?;
            // Limits of one queue alone are driven with it.
            if let Some(member) = member.filter(|_| is_within) {
                driver::attach_limits(&member.parent.scheduler).map_err(StartError::Thread)?;
            }
        }
        Ok(Self { line })
    }

    /// How many places of the line are taken. A waiter that has left counts until the head passes its place.
    #[must_use]
    pub fn len(&self) -> usize {
        self.line.depth()
    }

    /// Whether nobody is in line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many calls are under way, where that is [limited](Builder::at_once); else 0.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.line.calls.under_way()
    }

    /// How many may be in line at once.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.line.queue.capacity()
    }

    /// What the queue was named. Empty by default.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.line.name
    }

    /// Whether the queue was stopped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.line.queue.is_closed()
    }

    /// Ends the queue, for all its handles. [`Stop::Now`] returns at once, [`Stop::Drain`] blocks until the line is
    /// empty or the time is over; it drives a [`manual`](Builder::manual) queue meanwhile.
    ///
    /// From the call on nobody new gets in. Stopping a stopped queue is harmless, and [`Stop::Now`] cuts short a drain
    /// that is going on elsewhere. Not for a waker to call with `Drain`: that would hold up the driver.
    pub fn stop(&self, how: Stop) -> StopReport {
        stop::stop(&self.line, how)
    }

    /// [`stop`](Self::stop) for async code: blocks no thread. With [`Stop::Drain`] on a [`manual`](Builder::manual) queue,
    /// whoever drives it must go on doing so.
    ///
    /// # Cancel safety
    /// The stop begins with the first poll. Dropping the future later loses the report and nothing else: a drain goes on
    /// and ends with its timeout.
    pub async fn stop_async(&self, how: Stop) -> StopReport {
        stop::stop_async(&self.line, how).await
    }

    /// Whether one made anew would be no different: then a registry may forget it.
    pub(crate) fn is_rested(&self) -> bool {
        self.line.is_rested()
    }

    /// Whether no other handle and no waiter holds this queue, at this moment.
    pub(crate) fn is_last_handle(&self) -> bool {
        Arc::strong_count(&self.line) == 1
    }

    /// What the queue has done so far. Walks the places of the line that are taken; not for a hot path.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let line = &self.line;
        Stats {
            name: line.name.clone(),
            rate: self.rate(),
            depth: self.len(),
            capacity: self.capacity(),
            without_place: line.backlog.len(),
            under_way: self.under_way(),
            released: line.released(),
            cancelled: line.counters.cancelled_count(),
            refused: line.counters.refused_count(),
            given_back: line.counters.given_back(),
            since_last_release: line.counters.since_last(line.now(), &line.passes),
            intervals: line.counters.intervals(),
            waits: line.counters.waits(line.passes.so_far()),
            long_waits: line.long_waits.count(),
            latest_long_wait: line.long_waits.latest(),
        }
    }

    /// Has the driver look again at a clock of your own that was set or has jumped forward.
    pub fn wake_driver(&self) {
        self.line.wake_driver();
    }

    /// Releases the waiters that are due, and says when to call again: how a [`manual`](Builder::manual) queue is driven.
    /// On another one it does no harm. From within a waker that this very call has called it does nothing, and the outer one looks once
    /// more.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, Next};
    ///
    /// let queue = ApiQueue::builder().per_second(1000).manual().start()?;
    /// let waiters = [queue.enqueue()?, queue.enqueue()?];
    /// loop {
    ///     match queue.advance().next {
    ///         Next::At(at) => std::thread::sleep(at.saturating_duration_since(std::time::Instant::now())),
    ///         Next::OnEnqueue | Next::Closed => break,
    ///     }
    /// }
    /// assert!(waiters.iter().all(|waiter| !waiter.is_waiting()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn advance(&self) -> Advance {
        self.go(None)
    }

    /// [`advance`](Self::advance) for a driver that sleeps: `waker` is called when it should come back before
    /// [`Advance::next`] says so, and in the case of [`Next::OnEnqueue`]. One driver at a time can be told: the waker left
    /// last. A queue that is not [`manual`](Builder::manual) has its driver already, and ignores `waker`.
    pub fn advance_with(&self, waker: &Waker) -> Advance {
        self.go((!self.line.is_driven()).then_some(waker))
    }

    fn go(&self, waker: Option<&Waker>) -> Advance {
        let mut released = 0;
        let mut next = None;
        unless_nested(What::Advance, &self.line, || {
            next = loop {
                match self.line.advance(waker) {
                    Some(advanced) => {
                        released += advanced.released;
                        break Some(Next::of(advanced.next));
                    }
                    None => released += 1,
                }
            };
        });
        Advance {
            released,
            // The call that this one comes from within will look once more.
            next: next.unwrap_or_else(|| Next::At(Instant::now())),
        }
    }
}

impl Turn<'_> {
    /// The queue that it is a turn of.
    #[must_use]
    pub fn queue(&self) -> ApiQueue {
        ApiQueue::of(self.line())
    }
}

impl fmt::Debug for ApiQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiQueue")
            .field("name", &self.name())
            .field("rate", &self.rate())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}
