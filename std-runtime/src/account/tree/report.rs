//! What a tree looks like at a moment.

use super::order::wait;
use super::{Id, Kind, Node, Tree};
use crate::rate::Rate;

/// What keeps somebody from going who could go otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// This limit has no permit yet.
    Rate(Rate),
    /// As many calls are under way as may be.
    Calls,
    /// A hold is on.
    Hold,
}

/// A node as it is now.
pub(in crate::account) struct Report {
    pub(in crate::account) id: Id,
    pub(in crate::account) is_queue: bool,
    pub(in crate::account) name: String,
    pub(in crate::account) rates: Vec<Rate>,
    pub(in crate::account) at_once: Option<usize>,
    pub(in crate::account) under_way: usize,
    pub(in crate::account) released: u64,
    /// In nanoseconds; 0 for not at all.
    pub(in crate::account) held_for: u64,
    pub(in crate::account) bound_by: Option<Bound>,
    pub(in crate::account) inside: Vec<Report>,
}

impl Tree {
    /// This node and all below it, mostly in the order in which they were made.
    pub(in crate::account) fn report(&mut self, id: Id, now: u64) -> Option<Report> {
        let mut inside: Vec<Vec<Id>> = vec![Vec::new(); self.nodes.len()];
        for (child, node) in self.nodes.iter().enumerate().skip(1) {
            if let Some(node) = node {
                inside[node.parent].push(child);
            }
        }
        let report = self.report_with(id, now, &inside);
        self.refresh(id, now);
        report
    }

    fn report_with(&mut self, id: Id, now: u64, inside: &[Vec<Id>]) -> Option<Report> {
        let below = inside.get(id).into_iter().flatten();
        let mut reports = Vec::new();
        for &child in below {
            reports.extend(self.report_with(child, now, inside));
            // Its time may have come where nobody has looked, as inside one that is full.
            self.refile(child, now);
        }
        let node = self.node(id)?;
        Some(Report {
            id,
            is_queue: matches!(node.kind, Kind::Leaf { .. }),
            name: node.name.clone(),
            rates: node.rates.clone(),
            at_once: node.at_once,
            under_way: node.under_way,
            released: node.released,
            held_for: node.held_for(now),
            bound_by: self.bound_by(node, now),
            inside: reports,
        })
    }

    /// What of this node keeps the next below it from going.
    fn bound_by(&self, node: &Node, now: u64) -> Option<Bound> {
        let weight = self.first_weight(node, now)?;
        if !node.has_room() {
            return Some(Bound::Calls);
        }
        let waits = node.limits.iter().map(|limit| wait(limit, now, weight));
        let (index, wait) = waits.enumerate().max_by_key(|&(_, wait)| wait)?;
        match wait {
            0 => None,
            _ if node.held_for(now) > 0 => Some(Bound::Hold),
            // One without a rate waits for what a hold, or a charge, has left.
            _ => Some(Bound::Rate(*node.rates.get(index)?)),
        }
    }
}
