//! What the driver does with a line: releases who may go, and finds out when to come back.

use std::sync::Arc;
use std::task::Waker;

use apiqueue_core::Next;

use super::{Line, NEVER};
use crate::clock::Jump;
use crate::guarded::guarded;
use crate::permits::{Given, Supply, Waiters};
use crate::stats::telemetry;

/// What a call of [`Line::advance`] did, and when the next is due.
pub(crate) struct Progress {
    pub(crate) released: usize,
    /// [`Next::At`] is a reading of [`MonotonicClock`].
    pub(crate) next: Next<u64>,
    /// To be made by a driver that would sleep.
    pub(crate) jump: Option<Jump>,
}

impl Line {
    /// `advance`, counted. With `waker`, that is left to be called when there is something to do again.
    ///
    /// None when a waker of a waiter panicked: come back at once.
    pub(crate) fn advance(self: &Arc<Self>, waker: Option<&Waker>) -> Option<Progress> {
        self.advance_as(waker, waker)
    }

    /// The same with another waker for whoever gives the permits: for a thread that stands in for the driver, whose waker is to stay
    /// in the line. Without one nobody is asked for permits but by the driver.
    pub(crate) fn advance_as(
        self: &Arc<Self>,
        waker: Option<&Waker>,
        for_permits: Option<&Waker>,
    ) -> Option<Progress> {
        let close_at = self.close_if_late();
        let given = self.given();
        let is_broken =
            given.is_some_and(|given| guarded(|| given.permits.is_broken()).unwrap_or(true));
        if is_broken || self.queue.clock().is_broken() {
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
            self.tell_level();
        }
        self.admit();
        let is_over = advanced.next == Next::Closed;
        // In this order: a call is counted before its release.
        if is_over && self.calls.under_way() == 0 {
            self.end.reached();
        }
        let (more, next) = match (&self.supply, advanced.next) {
            // Where there is a driver, it is that who asks for permits: others only wake it.
            (Supply::Others(_), _) if for_permits.is_none() && self.is_driven() => {
                self.wake_driver();
                (0, Next::OnEnqueue)
            }
            (Supply::Others(_), seen) => match given {
                Some(given) => {
                    let had_somebody = matches!(seen, Next::At(_));
                    self.give(given, is_over, had_somebody, for_permits)
                }
                None => (0, Next::OnEnqueue),
            },
            (Supply::Hand, Next::At(_)) => (0, Next::OnEnqueue),
            (_, next) => (0, next),
        };
        // A clock of the user's that has panicked by now: nobody may go any more.
        if self.queue.clock().is_broken() {
            self.close();
        }
        let (next, jump) = self.queue.clock().when(next);
        let next = match next {
            next if is_over && self.end.is_reached() => next,
            // Calls are under way still.
            Next::Closed => sooner(Next::OnEnqueue, close_at),
            next => sooner(next, close_at),
        };
        Some(Progress {
            released: advanced.released + more,
            next,
            jump,
        })
    }

    /// Has others give permits. How many went by them, and when to come back.
    ///
    /// `had_somebody` says that the core's look found somebody in line, and so left no waker for the next to come.
    fn give(
        self: &Arc<Self>,
        given: &Given,
        is_over: bool,
        had_somebody: bool,
        waker: Option<&Waker>,
    ) -> (usize, Next<u64>) {
        let waiters = Waiters::of(self, is_over, waker);
        let Some(next) = guarded(|| given.permits.give(&waiters)) else {
            telemetry::survived(&self.name, "a source of permits panicked");
            self.close();
            return (waiters.released(), Next::Closed);
        };
        if had_somebody && waker.is_some() && waiters.may_have_missed_one() {
            // The core has left no mark for the next to come, as it saw somebody: it has to look once more.
            self.wake_driver();
        }
        let next = match next {
            // Of a queue that is not.
            Next::Closed if !is_over => Next::OnEnqueue,
            next => next,
        };
        (waiters.released(), next)
    }
}

/// `next`, or `close_at` if that comes first.
pub(crate) fn sooner(next: Next<u64>, close_at: u64) -> Next<u64> {
    match next {
        Next::At(at) => Next::At(at.min(close_at)),
        Next::OnEnqueue if close_at != NEVER => Next::At(close_at),
        other => other,
    }
}
