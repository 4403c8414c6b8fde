//! [`ApiQueue`]: the handle that a program holds.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use apiqueue_core::{Clock, EnqueueError, Slot};

use crate::builder::Builder;
use crate::clock::MonotonicClock;
use crate::driver;
use crate::error::{HoldError, StartError, TryAcquireError};
use crate::line::{Line, Queue};
use crate::rate::{MAX_SPAN, Rate};
use crate::stop::{self, Stop, StopReport};
use crate::waiter::Waiter;

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

    pub(crate) fn start(
        rate: Rate,
        slots: Box<[Slot]>,
        name: String,
        manual: bool,
    ) -> Result<Self, StartError> {
        let queue = Queue::over(MonotonicClock, rate.ticks(), slots).map_err(|why| {
            StartError::Capacity {
                capacity: why.capacity,
                max: why.max,
            }
        })?;
        let line = Arc::new(Line::new(queue, name));
        if !manual {
            driver::attach(&line).map_err(StartError::Thread)?;
        }
        Ok(Self { line })
    }

    /// Takes the next place in line. Where nobody is ahead and a permit is free, the waiter is released at once, without
    /// a thread switch.
    ///
    /// Never blocks, allocates nothing.
    ///
    /// # Errors
    /// [`EnqueueError::Full`] when [`capacity`](Self::capacity) waiters are in line, [`EnqueueError::Closed`] when the
    /// queue was stopped.
    pub fn enqueue(&self) -> Result<Waiter, EnqueueError> {
        self.line.enter().map(Waiter::new)
    }

    /// Takes a permit now or not at all. Never overtakes a waiter.
    ///
    /// # Errors
    /// [`TryAcquireError`] says why not, and if it is a matter of time, until when.
    pub fn try_acquire(&self) -> Result<(), TryAcquireError> {
        self.line.queue.try_acquire().map_err(|why| match why {
            apiqueue_core::TryAcquireError::NotYet { at } => TryAcquireError::NotYet {
                at: MonotonicClock.instant(at),
            },
            apiqueue_core::TryAcquireError::Queued => TryAcquireError::Queued,
            _ => TryAcquireError::Closed,
        })
    }

    /// The present rate.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.line.queue.rate().into()
    }

    /// Sets the rate, at once and for those already queued too: the pending release moves to the latest one's slot plus
    /// the new interval, earlier or later.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, Rate};
    /// use std::time::Duration;
    ///
    /// let queue = ApiQueue::builder().every(Duration::from_secs(3600)).start()?;
    /// queue.enqueue()?.wait()?; // the first is free
    /// let second = queue.enqueue()?;
    /// queue.set_rate(Rate::per_second(1000)?);
    /// second.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_rate(&self, rate: Rate) {
        self.line.queue.set_rate(rate.ticks());
    }

    /// Releases nobody for `duration`, those already queued included: what a server asks for with `Retry-After`. Only
    /// extends a hold. From its end on releases are evenly spaced: a hold spends the burst.
    ///
    /// # Errors
    /// [`HoldError`] when it is longer than 36 years.
    pub fn hold_for(&self, duration: Duration) -> Result<(), HoldError> {
        u64::try_from(duration.as_nanos())
            .ok()
            .and_then(|ticks| MonotonicClock.now().checked_add(ticks))
            .and_then(|until| self.line.queue.hold_until(until).ok())
            .ok_or(HoldError {
                duration,
                max: MAX_SPAN,
            })
    }

    /// Ends a hold now.
    pub fn resume(&self) {
        self.line.queue.resume();
    }

    /// How many places of the line are taken. A waiter that has left counts until the head passes its place.
    #[must_use]
    pub fn len(&self) -> usize {
        self.line.queue.len()
    }

    /// Whether nobody is in line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.line.queue.is_empty()
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

    /// Releases the waiters that are due, and says when to call again: how a [`manual`](Builder::manual) queue is driven.
    /// On another one it does no harm.
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
        loop {
            let Some(advanced) = self.line.advance(waker) else {
                released += 1;
                continue;
            };
            released += advanced.released;
            let next = match advanced.next {
                apiqueue_core::Next::At(at) => match MonotonicClock.instant(at) {
                    Some(at) => Next::At(at),
                    None => Next::OnEnqueue,
                },
                apiqueue_core::Next::OnEnqueue => Next::OnEnqueue,
                apiqueue_core::Next::Closed => Next::Closed,
            };
            return Advance { released, next };
        }
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

/// What a call of [`ApiQueue::advance`] did, and when the next is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it says when to call `advance` again"]
pub struct Advance {
    /// How many waiters this call released.
    pub released: usize,
    /// When to call again.
    pub next: Next,
}

/// When `advance` has something to do again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At this instant.
    At(Instant),
    /// When something is enqueued.
    OnEnqueue,
    /// Never: the queue is closed, or draining and empty.
    Closed,
}
