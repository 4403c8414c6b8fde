//! When a line may be forgotten, as one made anew gives out nothing that this one has; and what one made anew takes over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{BY_HAND, Line, NEVER};
use crate::guarded::guarded;
use crate::permits::{Given, Supply};

/// For how long nobody is released before a rate is forgotten that was found: what a server told of its pace is out of date by then.
const FOUND_RATE_LASTS: Duration = Duration::from_secs(60);

impl Line {
    /// Whether one made anew would be no different, at this moment: nobody in line, no call under way, the whole burst free, nothing
    /// held, and a rate that may be forgotten. A stopped one is at rest when it is over and could give out its whole burst.
    pub(crate) fn is_rested(&self) -> bool {
        if self.queue.is_closed() {
            return self.is_over() && self.has_its_burst();
        }
        let is_used = self.backlog.len() > 0 || self.calls.under_way() > 0 || self.room() == 0;
        if is_used || !self.may_forget_rate() {
            return false;
        }
        match &self.supply {
            Supply::Schedule => self.queue.is_rested(),
            Supply::Hand => false,
            Supply::Others(_) => self.queue.is_empty() && self.permits_rest(),
        }
    }

    /// Whether it was stopped, nobody waits for a drain to end, and no call is under way.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_reached() && self.calls.under_way() == 0
    }

    /// Begins where `before` ended, which is over: no sooner than that could have released the next, and without its burst, unless
    /// that had its own in hand.
    pub(crate) fn go_on_from(self: &Arc<Self>, before: &Self) {
        if before.has_its_burst() {
            return;
        }
        let now = before.now();
        let held_until = Some(before.held_until.load(Ordering::Relaxed)).filter(|&at| at != NEVER);
        let wait = |at: u64| at.saturating_sub(now);
        let nanos = before.estimate(0).map(wait).max(held_until.map(wait));
        // The shortest hold still spends the burst.
        self.hold(nanos.unwrap_or(0).max(1));
    }

    fn permits_rest(&self) -> bool {
        let rests = |given: &Given| guarded(|| given.permits.is_rested()) == Some(true);
        self.given().is_some_and(rests)
    }

    /// Whether nothing of its burst is used, for one that was closed.
    fn has_its_burst(&self) -> bool {
        match &self.supply {
            Supply::Schedule => {
                let others = self.rate().burst_size().saturating_sub(1);
                self.estimate(others).is_some_and(|at| at <= self.now())
            }
            Supply::Hand => true,
            Supply::Others(_) => self.permits_rest(),
        }
    }

    /// A rate set by hand is kept. One that was found is forgotten after a time without releases in which the burst that it began
    /// with has come together again.
    fn may_forget_rate(&self) -> bool {
        // Ordering: Relaxed; who evicts has synchronized with all who held the queue.
        let found = self.rate_found.load(Ordering::Relaxed);
        // That of an account, which may have changed, is the account's for the next one, too.
        if found == NEVER || self.rate().ticks() == self.begun {
            return true;
        }
        if found == BY_HAND {
            return false;
        }
        let now = self.now();
        let since_found = Duration::from_nanos(now.saturating_sub(found));
        let since_last = self.counters.since_last(now, &self.passes);
        let idle = since_last.map_or(since_found, |since_last| since_last.min(since_found));
        let burst = u64::try_from(self.begun.burst_size()).unwrap_or(u64::MAX);
        let gathers = Duration::from_nanos(self.begun.interval().saturating_mul(burst));
        idle >= FOUND_RATE_LASTS.max(gathers)
    }
}
