//! [`FleetQueue`]: the handle that a program holds.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use apiqueue::{
    Closed, Enqueue, EnqueueError, HoldError, MonotonicClock, Rate, Stop, StopReport,
    TryAcquireError, WaitError, Waiter,
};

use crate::builder::FleetBuilder;
use crate::calendar::{MAX_MICROS, micros};
use crate::driver;
use crate::error::FleetError;
use crate::shared::{Shared, arrival, now};
use crate::stats::FleetStats;

/// A queue of this process's callers of one API, released at a rate that a fleet of processes shares.
///
/// A handle: clones mean the same queue. It is used like an [`ApiQueue`](apiqueue::ApiQueue), and differs only where it says so.
///
/// Dropping the last handle does not stop the queue: waiters in line are released in their turn, and then the slots held are
/// given back.
///
/// # Fairness
/// First in, first out, on each host. Between hosts with callers in line, equal shares.
#[derive(Clone)]
pub struct FleetQueue {
    handle: Arc<Handle>,
}

/// What the clones of a handle have in common.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        // Ordering: Release; whatever the handles did comes before.
        self.0.orphaned.store(true, Ordering::Release);
        self.0.ring();
    }
}

impl FleetQueue {
    /// Sets up a queue.
    ///
    /// ```
    /// use apiqueue_fleet::FleetQueue;
    ///
    /// let ec2 = FleetQueue::builder().name("ec2").per_second(100).start()?;
    /// # Ok::<(), apiqueue_fleet::FleetError>(())
    /// ```
    pub fn builder() -> FleetBuilder {
        FleetBuilder::default()
    }

    pub(crate) fn start(shared: Shared) -> Result<Self, FleetError> {
        let shared = Arc::new(shared);
        driver::attach(&shared).map_err(FleetError::Thread)?;
        Ok(Self {
            handle: Arc::new(Handle(shared)),
        })
    }

    fn shared(&self) -> &Shared {
        &self.handle.0
    }

    /// Takes the next place in this host's line. Nobody is released before a slot has come from the backend: that takes a round
    /// trip on a host that was idle.
    ///
    /// # Errors
    /// [`EnqueueError::Full`] when [`capacity`](Self::capacity) waiters are in line, [`EnqueueError::Closed`] when the
    /// queue was stopped.
    pub fn enqueue(&self) -> Result<Waiter, EnqueueError> {
        self.shared().line.enqueue()
    }

    /// [`enqueue`](Self::enqueue), but where the line is full this thread waits for room:
    /// [`ApiQueue::enqueue_wait`](apiqueue::ApiQueue::enqueue_wait).
    ///
    /// # Errors
    /// [`Closed`] when the queue is stopped before there is room.
    pub fn enqueue_wait(&self) -> Result<Waiter, Closed> {
        self.shared().line.enqueue_wait()
    }

    /// [`enqueue_wait`](Self::enqueue_wait) for `timeout` at most.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] when there was no room in time, [`WaitError::Closed`] when the queue is stopped.
    pub fn enqueue_wait_timeout(&self, timeout: Duration) -> Result<Waiter, WaitError> {
        self.shared().line.enqueue_wait_timeout(timeout)
    }

    /// The async twin of [`enqueue_wait`](Self::enqueue_wait): a future of the place in line.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the turn, and a place that came with it; it delays nobody.
    pub fn enqueue_async(&self) -> Enqueue {
        self.shared().line.enqueue_async()
    }

    /// Takes a slot that this host holds already and that is due, or none. Never overtakes a waiter, and never asks the
    /// backend: on a host where nobody has waited lately there is none to take, whatever the rate. For "now, or not at all"
    /// in a fleet take a place and [`wait_timeout`](Waiter::wait_timeout) a little longer than a round trip.
    ///
    /// # Errors
    /// [`TryAcquireError::NotYet`] tells the next slot held, none if there is none.
    pub fn try_acquire(&self) -> Result<(), TryAcquireError> {
        let shared = self.shared();
        if shared.line.is_closed() {
            return Err(TryAcquireError::Closed);
        }
        if !shared.line.is_empty() {
            return Err(TryAcquireError::Queued);
        }
        let mut host = shared.host();
        if host.take_one(now()) {
            // Ordering: Relaxed; only a number.
            shared.passed.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        Err(TryAcquireError::NotYet {
            at: host
                .next_slot()
                .and_then(|at| MonotonicClock.instant(at * 1000)),
        })
    }

    /// The fleet's rate, as this host knows it.
    #[must_use]
    pub fn rate(&self) -> Rate {
        let interval = Duration::from_micros(self.shared().host().interval());
        // An interval of at least a microsecond and at most 35 years, which is a rate.
        Rate::every(interval).unwrap_or_else(|_| self.shared().line.rate())
    }

    /// Sets the rate of the whole fleet, in intervals rounded up to whole microseconds. A burst counts for nothing.
    ///
    /// Here it acts at once: the slots that this host holds are given back, or let go if others were granted after them. The
    /// backend grants by it from the last slot granted on, and the other hosts use up the leases that they hold: within
    /// [`horizon`](FleetBuilder::horizon). While the backend is away this host goes by it alone, and tells it when it is
    /// back.
    pub fn set_rate(&self, rate: Rate) {
        self.shared().host().retune(micros(rate.interval()));
        self.shared().ring();
    }

    /// Releases nobody in the whole fleet for `duration`: what a server asks for with `Retry-After`. Only extends a hold.
    ///
    /// Here it acts at once. The other hosts hear of it with their next lease and use up the one that they hold: within
    /// [`horizon`](FleetBuilder::horizon). While the backend is away this host holds alone.
    ///
    /// # Errors
    /// [`HoldError`] when it is longer than 35 years.
    pub fn hold_for(&self, duration: Duration) -> Result<(), HoldError> {
        let max = Duration::from_micros(MAX_MICROS);
        if duration > max {
            return Err(HoldError { duration, max });
        }
        if !duration.is_zero() {
            self.shared().host().hold(arrival() + micros(duration));
            self.shared().ring();
        }
        Ok(())
    }

    /// Ends a hold of the whole fleet now, whoever made it. Hosts that wait for its end hear of it within
    /// [`horizon`](FleetBuilder::horizon).
    pub fn resume(&self) {
        self.shared().host().resume();
        self.shared().ring();
    }

    /// How many places of this host's line are taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared().line.len()
    }

    /// Whether nobody is in line on this host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared().line.is_empty()
    }

    /// How many may be in line on this host at once.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared().line.capacity()
    }

    /// The limit's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared().name
    }

    /// Whether the queue was stopped, on this host.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared().line.is_closed()
    }

    /// Ends this host's queue, for all its handles, as [`ApiQueue::stop`](apiqueue::ApiQueue::stop) does, and gives back the
    /// slots that it holds. The other hosts go on.
    pub fn stop(&self, how: Stop) -> StopReport {
        let report = self.shared().line.stop(how);
        self.shared().ring();
        report
    }

    /// [`stop`](Self::stop) for async code: blocks no thread.
    ///
    /// # Cancel safety
    /// The stop begins with the first poll. Dropping the future later loses the report and nothing else.
    pub async fn stop_async(&self, how: Stop) -> StopReport {
        let report = self.shared().line.stop_async(how).await;
        self.shared().ring();
        report
    }

    /// What the queue and its host have done so far.
    #[must_use]
    pub fn stats(&self) -> FleetStats {
        let mut queue = self.shared().line.stats();
        queue.rate = self.rate();
        // Ordering: Relaxed; only a number.
        queue.released += self.shared().passed.load(Ordering::Relaxed);
        FleetStats::new(queue, &self.shared().host(), now())
    }
}

impl fmt::Debug for FleetQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetQueue")
            .field("name", &self.name())
            .field("rate", &self.rate())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}
