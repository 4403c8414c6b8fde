//! What is changed and asked while queues go on: rates, holds, charges, ends of calls, stats.

use std::collections::BTreeMap;
use std::sync::Arc;

use apiqueue_core::ChargeError;

use super::{Scheduler, later};
use crate::account::stats::AccountStats;
use crate::account::tree::{Id, Tree};
use crate::forked::unless_inherited;
use crate::guarded::guarded;
use crate::line::Line;
use crate::rate::Rate;

impl Scheduler {
    /// Changes the tree, and has the driver look. None in a forked child, where nobody drives it.
    fn change<T>(&self, change: impl FnOnce(&mut Tree, u64) -> T) -> Option<T> {
        if self.is_forked() {
            return None;
        }
        let now = self.clock.reading();
        let changed = {
            let tree = &mut self.lock().tree;
            // A release may have been counted at a later reading since.
            let now = later(tree.latest_reading(), now);
            change(tree, now)
        };
        self.ring();
        Some(changed)
    }

    pub(in crate::account) fn call_ended(&self, leaf: Id) {
        let now = self.clock.reading();
        // In a forked child the lock may be held for ever.
        let Some(mut state) = unless_inherited(&self.state, self.process) else {
            return;
        };
        state.tree.call_ended(leaf, now);
        let is_waited_for = state.tree.has_heads();
        drop(state);
        if is_waited_for {
            self.ring();
        }
    }

    pub(in crate::account) fn set_rate(&self, id: Id, index: usize, rate: Rate) -> bool {
        let set = self.change(|tree, now| tree.set_rate(id, index, now, rate));
        set.unwrap_or(true)
    }

    /// Tells the lines inside a node of what was changed there: the smallest burst, and the rate of those that have none of their own.
    pub(in crate::account) fn tell_lines(&self, id: Id) {
        if self.is_forked() {
            return;
        }
        self.each_line(|leaf, line| {
            if self.lock().tree.is_within(leaf, id) {
                self.tell(leaf, line);
            }
        });
    }

    /// Tells a line of its limits as they are, until they are no others afterwards.
    pub(in crate::account) fn tell(&self, leaf: Id, line: &Arc<Line>) {
        let look = || {
            let state = self.lock();
            (state.tree.smallest_burst(leaf), state.tree.rate(leaf))
        };
        let mut told = look();
        loop {
            line.limits_changed(told.0, told.1);
            let now = look();
            if now == told {
                return;
            }
            told = now;
        }
    }

    pub(in crate::account) fn hold(&self, id: Id, ticks: u64) {
        self.change(|tree, now| tree.hold_until(id, now, now.wrapping_add(ticks)));
    }

    pub(in crate::account) fn resume(&self, id: Id) {
        self.change(|tree, now| tree.resume(id, now));
    }

    pub(in crate::account) fn charge(&self, leaf: Id, permits: usize) -> Result<(), ChargeError> {
        let charged = self.change(|tree, now| tree.charge(leaf, permits, now));
        charged.unwrap_or(Ok(()))
    }

    pub(in crate::account) fn refund(&self, leaf: Id, permits: usize) {
        self.change(|tree, now| tree.refund(leaf, permits, now));
    }

    /// What a node, and all inside it, looks like.
    pub(in crate::account) fn stats(&self, id: Id) -> AccountStats {
        if self.is_forked() {
            return AccountStats::default();
        }
        // The driver may not have come yet for who has.
        self.look_at_all();
        let now = self.clock.reading();
        let (report, lines) = {
            let mut state = self.lock();
            let lines: BTreeMap<Id, Arc<Line>> = state.lines().into_iter().collect();
            (state.tree.report(id, now), lines)
        };
        let stats = report.map(|report| AccountStats::of(report, &lines));
        // Each may be the last hold on its queue.
        lines
            .into_values()
            .for_each(|line| _ = guarded(|| drop(line)));
        stats.unwrap_or_default()
    }

    /// Looks something up by the reading of now.
    pub(in crate::account) fn with_tree<T>(&self, look: impl FnOnce(&Tree, u64) -> T) -> T {
        let now = self.clock.reading();
        look(&self.lock().tree, now)
    }
}
