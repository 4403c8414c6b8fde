//! How a queue ends: [`Stop`], and what it came to.

use std::future::poll_fn;
use std::slice;
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
    let reports = stop_all(slice::from_ref(line), how);
    reports.into_iter().next().unwrap_or_default()
}

/// Stops several at the same time: all have begun to drain before the first is waited for, and all have the same time for it. One
/// report for each, in this order.
pub(crate) fn stop_all(lines: &[Arc<Line>], how: Stop) -> Vec<StopReport> {
    let stopping = Stopping::begin_all(lines, how);
    if let Stop::Drain { timeout } = how {
        let until = Instant::now().checked_add(timeout);
        let others_do = |line: &&Arc<Line>| {
            let is_driven = line.is_driven() && !line.has_task();
            (is_driven || line.supply.is_by_hand()) && !driver::is_current_thread()
        };
        // Nobody gives permits in a forked child.
        let lines = lines
            .iter()
            .filter(|line| line.given().is_some() == line.supply.given().is_some());
        let (by_others, by_this): (Vec<_>, Vec<_>) = lines.partition(others_do);
        drive_to_the_end(&by_this, until);
        for line in by_others {
            let mut end = line.end.watch();
            block::block_on(until, |waker| end.poll(waker));
        }
    }
    stopping.into_iter().map(Stopping::finish).collect()
}

pub(crate) async fn stop_async(line: &Arc<Line>, how: Stop) -> StopReport {
    let reports = stop_all_async(slice::from_ref(line), how).await;
    reports.into_iter().next().unwrap_or_default()
}

pub(crate) async fn stop_all_async(lines: &[Arc<Line>], how: Stop) -> Vec<StopReport> {
    let stopping = Stopping::begin_all(lines, how);
    if let Stop::Drain { .. } = how {
        for line in lines {
            let mut end = line.end.watch();
            poll_fn(|cx| end.poll(cx.waker())).await;
        }
    }
    stopping.into_iter().map(Stopping::finish).collect()
}

impl<'a> Stopping<'a> {
    fn begin_all(lines: &'a [Arc<Line>], how: Stop) -> Vec<Self> {
        lines.iter().map(|line| Self::begin(line, how)).collect()
    }

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

/// For queues whose driver is kept busy by this call: the user, the driver's thread, or, it may be, a task. A task's waker stays with
/// the queue, so that it can go on too.
fn drive_to_the_end(lines: &[&Arc<Line>], until: Option<Instant>) {
    let (parker, unparker) = parking::pair();
    let waker = Waker::from(unparker);
    let mut left: Vec<_> = lines.iter().map(|line| (*line, line.end.watch())).collect();
    while until.is_none_or(|until| Instant::now() < until) {
        let mut next = Look::At(until);
        left.retain_mut(|(line, end)| {
            let goes_on = end.poll(&waker).is_pending();
            if goes_on {
                next = next.sooner(look(line, &waker));
            }
            goes_on
        });
        if left.is_empty() {
            return;
        }
        match next {
            Look::Again => {}
            Look::At(Some(at)) => {
                parker.park_deadline(at);
            }
            Look::At(None) => parker.park(),
        }
    }
}

/// When to look at a queue again, if nothing is told before.
#[derive(Clone, Copy)]
enum Look {
    Again,
    At(Option<Instant>),
}

impl Look {
    fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(other)) => Self::At(one.into_iter().chain(other).min()),
            _ => Self::Again,
        }
    }
}

/// Releases who is due.
fn look(line: &Arc<Line>, waker: &Waker) -> Look {
    let has_task = line.has_task();
    // A task's waker stays in the line.
    let progress = line.advance_as((!has_task).then_some(waker), Some(waker));
    let Some(Progress { next, jump, .. }) = progress else {
        return Look::Again;
    };
    if let Some(jump) = jump {
        jump.make();
        return Look::Again;
    }
    let due = match next {
        Next::At(at) => MonotonicClock.instant(at),
        // Closed, but calls may be under way.
        Next::OnEnqueue | Next::Closed => None,
    };
    // What wakes the task, or whoever drives an account, does not wake this.
    let is_woken_elsewhere = has_task || line.supply.given().is_some();
    let soon = is_woken_elsewhere.then(|| Instant::now() + LOOK_AGAIN);
    Look::At(due).sooner(Look::At(soon))
}
