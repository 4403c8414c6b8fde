//! What is set while queues go on: rates, holds, charges.

use apiqueue_core::{ChargeError, Due};

use super::order::due;
use super::{Id, Kind, Schedule, Tree};
use crate::clock::left;
use crate::rate::Rate;

impl Tree {
    /// Changes a limit of a node. False when there are not so many.
    pub(in crate::account) fn set_rate(
        &mut self,
        id: Id,
        index: usize,
        now: u64,
        rate: Rate,
    ) -> bool {
        let Some(node) = self.node_mut(id) else {
            return false;
        };
        node.latest = None;
        let Some(limit) = node.limits.get_mut(index) else {
            return false;
        };
        limit.set_rate(now, rate.ticks());
        match node.rates.get_mut(index) {
            Some(told) => *told = rate,
            // A queue that had none of its own has one now.
            None => node.rates.push(rate),
        }
        self.refresh(id, now);
        true
    }

    /// The first rate of the nearest node that has one.
    pub(in crate::account) fn rate(&self, id: Id) -> Option<Rate> {
        self.path(id)
            .find_map(|id| self.node(id)?.rates.first().copied())
    }

    /// Whether a node is inside another, or that one.
    pub(in crate::account) fn is_within(&self, id: Id, outer: Id) -> bool {
        self.path(id).any(|id| id == outer)
    }

    /// The smallest burst of the limits from here to the root, but for the one that is a queue's own rate.
    pub(in crate::account) fn smallest_burst(&self, id: Id) -> usize {
        let rates = self
            .path(id)
            .filter_map(|id| self.node(id))
            .flat_map(|node| {
                let is_leaf = matches!(node.kind, Kind::Leaf { .. });
                node.rates.iter().skip(usize::from(is_leaf))
            });
        rates
            .map(|rate| rate.burst_size())
            .min()
            .unwrap_or(usize::MAX)
    }

    pub(in crate::account) fn hold_until(&mut self, id: Id, now: u64, until: u64) {
        if let Some(node) = self.node_mut(id)
            && left(until, now) > node.held_for(now)
        {
            node.held_until = Some(until);
        }
        self.change(id, now, |limit| limit.hold_until(now, until));
    }

    pub(in crate::account) fn resume(&mut self, id: Id, now: u64) {
        if let Some(node) = self.node_mut(id) {
            node.held_until = None;
        }
        self.change(id, now, |limit| limit.resume(now));
    }

    fn change(&mut self, id: Id, now: u64, change: impl FnMut(&mut Schedule)) {
        if let Some(node) = self.node_mut(id) {
            node.latest = None;
            node.limits.iter_mut().for_each(change);
        }
        self.refresh(id, now);
    }

    /// On all limits above the leaf, or on none.
    pub(in crate::account) fn charge(
        &mut self,
        leaf: Id,
        permits: usize,
        now: u64,
    ) -> Result<(), ChargeError> {
        for id in self.path(leaf) {
            for limit in self.node(id).iter().flat_map(|node| &node.limits) {
                let mut tried = *limit;
                tried.charge(now, permits)?;
            }
        }
        self.each(leaf, |node| {
            node.latest = None;
            for limit in &mut node.limits {
                // Tried above.
                let _ = limit.charge(now, permits);
            }
        });
        self.refresh(leaf, now);
        Ok(())
    }

    pub(in crate::account) fn refund(&mut self, leaf: Id, permits: usize, now: u64) {
        self.each(leaf, |node| {
            node.latest = None;
            for limit in &mut node.limits {
                limit.refund(now, permits);
            }
        });
        self.refresh(leaf, now);
    }

    /// Whether all that a leaf's own limits can have in hand is there, and nobody waits.
    pub(in crate::account) fn is_rested(&self, leaf: Id, now: u64) -> bool {
        !self.has_head(leaf)
            && self
                .node(leaf)
                .is_some_and(|node| due(&node.limits, now, usize::MAX) == Due::Now)
    }

    /// When a caller of `leaf` with so many permits ahead in its queue goes at the earliest.
    pub(in crate::account) fn estimate(&self, leaf: Id, ahead: usize, now: u64) -> Option<u64> {
        let mut wait = 0;
        for id in self.path(leaf) {
            for limit in &self.node(id)?.limits {
                let at = limit.next_after(now, ahead)?;
                wait = at.wrapping_sub(now).max(wait);
            }
        }
        Some(now.wrapping_add(wait))
    }
}
