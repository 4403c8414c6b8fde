//! A driver that is a task of the user's runtime instead of the process's own thread: [`DriverTask`].

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use apiqueue_core::{Clock, Next};

use crate::clock::{Jump, MonotonicClock};
use crate::driver::backoff::Backoff;
use crate::guarded::guarded;
use crate::line::{Line, NEVER};
use crate::permits::Given;

/// How a [`DriverTask`] sleeps: a timer of the runtime that it runs on.
///
/// ```
/// use apiqueue::Timer;
/// use std::future::Future;
/// use std::io;
/// use std::pin::Pin;
/// use std::task::{Context, Poll, Waker};
/// use std::time::Instant;
///
/// struct Smol(smol::Timer);
///
/// impl Timer for Smol {
///     fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
///         self.0.set_at(at);
///         Pin::new(&mut self.0).poll(cx).map(|_| Ok(()))
///     }
/// }
/// ```
pub trait Timer: Unpin {
    /// Ready once `at` has come. Until then has the waker of `cx` called at `at`, in place of what was asked for before. One that
    /// comes early only costs another look.
    ///
    /// # Errors
    /// When it can't keep time any more, as when its runtime is gone: the driver then ends and closes its queue.
    fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Drives one queue, from [`Builder::start_with_task`](crate::Builder::start_with_task). It is ready when the queue is closed, or gone with its last handle and
/// waiter; and when its timer fails: then it closes the queue.
///
/// # Cancel safety
/// Dropping it, as a runtime does that shuts down, closes the queue: nobody then waits for a driver that is gone.
#[must_use = "the queue is not driven before this is polled"]
pub struct DriverTask<T> {
    /// Held for the time of one `advance` only.
    line: Weak<Line>,
    /// As in the thread's entry.
    given: Option<Given>,
    timer: T,
    backoff: Backoff,
    /// When it was to come back.
    due: u64,
}

impl<T: Timer> Future for DriverTask<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let next = match self.line.upgrade() {
            Some(line) => {
                let next = self.advance(&line, cx.waker());
                // If everybody else has let go meanwhile, this drops the queue, and with it wakers, which are user code.
                guarded(|| drop(line));
                next
            }
            None => Some(match &self.given {
                Some(given) => match given.leave(cx.waker()) {
                    (_, Some(jump)) => at_once(&jump),
                    (Next::At(at), None) => Next::At(self.backoff.not_before(at, true, true)),
                    (other, None) => other,
                },
                None => Next::Closed,
            }),
        };
        self.due = match next {
            Some(Next::At(at)) => at,
            _ => NEVER,
        };
        let again = match next {
            Some(Next::Closed) => return Poll::Ready(()),
            Some(Next::OnEnqueue) => false,
            Some(Next::At(at)) => match MonotonicClock.instant(at) {
                Some(at) => match self.timer.poll_until(at, cx) {
                    Poll::Pending => false,
                    Poll::Ready(Ok(())) => true,
                    Poll::Ready(Err(_)) => {
                        self.close();
                        return Poll::Ready(());
                    }
                },
                None => false,
            },
            // A waker panicked.
            None => true,
        };
        if again {
            // Not at once: a queue that is always due again would keep other tasks from running.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// A mock goes on to where the task would sleep.
fn at_once(jump: &Jump) -> Next<u64> {
    jump.make();
    Next::At(MonotonicClock.now())
}

impl<T> DriverTask<T> {
    /// Of `line`, which has no driver yet.
    pub(crate) fn of(line: &Arc<Line>, timer: T) -> Self {
        Self {
            line: Arc::downgrade(line),
            given: line.supply.given().cloned(),
            timer,
            backoff: Backoff::default(),
            due: NEVER,
        }
    }

    /// None when a waker panicked: come back at once.
    fn advance(&mut self, line: &Arc<Line>, waker: &Waker) -> Option<Next<u64>> {
        // Whatever there is to do again calls this waker: the timer, or the queue.
        let progress = line.advance(Some(waker))?;
        if let Some(jump) = progress.jump {
            return Some(at_once(&jump));
        }
        Some(match progress.next {
            Next::At(at) => {
                let early = progress.released == 0 && self.due <= MonotonicClock.now();
                Next::At(self.backoff.not_before(at, early, line.asks_users()))
            }
            other => other,
        })
    }

    fn close(&self) {
        if let Some(line) = self.line.upgrade() {
            line.close();
            // As in `poll`.
            guarded(|| drop(line));
        }
    }
}

impl<T> Drop for DriverTask<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> fmt::Debug for DriverTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.upgrade();
        f.debug_struct("DriverTask")
            .field("queue", &line.as_ref().map(|line| &line.name))
            .finish_non_exhaustive()
    }
}
