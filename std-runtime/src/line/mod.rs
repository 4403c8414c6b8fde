//! What handles, waiters and the driver share: one core queue and what is known about it beside.

mod advance;
pub(crate) mod backlog;
mod calls;
pub(crate) mod controller;
mod end;
mod nested;

use std::ops::Deref;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use apiqueue_core::{ChargeError, EnqueueError, QueueOver, Slot, Status, Weighted, Word};

use crate::clock::Timebase;
use crate::guarded::{guarded, let_go};
use crate::line::backlog::Backlog;
use crate::line::calls::Calls;
use crate::line::controller::Adaptive;
use crate::line::end::End;
use crate::line::nested::{What, unless_nested};
use crate::permits::{Given, Permits, Supply};
use crate::rate::{Rate, Ticks};
use crate::stats::counters::Counters;
use crate::stats::passes::Passes;
use crate::stats::telemetry;
use crate::wait::turn::WaitedFor;
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
    pub(crate) supply: Supply,
    pub(crate) calls: Calls,
    /// Finds the rate, where nobody has told it.
    pub(crate) controller: Option<Adaptive>,
    /// How many permits came back of those given by others.
    returned: AtomicUsize,
    /// Held from its start until `resume`.
    is_paused: AtomicBool,
    /// The end of the latest hold, by the clock that permits are given by.
    held_until: AtomicU64,
    /// How long before a release the driver stays awake.
    pub(crate) spin: Duration,
    /// The rate at its start.
    begun: Ticks,
    /// For how long lateness is made up, in nanoseconds.
    catch_up: u64,
    /// At intervals shorter than this whoever joins releases who is due before him. In nanoseconds.
    helps_below: u64,
    pub(crate) driven_by: DrivenBy,
    /// Wakes the driver's thread, where there is one.
    pub(crate) driver_waker: OnceLock<Waker>,
    pub(crate) end: End,
    pub(crate) backlog: Backlog,
    pub(crate) counters: Counters,
    /// When a drain is cut short, as [`MonotonicClock`](crate::MonotonicClock) tells it.
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

/// What a line is made of beside its core queue.
pub(crate) struct Terms {
    pub(crate) name: String,
    pub(crate) spin: Duration,
    pub(crate) driven_by: DrivenBy,
    /// In nanoseconds.
    pub(crate) catch_up: u64,
    pub(crate) supply: Supply,
    pub(crate) at_once: Option<usize>,
    pub(crate) controller: Option<Adaptive>,
}

impl Line {
    pub(crate) fn new(queue: Queue, terms: Terms) -> Self {
        let helps = terms.supply.is_schedule() && terms.driven_by != DrivenBy::Hand;
        Self {
            passes: Passes::default(),
            begun: queue.rate(),
            queue,
            counters: Counters::new(&terms.name),
            name: terms.name,
            spin: terms.spin,
            supply: terms.supply,
            calls: Calls::at_once(terms.at_once),
            controller: terms.controller,
            returned: AtomicUsize::new(0),
            is_paused: AtomicBool::new(false),
            held_until: AtomicU64::new(0),
            driven_by: terms.driven_by,
            catch_up: terms.catch_up,
            // As short as where the core does not spread what is late.
            helps_below: if helps { terms.catch_up / 16 } else { 0 },
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
                weight if !self.supply.is_schedule() => {
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
            self.passes.count(at);
            return Ok(Waiter::new(core, at, WaitedFor::Nothing));
        }
        let now = self.now();
        if core.peek() == Status::Released {
            self.passes.count(now);
            return Ok(Waiter::new(core, now, WaitedFor::Nothing));
        }
        self.counters.joined();
        let reason = match core.position() {
            Some(0) | None => WaitedFor::Rate,
            Some(_) => WaitedFor::Others,
        };
        let waiter = Waiter::new(core, now, reason);
        self.tell_level();
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

    /// For the ecosystems.
    #[inline]
    fn tell_level(&self) {
        let telemetry = &self.counters.telemetry;
        telemetry.level(|| self.depth(), || self.calls.under_way());
    }

    /// How many places are taken.
    pub(crate) fn depth(&self) -> usize {
        if self.end.is_reached() {
            0
        } else {
            self.queue.len()
        }
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

    /// A reading of the clock that permits are given by.
    pub(crate) fn now(&self) -> u64 {
        self.queue.clock().reading()
    }

    /// What gives the permits, where that is not the queue's own schedule. None in a forked child, which may have copied its locks
    /// held.
    pub(crate) fn given(&self) -> Option<&Given> {
        self.supply.given().filter(|_| !self.is_forked())
    }

    /// Changes what gives the permits, and has the driver look. None where that is the queue's own schedule.
    fn tell<T>(self: &Arc<Self>, change: impl FnOnce(&dyn Permits) -> T) -> Option<T> {
        let given = self.given()?;
        let told = guarded(|| change(&*given.permits));
        if told.is_none() {
            telemetry::survived(&self.name, "a source of permits panicked");
            self.close();
        }
        self.wake_driver();
        told
    }

    pub(crate) fn rate(&self) -> Rate {
        let given = self.given();
        given
            .and_then(|given| guarded(|| given.permits.rate()).flatten())
            .unwrap_or_else(|| self.queue.rate().into())
    }

    pub(crate) fn set_rate(self: &Arc<Self>, rate: Rate) {
        let catch_up = Duration::from_nanos(self.catch_up);
        // It could be for another lateness, so it can be for this one.
        let rate = rate.within_its_window(catch_up).unwrap_or(rate);
        self.queue.set_rate(rate.ticks());
        self.counters.telemetry.rate(rate);
        let made_of_it = self.tell(|permits| {
            permits.set_rate(rate);
            permits.rate()
        });
        if let Some(rate) = made_of_it.flatten() {
            // Without the burst, say: then nobody who costs more is let in.
            self.queue.set_rate(rate.ticks());
        }
        self.has_lost_its_clock();
    }

    /// Releases nobody for so many nanoseconds, which were checked.
    pub(crate) fn hold(self: &Arc<Self>, nanos: u64) {
        if nanos == 0 {
            return;
        }
        let until = self.now().wrapping_add(nanos);
        // Ordering: Relaxed, as in `resume`; only told to those who ask what they have waited for.
        self.held_until.fetch_max(until, Ordering::Relaxed);
        if self.supply.is_schedule() {
            // Never an error: it was checked, and what has passed meanwhile holds nothing back.
            let _ = self.queue.hold_until(until);
        }
        self.tell(|permits| permits.hold(nanos));
        self.has_lost_its_clock();
    }

    /// Releases nobody before `resume`.
    pub(crate) fn pause(self: &Arc<Self>) {
        // Ordering: Release, and Acquire where it is read; the wake-up of `resume` is what has others look again.
        self.is_paused.store(true, Ordering::Release);
        self.held_until.store(u64::MAX, Ordering::Relaxed);
        if self.supply.is_schedule() {
            // As long as a hold can be, which is no error.
            let longest = self.now().wrapping_add(<u64 as Word>::MAX_SPAN);
            let _ = self.queue.hold_until(longest);
        }
    }

    /// Ends a hold.
    pub(crate) fn resume(self: &Arc<Self>) {
        self.held_until.fetch_min(self.now(), Ordering::Relaxed);
        let was_paused = self.is_paused.swap(false, Ordering::AcqRel);
        if self.supply.is_schedule() {
            // The hold of another in the queue's own words has no end.
            self.queue.resume();
            if was_paused {
                // A hold spends the burst; this one was none of the server's.
                self.queue.refund(self.queue.rate().burst_size());
            }
        }
        self.tell(|permits| permits.resume());
    }

    /// Whether a hold was on at this reading or later.
    pub(crate) fn was_held_since(&self, reading: u64) -> bool {
        self.held_until.load(Ordering::Relaxed) > reading
    }

    pub(crate) fn charge(self: &Arc<Self>, permits: usize) -> Result<(), ChargeError> {
        let charged = match &self.supply {
            Supply::Schedule => self.queue.charge(permits),
            Supply::Hand => Ok(()),
            Supply::Others(_) => self.tell(|given| given.charge(permits)).unwrap_or(Ok(())),
        };
        self.has_lost_its_clock();
        charged
    }

    pub(crate) fn refund(self: &Arc<Self>, permits: usize) {
        if self.supply.is_schedule() {
            self.queue.refund(permits);
        }
        self.tell(|given| given.refund(permits));
        self.has_lost_its_clock();
    }

    /// What the first in line costs, if a call may begin.
    pub(crate) fn first_weight(&self) -> Option<usize> {
        self.queue.first_weight().filter(|_| self.room() > 0)
    }

    /// How many calls may begin.
    pub(crate) fn room(&self) -> usize {
        if self.is_paused.load(Ordering::Acquire) {
            0
        } else {
            self.calls.room()
        }
    }

    /// Releases up to `count` of those in line.
    pub(crate) fn grant(self: &Arc<Self>, count: usize) -> usize {
        let mut released = 0;
        // A call is counted before its release, as it may be over before that returns.
        while released < count && self.room() > 0 && self.calls.begin() {
            match guarded(|| self.queue.grant()) {
                Some(true) => released += 1,
                Some(false) => {
                    self.calls.end();
                    break;
                }
                None => {
                    telemetry::survived(&self.name, "a waker panicked");
                    released += 1;
                }
            }
        }
        self.counters.released(self.now(), released, &self.passes);
        self.tell_level();
        self.backlog.admit(self);
        self.look_for_the_end();
        released
    }

    /// Somebody has left.
    pub(crate) fn has_left(self: &Arc<Self>) {
        self.counters.cancelled();
        self.tell_level();
        self.backlog.admit(self);
        // The drain of a queue whose last waiters leave is over; nobody else would say so before the next slot.
        if self.queue.is_closed() && !self.end.is_reached() {
            self.wake_driver();
            self.look_for_the_end();
        }
    }

    /// When somebody with so many permits ahead goes at the earliest, if that can be told.
    pub(crate) fn estimate(&self, ahead: usize) -> Option<u64> {
        match &self.supply {
            Supply::Schedule => apiqueue_core::Line::estimate(&self.queue, ahead),
            Supply::Hand => None,
            Supply::Others(_) => {
                let given = self.given()?;
                guarded(|| given.permits.estimate(ahead)).flatten()
            }
        }
    }

    /// Whether it is as at its start.
    pub(crate) fn is_rested(&self) -> bool {
        let is_used = self.backlog.len() > 0 || self.calls.under_way() > 0;
        if is_used || self.room() == 0 || self.rate().ticks() != self.begun {
            return false;
        }
        match &self.supply {
            Supply::Schedule => self.queue.is_rested(),
            Supply::Hand => false,
            Supply::Others(_) => {
                let is_idle = self.queue.is_empty() && !self.queue.is_closed();
                let rests = |given: &Given| guarded(|| given.permits.is_rested()) == Some(true);
                is_idle && self.given().is_some_and(rests)
            }
        }
    }

    /// Permits of a released waiter came back.
    pub(crate) fn came_back(&self, permits: usize) {
        if !self.supply.is_schedule() {
            // Ordering: Relaxed; only a number, and the wake-up that follows has whoever gives them look.
            self.returned.fetch_add(permits, Ordering::Relaxed);
            self.wake_driver();
        }
    }

    /// How many came back since the last call.
    pub(crate) fn take_returned(&self) -> usize {
        // Ordering: Relaxed; each counts once.
        self.returned.swap(0, Ordering::Relaxed)
    }

    /// A call is over: the next may begin, or a drain is.
    pub(crate) fn call_ended(self: &Arc<Self>) {
        self.calls.end();
        self.tell_level();
        if self.queue.is_closed() && self.calls.under_way() == 0 && self.queue.waiting() == 0 {
            self.end.reached();
        }
        self.wake_driver();
    }

    /// A drain may be over, and whoever grants by hand does not come to a line with nobody in it.
    pub(crate) fn look_for_the_end(self: &Arc<Self>) {
        if self.supply.is_by_hand() && self.queue.is_closed() && !self.end.is_reached() {
            let _ = self.advance(None);
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
        self.tell_level();
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

/// How a waiter holds on to its line.
#[derive(Debug)]
pub(crate) struct Place(Arc<Line>);

impl Place {
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.0
    }

    pub(crate) fn into_line(self) -> Arc<Line> {
        self.0
    }
}

impl Deref for Place {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.0.queue
    }
}
