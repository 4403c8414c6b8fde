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
    /// by it, and a hold only extends another. A [`Registry`](crate::Registry) may forget a rate that comes from here after a minute
    /// without releases, and never one that [`ApiQueue::set_rate`] has set.
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
        let burst = rate.burst_size().max(present.burst_size());
        let rate = self::rate(rate.interval(), burst, rate.is_strict()).unwrap_or(rate);
        if rate != present {
            queue.set_found_rate(rate);
        }
        // After the rate: what gathers from now on does so at the new one.
        if self.evenly || has_larger_burst {
            keep_one(queue, rate.interval());
        }
    }
}

/// One each `interval`, and as much of the burst as can gather: longer than 2 years nothing does.
pub(super) fn rate(interval: Duration, burst: usize, is_strict: bool) -> Option<Rate> {
    let gathers = MAX_SPAN.as_nanos().checked_div(interval.as_nanos())?;
    let burst = gathers.min(burst as u128).clamp(1, u128::from(u32::MAX));
    let rate = Rate::every(interval).ok()?;
    let rate = rate.burst(u32::try_from(burst).ok()?).ok()?;
    Some(if is_strict { rate.strict() } else { rate })
}

/// Takes the permits that have gathered, but one. A hold spends the burst, and no more: from its end on the permits come one by one,
/// and what is owed stays owed.
fn keep_one(queue: &ApiQueue, interval: Duration) {
    if queue.line().supply.is_schedule() {
        // While somebody waits for a permit there is none to take, so that nobody is told of a hold who did not wait for one.
        for _ in 0..TRIES {
            if has_one_at_most(queue, interval) {
                break;
            }
            hold_for_a_moment(queue);
        }
    } else if queue.line().estimate(1).is_some() {
        // Of several limits the one that keeps the next back need not be this one: what this one has gathered can't be told.
        hold_for_a_moment(queue);
    }
    // Others, such as a fleet's, give no more than one at a time, or know best.
}

fn hold_for_a_moment(queue: &ApiQueue) {
    // Never too long.
    let _ = queue.hold_for(MOMENT);
}

/// Whether there is at most one permit in hand: then the next but one is an interval away or more.
fn has_one_at_most(queue: &ApiQueue, interval: Duration) -> bool {
    let line = queue.line();
    line.estimate(1).is_some_and(|next_but_one| {
        let wait = next_but_one.saturating_sub(line.now());
        u128::from(wait) >= interval.as_nanos()
    })
}
