//! How a queue ends: [`Stop`], and what it came to.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use apiqueue_core::{Clock, Next};

use crate::clock::MonotonicClock;
use crate::driver;
use crate::line::{Line, NEVER, Progress};
use crate::stats::telemetry;
use crate::wait::block;

/// How to stop a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// Now: every waiter in line is woken and gets [`Closed`](crate::Closed).
    Now,
    /// Softly: nobody new gets in, those in line are released at the rate. Those left when the time is over get
    /// [`Closed`](crate::Closed). Where calls under way are [limited](crate::Builder::at_once), it ends with the last of them.
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
    /// How many calls were under way then, where they are [limited](crate::Builder::at_once); else 0.
    pub under_way: usize,
}

/// How long a change may go unseen while a task's queue is driven by a thread that the task may need.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

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
        let others_do = (line.is_driven() && !line.has_task()) || line.supply.is_by_hand();
        if others_do && !driver::is_current_thread() {
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
            line.end_if_drained();
        }
        stopping
    }

    fn finish(self) -> StopReport {
        self.line.close();
        let released = self.line.released().saturating_sub(self.before);
        StopReport {
            released: usize::try_from(released).unwrap_or(usize::MAX),
            abandoned: self.line.queue.waiting(),
            under_way: self.line.calls.under_way(),
        }
    }
}

/// For a queue whose driver is kept busy by this call: the user, the driver's thread, or, it may be, a task. A task's waker stays with
/// the queue, so that it can go on too.
fn drive_to_the_end(line: &Arc<Line>, until: Option<Instant>) {
    let (parker, unparker) = parking::pair();
    let waker = Waker::from(unparker);
    let has_task = line.has_task();
    let is_woken_elsewhere = has_task || line.supply.given().is_some();
    let mut end = line.end.watch();
    while until.is_none_or(|until| Instant::now() < until) {
        if end.poll(&waker).is_ready() {
            return;
        }
        // A task's waker stays in the line.
        let progress = line.advance_as((!has_task).then_some(&waker), Some(&waker));
        let due = match progress {
            None => continue,
            Some(Progress {
                jump: Some(jump), ..
            }) => {
                jump.make();
                continue;
            }
            Some(Progress { next, .. }) => next,
        };
        let due = match due {
            Next::At(at) => MonotonicClock.instant(at),
            // Closed, but calls may be under way.
            Next::OnEnqueue | Next::Closed => None,
        };
        // What wakes the task, or whoever drives an account, does not wake this.
        let soon = is_woken_elsewhere.then(|| Instant::now() + LOOK_AGAIN);
        match due.into_iter().chain(until).chain(soon).min() {
            Some(at) => {
                parker.park_deadline(at);
            }
            None => parker.park(),
        }
    }
}
