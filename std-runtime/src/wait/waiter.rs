//! [`Waiter`]: what a caller holds while in line, and the ways to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use apiqueue_core::{Closed, Left, Status};

use crate::error::WaitError;
use crate::guarded::guarded;
use crate::line::{CoreWaiter, Line};
use crate::wait::block;
use crate::wait::turn::{Turn, WaitedFor};

/// A place in line, from [`ApiQueue::enqueue`](crate::ApiQueue::enqueue).
///
/// Ask [`try_wait`](Self::try_wait) now and then, block in [`wait`](Self::wait) or
/// [`wait_timeout`](Self::wait_timeout), or `.await` it on any executor: each gives a [`Turn`].
///
/// It keeps its queue going: a waiter is released in its turn even if nobody else holds the queue any more.
///
/// # Cancel safety
/// Dropping a waiter leaves the line at once and costs nobody a turn; so does dropping a future that awaits it. If it
/// was released meanwhile and never told so, the permit goes to the next one, unless something was released or the rate
/// or hold changed since.
///
/// # Fairness
/// Strictly first in, first out, whichever way each of them waits.
#[must_use = "dropping a waiter leaves the line"]
pub struct Waiter {
    /// None once it has become a turn.
    core: Option<CoreWaiter>,
    /// When it took its place, by the clock that permits are given by.
    since: u64,
    /// When its holder was first told of the release.
    told: AtomicU64,
    reason: WaitedFor,
}

/// Not told yet.
const UNTOLD: u64 = u64::MAX;

impl Waiter {
    /// One that waits for `reason`, or has its permit, since this reading.
    pub(crate) fn new(core: CoreWaiter, since: u64, reason: WaitedFor) -> Self {
        Self {
            core: Some(core),
            since,
            told: AtomicU64::new(UNTOLD),
            reason,
        }
    }

    fn line(&self) -> Option<&Arc<Line>> {
        self.core.as_ref().map(|core| core.queue().line())
    }

    /// Whether it still waits: a look that changes nothing, for showing it. False once released, but also once the queue is closed:
    /// who is about to make a call asks [`try_wait`](Self::try_wait), which tells the two apart.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let status = self.status();
        // Ordering: Relaxed; only numbers, and the exchange has it counted once.
        if status == Status::Released && self.told.load(Ordering::Relaxed) == UNTOLD {
            self.tell();
        }
        status == Status::Waiting
    }

    /// Counts the wait, once.
    #[cold]
    fn tell(&self) {
        if let Some(line) = self.line() {
            let now = self.told(line);
            let order = Ordering::Relaxed;
            if self
                .told
                .compare_exchange(UNTOLD, now, order, order)
                .is_ok()
            {
                self.count(line, now);
            }
        }
    }

    /// Like every look at a waiter, this counts as telling its holder of the release.
    #[inline]
    fn status(&self) -> Status {
        let Some(core) = &self.core else {
            return Status::Closed;
        };
        match core.status() {
            // Nobody drives the queue here.
            Status::Waiting if core.queue().line().is_forked() => Status::Closed,
            status => status,
        }
    }

    /// When its holder, who hears of the release now, was told of it first.
    fn told(&self, line: &Line) -> u64 {
        match self.reason {
            WaitedFor::Nothing => self.since,
            _ => line.now(),
        }
    }

    /// Counts the wait of one who was told at this reading.
    fn count(&self, line: &Line, told: u64) {
        match self.reason {
            WaitedFor::Nothing => line.counters.passed(),
            _ => line.counters.waited(told.saturating_sub(self.since)),
        }
    }

    /// The turn of one that was released.
    #[inline(always)]
    fn turn(&mut self) -> Result<Turn<'static>, Closed> {
        // Polled after it was ready: there is no second turn.
        let core = self.core.take().ok_or(Closed)?;
        let line = core.queue().line();
        let mut told = *self.told.get_mut();
        if told == UNTOLD {
            told = self.told(line);
            self.count(line, told);
        }
        if self.reason == WaitedFor::Nothing {
            return Ok(Turn::of(core, told, 0, WaitedFor::Nothing));
        }
        let reason = if line.was_held_since(self.since) {
            WaitedFor::Hold
        } else {
            self.reason
        };
        let waited = told.saturating_sub(self.since);
        Ok(Turn::of(core, told, waited, reason))
    }

    /// The turn, if it has come; none while it has not. The way to wait for who has other work to do meanwhile.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// let queue = ApiQueue::builder().per_second(1000).start()?;
    /// queue.wait_turn()?;
    /// let mut waiter = queue.enqueue()?;
    /// let turn = loop {
    ///     match waiter.try_wait()? {
    ///         Some(turn) => break turn,
    ///         None => std::thread::yield_now(), // or some work
    ///     }
    /// };
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Closed`] when the queue was closed first, and after the turn was given.
    pub fn try_wait(&mut self) -> Result<Option<Turn<'static>>, Closed> {
        match self.status() {
            Status::Waiting => Ok(None),
            Status::Released => self.turn().map(Some),
            Status::Closed => Err(Closed),
        }
    }

    /// How many are ahead, 0 for the next one; those who have left count until the head passes them. None when it does
    /// not wait any more.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.core.as_ref()?.position()
    }

    /// When it will be released at the present rate and hold, if nobody ahead leaves; where others share the limits, at the
    /// earliest. None when it does not wait any more, or nobody can tell.
    #[must_use]
    pub fn estimate(&self) -> Option<Instant> {
        let core = self.core.as_ref()?;
        let line = core.queue().line();
        let at = if line.supply.is_schedule() {
            core.estimate()
        } else {
            line.estimate(core.position()?)
        };
        line.queue.clock().instant(at?)
    }

    /// Blocks this thread until the release. Allocates nothing after a thread's first wait.
    ///
    /// Not for a thread that drives the queue by hand, and not for async code: `.await` the waiter there.
    ///
    /// # Errors
    /// [`Closed`] when the queue is closed first.
    #[inline]
    pub fn wait(mut self) -> Result<Turn<'static>, Closed> {
        if self.reason == WaitedFor::Nothing {
            return self.turn();
        }
        self.block(None).unwrap_or(Err(Closed))
    }

    /// [`wait`](Self::wait), for `timeout` at most. It keeps its place: who does not wait on drops it, which costs nobody a turn.
    /// A release that comes in the same moment counts.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, WaitError};
    /// use std::time::Duration;
    ///
    /// let queue = ApiQueue::builder().every(Duration::from_millis(20)).start()?;
    /// queue.enqueue()?.wait()?; // the first is free
    /// let mut waiter = queue.enqueue()?;
    /// let turn = loop {
    ///     match waiter.wait_timeout(Duration::from_millis(5)) {
    ///         Err(WaitError::TimedOut { .. }) => println!("still waiting"),
    ///         other => break other?,
    ///     }
    /// };
    /// assert!(turn.waited() <= Duration::from_secs(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] when the time is over first, [`WaitError::Closed`] when the queue is closed first.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Turn<'static>, WaitError> {
        match self.block(Instant::now().checked_add(timeout)) {
            Some(turn) => Ok(turn?),
            None => self.try_wait()?.ok_or(WaitError::TimedOut { timeout }),
        }
    }

    /// None when `until` came first.
    #[cold]
    fn block(&mut self, until: Option<Instant>) -> Option<Result<Turn<'static>, Closed>> {
        match self.status() {
            Status::Waiting => block::block_on(until, |waker| self.poll_turn(waker)),
            Status::Released => Some(self.turn()),
            Status::Closed => Some(Err(Closed)),
        }
    }

    fn poll_turn(&mut self, waker: &Waker) -> Poll<Result<Turn<'static>, Closed>> {
        let Some(core) = &self.core else {
            return Poll::Ready(Err(Closed));
        };
        match core.poll_release(waker) {
            Poll::Ready(outcome) => Poll::Ready(outcome.and_then(|()| self.turn())),
            Poll::Pending if core.queue().line().is_forked() => Poll::Ready(Err(Closed)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Leaves the line.
    fn leave(&mut self) {
        let Some(mut core) = self.core.take() else {
            return;
        };
        // Only who was in line leaves a waker behind, whose drop is user code. The core then has not looked who is next.
        let left = guarded(|| core.leave()).unwrap_or_else(|| {
            core.queue().line().wake_driver();
            Left::InLine
        });
        // It may wake the driver, last of all: a waker of the user's that panics.
        let gave_back = left == Left::Released && guarded(|| core.give_back()).unwrap_or(true);
        let line = core.queue().line();
        match left {
            Left::InLine => line.has_left(),
            Left::Released if gave_back => {
                line.counters.cancelled();
                line.came_back(core.weight());
            }
            Left::Released => self.count(line, self.told(line)),
            Left::Over => {}
        }
        let is_released = match left {
            Left::InLine => false,
            Left::Released => true,
            Left::Over => line.calls.are_counted() && core.peek() == Status::Released,
        };
        if is_released && line.calls.are_counted() {
            line.call_ended();
        }
    }
}

impl Future for Waiter {
    type Output = Result<Turn<'static>, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_turn(cx.waker())
    }
}

impl Drop for Waiter {
    #[inline]
    fn drop(&mut self) {
        if self.core.is_some() {
            self.leave();
        }
    }
}

impl fmt::Debug for Waiter {
    /// Without the status: to look at that counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("queue", &self.line().map(|line| &line.name))
            .finish_non_exhaustive()
    }
}
