//! What handles, waiters and the driver share: one core queue and what is known about it beside.

mod advance;
pub(crate) mod backlog;
mod calls;
mod close;
mod control;
pub(crate) mod controller;
mod end;
mod enter;
pub(crate) mod nested;
mod release;
mod rest;
mod terms;
pub(crate) mod waited_for;

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use apiqueue_core::{Closed, Left, QueueOver, Slot, Status, Weighted};

use crate::clock::Timebase;
use crate::guarded::guarded;
use crate::line::backlog::Backlog;
use crate::line::calls::Calls;
use crate::line::controller::Adaptive;
use crate::line::end::End;
use crate::line::waited_for::WaitedFor;

use crate::permits::Supply;
use crate::rate::Ticks;
use crate::stats::counters::Counters;
use crate::stats::passes::Passes;
pub(crate) use advance::{Progress, sooner};
pub(crate) use terms::{DrivenBy, Terms};

pub(crate) type Queue = QueueOver<Timebase, Box<[Slot]>, Weighted>;
type CoreWaiter = apiqueue_core::Waiter<Hold>;

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

/// How a waiter holds on to its line.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Line>);

impl Deref for Hold {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.0.queue
    }
}

/// A place in line, or a permit taken instead of one. Dropping it leaves the line, or gives the permit back.
#[derive(Debug)]
pub(crate) struct Place {
    /// None once it has become a turn.
    core: Option<CoreWaiter>,
    /// When it was taken, by the clock that permits are given by.
    since: u64,
    /// When its holder was first told of the release.
    told: AtomicU64,
    reason: WaitedFor,
}

/// A place whose caller goes.
pub(crate) struct Gone {
    pub(crate) line: Arc<Line>,
    pub(crate) weight: usize,
    /// When its holder was told.
    pub(crate) told: u64,
    /// In nanoseconds.
    pub(crate) waited: u64,
    pub(crate) reason: WaitedFor,
}

/// Not told yet.
const UNTOLD: u64 = u64::MAX;

impl Place {
    /// Of one who waits for `reason`, or has a permit, since this reading.
    fn new(core: CoreWaiter, since: u64, reason: WaitedFor) -> Self {
        Self {
            core: Some(core),
            since,
            told: AtomicU64::new(UNTOLD),
            reason,
        }
    }

    pub(crate) fn line(&self) -> Option<&Arc<Line>> {
        self.core.as_ref().map(|core| &core.queue().0)
    }

    /// Whether it never was in line.
    #[inline]
    pub(crate) fn has_passed(&self) -> bool {
        self.reason == WaitedFor::Nothing
    }

    /// Like every look, this counts as telling its holder of the release.
    #[inline]
    pub(crate) fn status(&self) -> Status {
        let Some(core) = &self.core else {
            return Status::Closed;
        };
        match core.status() {
            // Nobody drives the queue here.
            Status::Waiting if core.queue().0.is_forked() => Status::Closed,
            status => status,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
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

    /// When its holder, who hears of the release now, was told of it first.
    fn told(&self, line: &Line) -> u64 {
        if self.has_passed() {
            self.since
        } else {
            line.now()
        }
    }

    /// Counts the wait of one who was told at this reading.
    fn count(&self, line: &Line, told: u64) {
        if self.has_passed() {
            line.counters.passed();
        } else {
            line.counters.waited(told.saturating_sub(self.since));
        }
    }

    /// Lets one who was released go. None if it has gone before.
    #[inline(always)]
    pub(crate) fn go(&mut self) -> Option<Gone> {
        let core = self.core.take()?;
        let line = &core.queue().0;
        let mut told = *self.told.get_mut();
        if told == UNTOLD {
            told = self.told(line);
            self.count(line, told);
        }
        let was_held = !self.has_passed() && line.was_held_since(self.since);
        let weight = core.weight();
        Some(Gone {
            line: core.into_queue().0,
            weight,
            told,
            waited: told.saturating_sub(self.since),
            reason: if was_held {
                WaitedFor::Hold
            } else {
                self.reason
            },
        })
    }

    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<(), Closed>> {
        let Some(core) = &self.core else {
            return Poll::Ready(Err(Closed));
        };
        match core.poll_release(waker) {
            Poll::Pending if core.queue().0.is_forked() => Poll::Ready(Err(Closed)),
            polled => polled,
        }
    }

    pub(crate) fn position(&self) -> Option<usize> {
        self.core.as_ref()?.position()
    }

    pub(crate) fn estimate(&self) -> Option<Instant> {
        let core = self.core.as_ref()?;
        let line = &core.queue().0;
        let at = if line.supply.is_schedule() {
            core.estimate()
        } else {
            line.estimate(core.permits_ahead()?)
        };
        line.queue.clock().instant(at?)
    }

    fn leave(&mut self) {
        let Some(mut core) = self.core.take() else {
            return;
        };
        // Only who was in line leaves a waker behind, whose drop is user code. The core then has not looked who is next.
        let left = guarded(|| core.leave()).unwrap_or_else(|| {
            core.queue().0.wake_driver();
            Left::InLine
        });
        // It may wake the driver, last of all: a waker of the user's that panics.
        let gave_back = left == Left::Released
            && core.queue().0.latest_was_in_line()
            && guarded(|| core.give_back()).unwrap_or(true);
        let line = &core.queue().0;
        let is_untold_pass = left == Left::Over
            && !line.supply.is_schedule()
            && self.has_passed()
            && *self.told.get_mut() == UNTOLD;
        match left {
            Left::InLine => line.has_left(),
            Left::Released if gave_back => {
                line.counters.cancelled();
                line.came_back(core.weight());
            }
            Left::Over if is_untold_pass && line.pass_came_back(self.since) => {
                line.counters.cancelled();
            }
            Left::Released => self.count(line, self.told(line)),
            Left::Over if is_untold_pass => self.count(line, self.since),
            Left::Over => {}
        }
        let is_released = match left {
            Left::InLine => false,
            Left::Released => true,
            Left::Over => line.calls.are_counted() && core.peek() == Status::Released,
        };
        if is_released {
            line.call_ended();
        }
    }
}

impl Drop for Place {
    #[inline]
    fn drop(&mut self) {
        if self.core.is_some() {
            self.leave();
        }
    }
}
