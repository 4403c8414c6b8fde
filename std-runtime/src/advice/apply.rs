//! How advice is followed.

use std::time::Duration;

use super::Advice;
use crate::queue::ApiQueue;
use crate::rate::{MAX_SPAN, Rate};

/// How long a hold is by which gathered permits go. Long enough that it is on before it is over, also on a busy machine.
const MOMENT: Duration = Duration::from_millis(1);
/// How often it is tried again where it was not.
const TRIES: usize = 3;

impl Advice {
    /// Sets the queue's rate, takes what has gathered, and holds the queue, where there is something to say. The burst never gets smaller
    /// by it, and a hold only extends another.
    pub fn apply(self, queue: &ApiQueue) {
        self.apply_rate(queue);
        if let Some(hold) = self.hold {
            // One too long for a queue can't be, with the cap.
            let _ = queue.hold_for(hold);
        }
    }

    /// All but the hold.
    pub(crate) fn apply_rate(self, queue: &ApiQueue) {
        let Some(rate) = self.rate else {
            return;
        };
        let present = queue.rate();
        let has_larger_burst = present.burst_size() > rate.burst_size();
        let rate = if has_larger_burst {
            with_burst(rate, present.burst_size())
        } else {
            rate
        };
        if rate != present {
            queue.set_rate(rate);
        }
        // After the rate: what gathers from now on does so at the new one.
        if self.evenly || has_larger_burst {
            keep_one(queue, rate.interval());
        }
    }
}

/// The same with this burst, or faster where it could not gather in time.
fn with_burst(rate: Rate, burst: usize) -> Rate {
    let burst = u32::try_from(burst).unwrap_or(u32::MAX);
    let interval = rate.interval().min(MAX_SPAN / burst.max(1));
    let wider = Rate::every(interval).and_then(|rate| rate.burst(burst));
    let strict = |wider: Rate| {
        if rate.is_strict() {
            wider.strict()
        } else {
            wider
        }
    };
    wider.map_or(rate, strict)
}

/// Takes the permits that have gathered, but one. A hold spends the burst, and no more: from its end on the permits come one by one,
/// and what is owed stays owed.
fn keep_one(queue: &ApiQueue, interval: Duration) {
    for _ in 0..TRIES {
        if has_one_at_most(queue, interval) {
            return;
        }
        // Never too long.
        let _ = queue.hold_for(MOMENT);
    }
}

/// Whether there is at most one permit in hand, so that the next but one is an interval away or more. Others than the queue's own
/// schedule may be what keeps that back, so of them it can't be told.
fn has_one_at_most(queue: &ApiQueue, interval: Duration) -> bool {
    let line = queue.line();
    let next_but_one = line
        .supply
        .is_schedule()
        .then(|| line.estimate(1))
        .flatten();
    next_but_one.is_some_and(|at| {
        let wait = at.saturating_sub(line.now());
        u128::from(wait) >= interval.as_nanos()
    })
}
