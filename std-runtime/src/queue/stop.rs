//! How a queue ends: [`Stop`], and what it came to.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use apiqueue_core::{Clock, Next};

use crate::clock::MonotonicClock;
use crate::driver;
use crate::line::{DrivenBy, Line, NEVER};
use crate::stats::telemetry;
use crate::wait::block;

/// How to stop a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// Now: every waiter in line is woken and gets [`Closed`](crate::Closed).
    Now,
    /// Softly: nobody new gets in, those in line are released at the rate. Those left when the time is over get
    /// [`Closed`](crate::Closed).
    Drain {
        /// How long that may take.
        timeout: Duration,
    },
}

/// What a stop came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// How many were released after the stop began.
    pub released: usize,
    /// How many were still in line when the queue was closed.
    pub abandoned: usize,
}

/// A stop under way.
struct Stopping<'a> {
    line: &'a Arc<Line>,
    /// Releases before it.
    before: u64,
}

pub(crate) fn stop(line: &Arc<Line>, how: Stop) -> StopReport {
    let stopping = Stopping::begin(line, how);
    if let Stop::Drain { timeout } = how {
        let until = Instant::now().checked_add(timeout);
        if line.driven_by == DrivenBy::Task && !line.is_forked() {
            drive_beside_the_task(line, until);
        } else if (line.is_driven() || line.given.is_some()) && !driver::is_current_thread() {
            let mut end = line.end.watch();
            block::block_on(until, |waker| end.poll(waker));
        } else {
            drive_to_the_end(line, until);
        }
    }
    stopping.finish()
}

pub(crate) async fn stop_async(line: &Arc<Line>, how: Stop) -> StopReport {
    let stopping = Stopping::begin(line, how);
    if let Stop::Drain { .. } = how {
        let mut end = line.end.watch();
        poll_fn(|cx| end.poll(cx.waker())).await;
    }
    stopping.finish()
}

impl<'a> Stopping<'a> {
    fn begin(line: &'a Arc<Line>, how: Stop) -> Self {
        telemetry::changed(&line.name, "stopped", &how);
        let stopping = Self {
            line,
            before: line.released(),
        };
        if let Stop::Drain { timeout } = how {
            let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(NEVER);
            line.drain(MonotonicClock.now().saturating_add(timeout));
            line.look_for_the_end();
        }
        stopping
    }

    fn finish(self) -> StopReport {
        self.line.close();
        let released = self.line.released().saturating_sub(self.before);
        StopReport {
            released: usize::try_from(released).unwrap_or(usize::MAX),
            abandoned: self.line.queue.waiting(),
        }
    }
}

/// For a queue whose driver is the user, who is busy here.
fn drive_to_the_end(line: &Arc<Line>, until: Option<Instant>) {
    let (parker, unparker) = parking::pair();
    let waker = Waker::from(unparker);
    while until.is_none_or(|until| Instant::now() < until) {
        let due = match line.advance(Some(&waker)).map(|progress| progress.next) {
            None => continue,
            Some(Next::Closed) => return,
            Some(Next::At(at)) => MonotonicClock.instant(at),
            Some(Next::OnEnqueue) => None,
        };
        match due.into_iter().chain(until).min() {
            Some(at) => {
                parker.park_deadline(at);
            }
            None => parker.park(),
        }
    }
}

/// For a queue whose driver is a task, which may be held up by this very call. Leaves no waker: the task's stays.
fn drive_beside_the_task(line: &Arc<Line>, until: Option<Instant>) {
    let mut end = line.end.watch();
    while until.is_none_or(|until| Instant::now() < until) {
        let due = match line.advance(None).map(|progress| progress.next) {
            None => continue,
            Some(Next::Closed) => return,
            Some(Next::At(at)) => MonotonicClock.instant(at),
            Some(Next::OnEnqueue) => None,
        };
        let look_again = due.into_iter().chain(until).min();
        if block::block_on(look_again, |waker| end.poll(waker)).is_some() {
            return;
        }
    }
}
