//! [`ApiQueue`]: the handle that a program holds.

mod advance;
mod builder;
mod control;
mod granted;
mod stop;
mod weighted;

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use apiqueue_core::{Closed, EnqueueError};

use crate::clock::HELD_UNTIL;
use crate::driver;
use crate::error::{StartError, TryAcquireError, WaitError};
use crate::line::backlog::Waiting;
use crate::line::{DrivenBy, Line, Queue};
use crate::stats::Stats;
use crate::wait::block;
use crate::wait::place::Enqueue;
use crate::wait::waiter::Waiter;

pub use advance::{Advance, Next};
pub use builder::Builder;
#[cfg(feature = "toml")]
pub(crate) use builder::MAX_CAPACITY;
pub(crate) use builder::Parts;
pub use stop::{Stop, StopReport};

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

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Takes everything that the builder has checked.
    pub(crate) fn start(parts: Parts) -> Result<Self, StartError> {
        if parts.clock.is_broken() {
            return Err(StartError::Clock);
        }
        let queue =
            Queue::weighted_over(parts.clock, parts.rate.ticks(), parts.slots).map_err(|why| {
                StartError::Capacity {
                    capacity: why.capacity,
                    max: why.max,
                }
            })?;
        let queue = queue.catch_up(parts.catch_up);
        let line = Arc::new(Line::new(
            queue,
            parts.name,
            parts.spin,
            parts.driven_by,
            parts.catch_up,
            parts.given,
        ));
        if let Some(given) = &line.given {
            // Never an error: it is one tick away.
            let _ = line.queue.hold_until(HELD_UNTIL);
            given.attach(&line);
        }
        if parts.driven_by == DrivenBy::Thread {
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
        self.enqueue_of(1)
    }

    pub(crate) fn enqueue_of(&self, weight: usize) -> Result<Waiter, EnqueueError> {
        let entered = if self.line.backlog.len() == 0 {
            self.line.enter(weight)
        } else {
            // Whatever room there is belongs to those who wait for it.
            Err(self.full())
        };
        entered.inspect_err(|_| self.line.counters.refused())
    }

    fn full(&self) -> EnqueueError {
        if self.is_closed() {
            EnqueueError::Closed
        } else {
            EnqueueError::Full {
                capacity: self.capacity(),
            }
        }
    }

    /// [`enqueue`](Self::enqueue), but where the line is full this thread waits for room: those who do, on threads
    /// or tasks, get places in the order in which they came, and as long as there are any, `enqueue` says
    /// [`Full`](EnqueueError::Full). Allocates only when it has to wait.
    ///
    /// Not for a thread that drives the queue by hand.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// let queue = ApiQueue::builder().per_second(1000).capacity(2).start()?;
    /// std::thread::scope(|scope| {
    ///     for _ in 0..8 {
    ///         scope.spawn(|| queue.enqueue_wait()?.wait());
    ///     }
    /// });
    /// assert_eq!(queue.stats().released, 8);
    /// # Ok::<(), apiqueue::StartError>(())
    /// ```
    ///
    /// # Errors
    /// [`Closed`] when the queue is stopped before there is room.
    pub fn enqueue_wait(&self) -> Result<Waiter, Closed> {
        self.place(None).unwrap_or(Err(Closed))
    }

    /// [`enqueue_wait`](Self::enqueue_wait) for `timeout` at most. The wait for the release that comes after is not part
    /// of it.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] when there was no room in time, [`WaitError::Closed`] when the queue is stopped.
    pub fn enqueue_wait_timeout(&self, timeout: Duration) -> Result<Waiter, WaitError> {
        match self.place(Instant::now().checked_add(timeout)) {
            Some(place) => Ok(place?),
            None => {
                self.line.counters.refused();
                Err(WaitError::TimedOut { timeout })
            }
        }
    }

    /// None when `until` came first.
    fn place(&self, until: Option<Instant>) -> Option<Result<Waiter, Closed>> {
        match self.try_place() {
            Some(place) => Some(place),
            None => {
                let waiting = Waiting::join(&self.line);
                block::block_on(until, |waker| waiting.poll(waker))
            }
        }
    }

    /// None when the line is full.
    fn try_place(&self) -> Option<Result<Waiter, Closed>> {
        if self.line.backlog.len() > 0 {
            return None;
        }
        match self.line.enter(1) {
            Ok(waiter) => Some(Ok(waiter)),
            Err(EnqueueError::Full { .. }) => None,
            Err(_) => Some(Err(Closed)),
        }
    }

    /// The async twin of [`enqueue_wait`](Self::enqueue_wait): a future of the place in line. Awaiting the [`Waiter`] that
    /// it gives is a second step.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use apiqueue::ApiQueue;
    ///
    /// let queue = ApiQueue::builder().per_second(1000).capacity(1).start()?;
    /// for _ in 0..3 {
    ///     queue.enqueue_async().await?.await?; // a place, and then the turn
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future gives up the turn, and a place that came with it; it delays nobody.
    pub fn enqueue_async(&self) -> Enqueue {
        match self.try_place() {
            Some(place) => Enqueue::ready(place),
            None => Enqueue::backlog(Waiting::join(&self.line)),
        }
    }

    /// Takes a permit now or not at all. Never overtakes a waiter.
    ///
    /// # Errors
    /// [`TryAcquireError`] says why not, and if it is a matter of time, until when.
    pub fn try_acquire(&self) -> Result<(), TryAcquireError> {
        let line = &self.line;
        if line.backlog.len() > 0 && !self.is_closed() {
            return Err(TryAcquireError::Queued);
        }
        match line.queue.try_acquire() {
            Ok(_) if line.has_lost_its_clock() => Err(TryAcquireError::Closed),
            Ok(at) => {
                line.passed(at);
                Ok(())
            }
            Err(apiqueue_core::TryAcquireError::NotYet { at }) => Err(TryAcquireError::NotYet {
                at: line.queue.clock().instant(at),
            }),
            Err(apiqueue_core::TryAcquireError::Queued) => Err(TryAcquireError::Queued),
            Err(_) => Err(TryAcquireError::Closed),
        }
    }

    /// Takes a permit, where nobody waits, for a place or in line.
    #[inline]
    pub(crate) fn pass(&self) -> bool {
        let line = &self.line;
        if line.backlog.len() > 0 {
            return false;
        }
        let passed = line.queue.try_acquire();
        passed.is_ok_and(|at| {
            let goes = !line.has_lost_its_clock();
            if goes {
                line.passed(at);
            }
            goes
        })
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

    /// [`stop`](Self::stop) for async code: blocks no thread. With [`Stop::Drain`] on a [`manual`](Builder::manual) queue,
    /// whoever drives it must go on doing so.
    ///
    /// # Cancel safety
    /// The stop begins with the first poll. Dropping the future later loses the report and nothing else: a drain goes on
    /// and ends with its timeout.
    pub async fn stop_async(&self, how: Stop) -> StopReport {
        stop::stop_async(&self.line, how).await
    }

    /// Whether it is as a new queue of its rate would be: nobody in line, the whole burst free, nothing held, open.
    #[must_use]
    pub fn is_rested(&self) -> bool {
        self.line.queue.is_rested() && self.line.backlog.len() == 0
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
            released: line.released(),
            cancelled: line.counters.cancelled_count(),
            refused: line.counters.refused_count(),
            since_last_release: line.counters.since_last(line.now(), &line.passes),
            intervals: line.counters.intervals(),
            waits: line.counters.waits(line.passes.so_far()),
        }
    }

    /// Has the driver look again at a clock of your own that was set or has jumped forward.
    pub fn wake_driver(&self) {
        self.line.queue.wake_driver();
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
            return Advance {
                released,
                next: Next::of(advanced.next),
            };
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
