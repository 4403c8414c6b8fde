//! Taking places in line, now or as soon as there is room; and permits without one.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use apiqueue_core::{Closed, EnqueueError};

use crate::error::{RefusedError, TryAcquireError, WaitError};
use crate::queue::ApiQueue;
use crate::wait::block;
use crate::wait::place::Enqueue;
use crate::wait::room::Waiting;
use crate::wait::turn::Turn;
use crate::wait::waiter::Waiter;

impl ApiQueue {
    /// Takes the next place in line. Where nobody is ahead and a permit is free, the waiter is released at once, without
    /// a thread switch.
    ///
    /// Never blocks, allocates nothing.
    ///
    /// # Errors
    /// [`EnqueueError::Full`] when [`capacity`](Self::capacity) waiters are in line, [`EnqueueError::Closed`] when the
    /// queue was stopped.
    pub fn enqueue(&self) -> Result<Waiter, EnqueueError> {
        self.enqueue_weighted(1)
    }

    /// [`enqueue`](Self::enqueue) for a call that costs `weight` permits: a bulk call, a query of many points. It takes one
    /// place in line, is released when so many permits have gathered, and nobody overtakes it meanwhile.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// // 5,000 points an hour, of which 100 may gather.
    /// let graphql = ApiQueue::builder().every(std::time::Duration::from_millis(720)).burst(100).start()?;
    /// graphql.enqueue_weighted(40)?.wait()?;
    /// graphql.enqueue_weighted(60)?.wait()?;
    /// let why = graphql.enqueue_weighted(101).unwrap_err();
    /// assert_eq!(why.to_string(), "a weight of 101 permits is not in 1..=100, the burst");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue), and [`EnqueueError::Weight`] when `weight` is 0, or more than can gather: more than the
    /// burst, or than [`MAX_WEIGHT`](apiqueue_core::MAX_WEIGHT).
    pub fn enqueue_weighted(&self, weight: usize) -> Result<Waiter, EnqueueError> {
        let entered = if self.line().backlog.len() == 0 {
            self.line().enter(weight).map(Waiter::at)
        } else {
            // Whatever room there is belongs to those who wait for it.
            Err(self.full())
        };
        entered.inspect_err(|_| self.line().counters.refused())
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
        // Of one permit, which is never too many.
        match self.place(1, None) {
            Some(Ok(waiter)) => Ok(waiter),
            _ => Err(Closed),
        }
    }

    /// [`enqueue_wait`](Self::enqueue_wait) for `timeout` at most. The wait for the release that comes after is not part
    /// of it.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] when there was no room in time, [`WaitError::Closed`] when the queue is stopped.
    pub fn enqueue_wait_timeout(&self, timeout: Duration) -> Result<Waiter, WaitError> {
        match self.place(1, Instant::now().checked_add(timeout)) {
            Some(place) => place.map_err(|_| WaitError::Closed),
            None => {
                self.line().counters.refused();
                Err(WaitError::TimedOut { timeout })
            }
        }
    }

    /// None when `until` came first.
    fn place(&self, weight: usize, until: Option<Instant>) -> Option<Result<Waiter, EnqueueError>> {
        match self.try_place(weight) {
            Some(place) => Some(place),
            None => {
                let waiting = Waiting::join(self.line(), weight);
                block::block_on(until, |waker| waiting.poll(waker))
            }
        }
    }

    /// None when the line is full.
    fn try_place(&self, weight: usize) -> Option<Result<Waiter, EnqueueError>> {
        if self.line().backlog.len() > 0 {
            return None;
        }
        match self.line().enter(weight) {
            Err(EnqueueError::Full { .. }) => None,
            place => Some(place.map(Waiter::at)),
        }
    }

    /// [`wait_turn`](Self::wait_turn) for a call that costs `weight` permits.
    ///
    /// # Errors
    /// [`EnqueueError::Weight`] as for [`enqueue_weighted`](Self::enqueue_weighted), [`EnqueueError::Closed`] when the queue is stopped
    /// before.
    pub fn wait_turn_weighted(&self, weight: usize) -> Result<Turn<'_>, EnqueueError> {
        let place = self
            .place(weight, None)
            .unwrap_or(Err(EnqueueError::Closed));
        place?.wait().map_err(|Closed| EnqueueError::Closed)
    }

    /// The async twin of [`wait_turn_weighted`](Self::wait_turn_weighted).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As of [`turn`](Self::turn).
    pub async fn turn_weighted(&self, weight: usize) -> Result<Turn<'_>, EnqueueError> {
        let waiter = self.enqueue_weighted_async(weight).await?;
        waiter.await.map_err(|Closed| EnqueueError::Closed)
    }

    /// [`enqueue`](Self::enqueue), unless the turn would come later than `longest` from now by the [estimate](Waiter::estimate) of this
    /// moment: then it says so at once. Where nobody can tell when it will come, it takes the place. Walks the line.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, RefusedError};
    /// use std::time::Duration;
    ///
    /// let queue = ApiQueue::builder().every(Duration::from_secs(60)).start()?;
    /// queue.wait_turn()?; // the first is free
    /// let why = queue.enqueue_within(Duration::from_secs(5)).unwrap_err();
    /// assert!(matches!(why, RefusedError::TooLate { wait, .. } if wait > Duration::from_secs(50)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RefusedError`].
    pub fn enqueue_within(&self, longest: Duration) -> Result<Waiter, RefusedError> {
        let line = self.line();
        if line.backlog.len() == 0 && !self.is_closed() {
            let ahead = line.queue.permits_in_line();
            let wait = match line.estimate(ahead) {
                Some(at) => line.queue.clock().until(at),
                None => Duration::ZERO,
            };
            if wait > longest {
                line.counters.refused();
                return Err(RefusedError::TooLate { wait, longest });
            }
        }
        Ok(self.enqueue()?)
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
        match self.try_place(1) {
            // Of one permit, which is never too many.
            Some(place) => Enqueue::ready(place.map_err(|_| Closed)),
            None => Enqueue::backlog(Waiting::join(self.line(), 1)),
        }
    }

    /// [`enqueue_async`](Self::enqueue_async) for a call that costs `weight` permits. The place, or the wait for room, is taken at the
    /// first poll.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use apiqueue::ApiQueue;
    ///
    /// let queue = ApiQueue::builder().per_second(1000).burst(10).capacity(1).start()?;
    /// for _ in 0..3 {
    ///     queue.enqueue_weighted_async(10).await?.await?;
    /// }
    /// assert!(queue.enqueue_weighted_async(11).await.is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`EnqueueError::Weight`] as for [`enqueue_weighted`](Self::enqueue_weighted), [`EnqueueError::Closed`] when the queue is stopped
    /// before there is room.
    ///
    /// # Cancel safety
    /// As of [`enqueue_async`](Self::enqueue_async).
    pub async fn enqueue_weighted_async(&self, weight: usize) -> Result<Waiter, EnqueueError> {
        match self.try_place(weight) {
            Some(place) => place,
            None => {
                let waiting = Waiting::join(self.line(), weight);
                poll_fn(|context| waiting.poll(context.waker())).await
            }
        }
    }

    /// Takes a permit now or not at all. Never overtakes a waiter.
    ///
    /// Whoever [grants](crate::Builder::granted) gives to those in line only. Of limits that several queues share, another queue's first in
    /// line may come before; and where they go by a [clock](crate::Builder::clock) of yours, it does not wait for a thread that is just
    /// reading that.
    ///
    /// # Errors
    /// [`TryAcquireError`] says why not, and if it is a matter of time, until when.
    #[inline]
    pub fn try_acquire(&self) -> Result<Turn<'_>, TryAcquireError> {
        match self.pass() {
            Some(turn) => Ok(turn),
            None => self.try_once_more(),
        }
    }

    /// [`try_acquire`](Self::try_acquire), with a turn that holds the queue instead of borrowing it: one that can be kept and sent
    /// anywhere.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, Turn};
    ///
    /// let queue = ApiQueue::builder().per_second(10).at_once(1).start()?;
    /// let turn: Turn<'static> = queue.try_acquire_owned()?;
    /// assert_eq!(queue.under_way(), 1);
    /// std::thread::spawn(move || turn.ok()).join().unwrap();
    /// assert_eq!(queue.under_way(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn try_acquire_owned(&self) -> Result<Turn<'static>, TryAcquireError> {
        self.try_acquire().map(Turn::kept)
    }

    /// For one who could not pass: why not, or a permit after all.
    #[cold]
    fn try_once_more(&self) -> Result<Turn<'_>, TryAcquireError> {
        let line = self.line();
        if line.backlog.len() > 0 && !self.is_closed() {
            return Err(TryAcquireError::Queued);
        }
        match line.queue.try_acquire() {
            Ok(_) if line.has_lost_its_clock() => Err(TryAcquireError::Closed),
            Ok(at) => Ok(self.passed(at)),
            Err(apiqueue_core::TryAcquireError::NotYet { at }) if line.supply.is_schedule() => {
                Err(TryAcquireError::NotYet {
                    at: line.queue.clock().instant(at),
                })
            }
            // Whoever grants by hand, or a source, may have none for those who are not in line.
            Err(apiqueue_core::TryAcquireError::NotYet { .. }) => match line.take_of_others() {
                Ok(_) if line.has_lost_its_clock() => Err(TryAcquireError::Closed),
                Ok(at) => Ok(self.passed(at)),
                Err(_) if self.is_closed() => Err(TryAcquireError::Closed),
                Err(at) => Err(TryAcquireError::NotYet {
                    at: at.and_then(|at| line.queue.clock().instant(at)),
                }),
            },
            Err(apiqueue_core::TryAcquireError::Queued) => Err(TryAcquireError::Queued),
            Err(_) => Err(TryAcquireError::Closed),
        }
    }

    /// Takes a permit, where nobody waits, for a place or in line.
    #[inline(always)]
    pub(crate) fn pass(&self) -> Option<Turn<'_>> {
        let line = self.line();
        if line.backlog.len() > 0 {
            return None;
        }
        let at = match line.queue.try_acquire() {
            Ok(at) => at,
            Err(apiqueue_core::TryAcquireError::NotYet { .. }) => line.take_of_others().ok()?,
            Err(_) => return None,
        };
        (!line.has_lost_its_clock()).then(|| self.passed(at))
    }

    /// Somebody got a permit without a place, at this reading.
    #[inline(always)]
    fn passed(&self, at: u64) -> Turn<'_> {
        let line = self.line();
        line.passed(at);
        Turn::passed(line, at)
    }
}
