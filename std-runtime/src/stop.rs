//! How a queue ends: [`Stop`], and what it came to.

use std::task::Waker;
use std::time::{Duration, Instant};

use apiqueue_core::Next;

use crate::clock::MonotonicClock;
use crate::driver;
use crate::line::Line;

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

pub(crate) fn stop(line: &Line, how: Stop) -> StopReport {
    let released = match how {
        Stop::Now => 0,
        Stop::Drain { timeout } => drain(line, timeout),
    };
    line.close();
    StopReport {
        released,
        abandoned: line.queue.waiting(),
    }
}

/// Says how many were released.
fn drain(line: &Line, timeout: Duration) -> usize {
    let until = Instant::now().checked_add(timeout);
    line.queue.drain();
    // A thread that got in before the door closed may be releasing itself just now, which nobody counts: that came
    // before the stop.
    while line.is_entered() && until.is_none_or(|until| Instant::now() < until) {
        std::thread::yield_now();
    }
    let before = line.released();
    if line.is_driven() && !driver::is_current_thread() {
        line.end.wait(until);
    } else {
        drive_to_the_end(line, until);
    }
    line.released().saturating_sub(before)
}

/// For a queue whose driver is the user, who is busy here.
fn drive_to_the_end(line: &Line, until: Option<Instant>) {
    let (parker, unparker) = parking::pair();
    let waker = Waker::from(unparker);
    while until.is_none_or(|until| Instant::now() < until) {
        let due = match line.advance(Some(&waker)).map(|advanced| advanced.next) {
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
