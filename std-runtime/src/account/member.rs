//! [`Membership`]: a queue's place in a tree of limits, which is where its permits come from.

use std::sync::Arc;

use apiqueue_core::{ChargeError, Next};

use super::Node;
use super::tree::{Id, Terms};
use crate::line::Line;
use crate::permits::{Permits, Waiters};
use crate::rate::Rate;

/// A leaf.
#[derive(Debug)]
pub(crate) struct Membership {
    /// What it is inside of.
    pub(crate) parent: Arc<Node>,
    leaf: Id,
}

impl Membership {
    pub(crate) fn join(parent: &Arc<Node>, terms: &Terms<'_>) -> Self {
        Self {
            parent: Arc::clone(parent),
            leaf: parent.scheduler.add_leaf(parent.id, terms),
        }
    }

    /// The line that it is of.
    pub(crate) fn attach(&self, line: &Arc<Line>) {
        self.parent.scheduler.attach(self.leaf, line);
        // They may have changed since the queue was made.
        self.parent.scheduler.tell(self.leaf, line);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.parent.scheduler.remove(self.leaf);
    }
}

impl Permits for Membership {
    fn give(&self, waiters: &Waiters<'_>) -> Next<u64> {
        let scheduler = &self.parent.scheduler;
        scheduler.look(self.leaf, || {
            (waiters.first_weight(), waiters.take_returned())
        });
        let (released, next) = scheduler.advance();
        waiters.add_released(released);
        let is_armed = scheduler.arm(next);
        if waiters.are_over() {
            Next::Closed
        } else if is_armed {
            Next::OnEnqueue
        } else {
            next
        }
    }

    fn try_take(&self, returned: usize) -> Result<u64, Option<u64>> {
        self.parent.scheduler.try_take(self.leaf, returned)
    }

    fn call_ended(&self) {
        if self.parent.counts_calls {
            self.parent.scheduler.call_ended(self.leaf);
        }
    }

    fn is_broken(&self) -> bool {
        self.parent.scheduler.clock.is_broken()
    }

    fn rate(&self) -> Option<Rate> {
        let scheduler = &self.parent.scheduler;
        scheduler.with_tree(|tree, _| tree.rate(self.leaf))
    }

    fn set_rate(&self, rate: Rate) {
        self.parent.scheduler.set_rate(self.leaf, 0, rate);
    }

    fn hold(&self, nanos: u64) {
        self.parent.scheduler.hold(self.leaf, nanos);
    }

    fn resume(&self) {
        self.parent.scheduler.resume(self.leaf);
    }

    fn charge(&self, permits: usize) -> Result<(), ChargeError> {
        self.parent.scheduler.charge(self.leaf, permits)
    }

    fn refund(&self, permits: usize) {
        self.parent.scheduler.refund(self.leaf, permits);
    }

    fn is_rested(&self) -> bool {
        self.parent
            .scheduler
            .with_tree(|tree, now| tree.is_rested(self.leaf, now))
    }

    fn estimate(&self, ahead: usize) -> Option<u64> {
        self.parent
            .scheduler
            .with_tree(|tree, now| tree.estimate(self.leaf, ahead, now))
    }
}
