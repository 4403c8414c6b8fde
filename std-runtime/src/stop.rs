//! How a queue ends: [`Stop`], what it came to, and who waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
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
    /// How many places were still taken when the queue was closed.
    pub abandoned: usize,
}

/// Tells that a queue has closed, or has drained to the last waiter.
#[derive(Debug, Default)]
pub(crate) struct End {
    reached: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl End {
    pub(crate) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    pub(crate) fn reached(&self) {
        if !self.reached.swap(true, Ordering::SeqCst) {
            // Held for a moment, so that no waiter is between its look and its sleep.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
        }
    }

    fn wait(&self, until: Option<Instant>) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_reached() {
            guard = match until {
                None => self
                    .changed
                    .wait(guard)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.changed
                        .wait_timeout(guard, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

pub(crate) fn stop(line: &Arc<Line>, how: Stop) -> StopReport {
    let released = match how {
        Stop::Now => 0,
        Stop::Drain { timeout } => drain(line, timeout),
    };
    line.close();
    StopReport {
        released,
        abandoned: line.queue.len(),
    }
}

/// Says how many were released.
fn drain(line: &Arc<Line>, timeout: Duration) -> usize {
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
fn drive_to_the_end(line: &Arc<Line>, until: Option<Instant>) {
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
