//! What handles, waiters and the driver share: one core queue and what is known about it beside.

pub(crate) mod backlog;
mod end;
mod nested;

use std::ops::Deref;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use apiqueue_core::{Clock, EnqueueError, Next, QueueOver, Slot, Status, Weighted};

use crate::clock::{MonotonicClock, Timebase};
use crate::guarded::{guarded, let_go};
use crate::line::backlog::Backlog;
use crate::line::end::End;
use crate::line::nested::{What, unless_nested};
use crate::permits::Permits;
use crate::stats::counters::Counters;
use crate::stats::passes::Passes;
use crate::stats::telemetry;
use crate::wait::waiter::Waiter;

pub(crate) type Queue = QueueOver<Timebase, Box<[Slot]>, Weighted>;
pub(crate) type CoreWaiter = apiqueue_core::Waiter<Place>;

/// No such moment.
pub(crate) const NEVER: u64 = u64::MAX;

// The counts and the schedule's words, with which the queue begins, in one cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Line {
    pub(crate) passes: Passes,
    pub(crate) queue: Queue,
    pub(crate) name: String,
    /// Gives it permits. None where its own schedule paces it.
    pub(crate) given: Option<Box<dyn Permits>>,
    /// How long before a release the driver stays awake.
    pub(crate) spin: Duration,
    /// At intervals shorter than this whoever joins releases who is due before him. In nanoseconds.
    helps_below: u64,
    pub(crate) driven_by: DrivenBy,
    /// Wakes the driver's thread, where there is one.
    pub(crate) driver_waker: OnceLock<Waker>,
    pub(crate) end: End,
    pub(crate) backlog: Backlog,
    pub(crate) counters: Counters,
    /// When a drain is cut short, as [`MonotonicClock`] tells it.
    close_at: AtomicU64,
    /// Where this was made, to tell a forked child's copy.
    process: u32,
}

/// Who calls [`Line::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DrivenBy {
    /// The process's own.
    Thread,
    /// One of the user's runtime.
    Task,
    /// The user himself.
    Hand,
}

/// What a call of [`Line::advance`] did, and when the next is due.
pub(crate) struct Progress {
    pub(crate) released: usize,
    /// [`Next::At`] is a reading of [`MonotonicClock`].
    pub(crate) next: Next<u64>,
}

impl Line {
    /// `catch_up` in nanoseconds.
    pub(crate) fn new(
        queue: Queue,
        name: String,
        spin: Duration,
        driven_by: DrivenBy,
        catch_up: u64,
        given: Option<Box<dyn Permits>>,
    ) -> Self {
        let helps_below = if given.is_some() || driven_by == DrivenBy::Hand {
            0
        } else {
            // As short as where the core does not spread what is late.
            catch_up / 16
        };
        Self {
            passes: Passes::default(),
            queue,
            counters: Counters::new(&name),
            name,
            spin,
            given,
            driven_by,
            helps_below,
            driver_waker: OnceLock::new(),
            end: End::default(),
            backlog: Backlog::default(),
            close_at: AtomicU64::new(NEVER),
            process: std::process::id(),
        }
    }

    /// Whether there is a thread or a task that drives it.
    pub(crate) fn is_driven(&self) -> bool {
        self.driven_by != DrivenBy::Hand && !self.is_forked()
    }

    /// Whether it is a task that does.
    pub(crate) fn has_task(&self) -> bool {
        self.driven_by == DrivenBy::Task && !self.is_forked()
    }

    /// Whether this is the copy in a forked child, where no driver lives.
    pub(crate) fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// Takes a place in line, or `weight` free permits at once.
    pub(crate) fn enter(self: &Arc<Self>, weight: usize) -> Result<Waiter, EnqueueError> {
        let (core, at) = loop {
            let place = Place(Arc::clone(self));
            // Entering may release others and so call their wakers. One that panics must not cost this caller its
            // place; it is called once, so that this ends.
            // Not `guarded`, which would move the waiter once more.
            match panic::catch_unwind(AssertUnwindSafe(|| match weight {
                // Nothing is free but what is granted.
                weight if self.given.is_some() => {
                    Ok((CoreWaiter::enqueue_weighted(place, weight)?, None))
                }
                1 => CoreWaiter::enter_timed(place),
                weight => Ok((CoreWaiter::enter_weighted(place, weight)?, None)),
            })) {
                Ok(entered) => break entered?,
                Err(payload) => {
                    let_go(payload);
                    telemetry::survived(&self.name, "a waker panicked");
                }
            }
        };
        if let Some(at) = at {
            if self.has_lost_its_clock() {
                return Err(EnqueueError::Closed);
            }
            self.passed(at);
            return Ok(Waiter::passed(core));
        }
        let now = self.now();
        if core.peek() == Status::Released {
            self.passed(now);
            return Ok(Waiter::passed(core));
        }
        self.counters.joined();
        let waiter = Waiter::joined(core, now);
        self.has_lost_its_clock();
        if self.queue.rate().interval() < self.helps_below {
            // Who joins behind a line that is due has no need to wait for a driver that is on its way, or kept from running. At
            // longer intervals what is late is spread, and that is the driver's to do. Not from a waker that is called here: they
            // would pile up.
            unless_nested(What::Help, self, || while self.advance(None).is_none() {});
        }
        Ok(waiter)
    }

    /// Whether its clock has panicked. Then it is closed, and nobody may go any more.
    #[inline]
    pub(crate) fn has_lost_its_clock(self: &Arc<Self>) -> bool {
        let has = self.queue.clock().is_broken();
        if has {
            self.close();
        }
        has
    }

    /// Has the driver look. Its waker is the user's where it is a task or the user himself.
    pub(crate) fn wake_driver(&self) {
        if guarded(|| self.queue.wake_driver()).is_none() {
            telemetry::survived(&self.name, "a driver's waker panicked");
        }
    }

    /// Somebody got a permit without waiting, at this reading.
    #[inline]
    pub(crate) fn passed(&self, at: u64) {
        self.passes.count(at);
        self.counters.passed();
    }

    /// For measuring how long something took.
    pub(crate) fn now(&self) -> u64 {
        self.queue.clock().stopwatch()
    }

    /// `advance`, counted. With `waker`, that is left to be called when there is something to do again.
    ///
    /// None when a waker of a waiter panicked: come back at once.
    pub(crate) fn advance(self: &Arc<Self>, waker: Option<&Waker>) -> Option<Progress> {
        let close_at = self.close_at.load(Ordering::SeqCst);
        if close_at != NEVER && close_at <= MonotonicClock.now() {
            self.close();
        }
        let are_over = self.given.as_ref().is_some_and(|given| given.are_over());
        if are_over || self.queue.clock().is_broken() {
            self.close();
        }
        let advanced = guarded(|| match waker {
            Some(waker) => self.queue.advance_with(waker),
            None => self.queue.advance(),
        });
        let Some(advanced) = advanced else {
            telemetry::survived(&self.name, "a waker panicked");
            // The one whose waker it was. If others were released by the same call, as of a burst, the intervals miss
            // them.
            self.counters.released(self.now(), 1, &self.passes);
            return None;
        };
        if advanced.released > 0 {
            self.counters
                .released(self.now(), advanced.released, &self.passes);
        }
        self.backlog.admit(self);
        let mut released = advanced.released;
        let next = match (advanced.next, &self.given) {
            (Next::Closed, _) => {
                self.end.reached();
                Next::Closed
            }
            (Next::At(_), Some(given)) => {
                let (more, next) = given.give(self);
                released += more;
                sooner(next, close_at)
            }
            (Next::At(at), None) => Next::At(self.queue.clock().in_system_time(at).min(close_at)),
            (Next::OnEnqueue, given) => {
                if let Some(given) = given {
                    given.give_others();
                }
                sooner(Next::OnEnqueue, close_at)
            }
        };
        Some(Progress { released, next })
    }

    /// Releases nobody for so many nanoseconds.
    pub(crate) fn hold(self: &Arc<Self>, ticks: u64) {
        match &self.given {
            Some(given) => given.hold(ticks),
            // Never an error: it was checked, and what has passed meanwhile holds nothing back.
            None => {
                let until = self.queue.clock().now().wrapping_add(ticks);
                let _ = self.queue.hold_until(until);
                self.has_lost_its_clock();
            }
        }
    }

    /// Ends a hold.
    pub(crate) fn resume(&self) {
        match &self.given {
            // The hold in the queue's own words has no end.
            Some(given) => given.resume(),
            None => self.queue.resume(),
        }
    }

    /// How many were released so far.
    pub(crate) fn released(&self) -> u64 {
        self.counters
            .released_of(self.queue.waiting(), self.passes.so_far())
    }

    /// Lets nobody new in. Those in line go on, until `close_at` at most.
    pub(crate) fn drain(self: &Arc<Self>, close_at: u64) {
        self.close_at.fetch_min(close_at, Ordering::SeqCst);
        // It tells the driver.
        if guarded(|| self.queue.drain()).is_none() {
            telemetry::survived(&self.name, "a driver's waker panicked");
        }
        self.backlog.admit(self);
        // Once more, for a queue that was draining already: the driver must hear of the earlier moment.
        self.wake_driver();
    }

    /// Closes the queue for good. Wakers that panic stop nobody else from being told.
    pub(crate) fn close(self: &Arc<Self>) {
        // A waker that closes it again leaves the rest to this, or they would pile up. Each panic is one waiter that was told, so there
        // are at most `capacity` rounds.
        unless_nested(What::Close, self, || {
            while guarded(|| self.queue.close()).is_none() {
                telemetry::survived(&self.name, "a waker panicked");
            }
        });
        self.backlog.admit(self);
        self.end.reached();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The driver finds its line gone, and forgets it. A task's waker is user code, and in a forked child nobody's.
        if let Some(driver_waker) = self.driver_waker.get() {
            driver_waker.wake_by_ref();
        } else if self.is_driven() {
            self.wake_driver();
        }
    }
}

/// `next`, or `close_at` if that comes first.
fn sooner(next: Next<u64>, close_at: u64) -> Next<u64> {
    match next {
        Next::At(at) => Next::At(at.min(close_at)),
        Next::OnEnqueue if close_at != NEVER => Next::At(close_at),
        other => other,
    }
}

/// How a waiter holds on to its line.
#[derive(Debug)]
pub(crate) struct Place(Arc<Line>);

impl Place {
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.0
    }
}

impl Deref for Place {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.0.queue
    }
}
