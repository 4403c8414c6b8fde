//! A place in line, and a waiter's way from it to its turn.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Instant;

use apiqueue_core::{Closed, Left, Status};

use super::waited_for::Ahead;
use super::{Line, Queue};
use crate::guarded::guarded;

pub(super) type CoreWaiter = apiqueue_core::Waiter<Hold>;

/// How a waiter holds on to its line.
#[derive(Debug)]
pub(crate) struct Hold(pub(super) Arc<Line>);

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
    ahead: Ahead,
}

/// A place whose caller goes.
pub(crate) struct Gone {
    pub(crate) line: Arc<Line>,
    pub(crate) weight: usize,
    /// When its holder was told.
    pub(crate) told: u64,
    /// In nanoseconds.
    pub(crate) waited: u64,
    pub(crate) ahead: Ahead,
}

/// Not told yet.
const UNTOLD: u64 = u64::MAX;

impl Place {
    /// Of one who waits behind so many, or has a permit, since this reading.
    pub(super) fn new(core: CoreWaiter, since: u64, ahead: Ahead) -> Self {
        Self {
            core: Some(core),
            since,
            told: AtomicU64::new(UNTOLD),
            ahead,
        }
    }

    pub(crate) fn line(&self) -> Option<&Arc<Line>> {
        self.core.as_ref().map(|core| &core.queue().0)
    }

    /// Whether it never was in line.
    #[inline]
    pub(crate) fn has_passed(&self) -> bool {
        self.ahead.has_passed()
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
            let waited = told.saturating_sub(self.since);
            line.counters.waited(waited);
            if waited >= line.long_waits.bound {
                line.waited_long(self.since, told, self.ahead);
            }
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
            ahead: self.ahead.held(was_held),
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
