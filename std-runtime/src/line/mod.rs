//! What handles, waiters and the driver share: one core queue and what is known about it beside.

mod advance;
pub(crate) mod backlog;
mod calls;
mod close;
mod control;
pub(crate) mod controller;
mod end;
mod enter;
pub(crate) mod holds;
pub(crate) mod long_waits;
pub(crate) mod nested;
mod place;
mod release;
mod rest;
mod terms;
pub(crate) mod waited_for;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use apiqueue_core::{QueueOver, Slot, Weighted};

use crate::clock::Timebase;
use crate::line::backlog::Backlog;
use crate::line::calls::Calls;
use crate::line::controller::Adaptive;
use crate::line::end::End;
use crate::line::holds::Holds;
use crate::line::long_waits::LongWaits;
use crate::permits::Supply;
use crate::rate::Ticks;
use crate::stats::counters::Counters;
use crate::stats::passes::Passes;
pub(crate) use advance::{Progress, sooner};
pub(crate) use place::{Gone, Place};
pub(crate) use terms::{DrivenBy, Terms};

pub(crate) type Queue = QueueOver<Timebase, Box<[Slot]>, Weighted>;

/// No such moment.
pub(crate) const NEVER: u64 = u64::MAX;
/// Another such, for a rate that the user has set.
const BY_HAND: u64 = NEVER - 1;

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
    /// The reading at which the latest permit went to somebody who was not in line; [`NEVER`] if the latest did not.
    latest_pass: AtomicU64,
    /// Held from its start until `resume`.
    is_paused: AtomicBool,
    /// Whether it was held here since the latest `resume`.
    has_held: AtomicBool,
    /// The end of the latest hold, by the clock that permits are given by.
    held_until: AtomicU64,
    /// The latest holds.
    holds: Holds,
    pub(crate) long_waits: LongWaits,
    /// How long before a release the driver stays awake.
    pub(crate) spin: Duration,
    /// The smallest burst of the limits beside the rate.
    burst_within: AtomicUsize,
    /// The rate at its start.
    begun: Ticks,
    /// When the rate was last found, by what answers say or by a controller, as the clock of the permits tells it; or [`BY_HAND`], or
    /// [`NEVER`] where it was not changed since the start.
    rate_found: AtomicU64,
    /// For how long lateness is made up, in nanoseconds.
    catch_up: u64,
    /// At intervals shorter than this whoever joins releases who is due before him. In nanoseconds.
    helps_below: u64,
    pub(crate) driven_by: DrivenBy,
    /// Wakes the driver's thread, where there is one.
    pub(crate) driver_waker: OnceLock<Waker>,
    pub(crate) end: End,
    pub(crate) backlog: Backlog<Place>,
    pub(crate) counters: Counters,
    /// When a drain is cut short, as [`MonotonicClock`](crate::MonotonicClock) tells it.
    close_at: AtomicU64,
    /// Where this was made, to tell a forked child's copy.
    process: u32,
}

impl Line {
    pub(crate) fn new(queue: Queue, terms: Terms) -> Self {
        let helps = terms.supply.is_schedule() && terms.driven_by != DrivenBy::Hand;
        Self {
            passes: Passes::default(),
            begun: queue.rate(),
            rate_found: AtomicU64::new(NEVER),
            queue,
            counters: Counters::new(&terms.name),
            name: terms.name,
            spin: terms.spin,
            supply: terms.supply,
            calls: Calls::at_once(terms.at_once),
            controller: terms.controller,
            returned: AtomicUsize::new(0),
            latest_pass: AtomicU64::new(NEVER),
            is_paused: AtomicBool::new(terms.is_paused),
            has_held: AtomicBool::new(false),
            held_until: AtomicU64::new(if terms.is_paused { u64::MAX } else { 0 }),
            holds: Holds::new(terms.is_paused),
            long_waits: LongWaits::from(terms.long_wait),
            driven_by: terms.driven_by,
            catch_up: terms.catch_up,
            burst_within: AtomicUsize::new(terms.burst_within),
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

    /// Whether the driver goes by what code of the user's says: a clock, or a source of permits.
    pub(crate) fn asks_users(&self) -> bool {
        self.queue.clock().is_own() || self.supply.given().is_some()
    }

    /// Whether this is the copy in a forked child, where no driver lives.
    pub(crate) fn is_forked(&self) -> bool {
        self.process != std::process::id()
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

    /// Gives free places to those who wait for one, the first one first.
    pub(crate) fn admit(self: &Arc<Self>) {
        if self.backlog.len() > 0 && !self.is_forked() {
            self.backlog.admit(|weight| self.enter(weight));
        }
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
        self.by_itself(|queue| queue.wake_driver());
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

    /// How many were released so far.
    pub(crate) fn released(&self) -> u64 {
        self.counters
            .released_of(self.queue.waiting(), self.passes.so_far())
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
