//! Counting: what a release, a call and a permit that came back do to the limits on the way.

use apiqueue_core::Due;

use super::order::{Filed, due};
use super::{Id, Kind, Node, ROOT, Tree};

impl Tree {
    /// Whether one permit is free at a leaf in whose line nobody is, and nobody else could go before; else when it may be.
    pub(in crate::account) fn is_free(&self, leaf: Id, now: u64) -> Result<(), Option<u64>> {
        let mut wait = 0;
        for id in self.path(leaf) {
            let node = self.node(id).ok_or(None)?;
            let is_alone = match &node.kind {
                Kind::Leaf { head } => head.is_none(),
                Kind::Inner(all) => {
                    let is_due = |&(at, _): &(u64, Id)| at <= self.since(now);
                    all.ready.is_empty() && !all.waiting.first().is_some_and(is_due)
                }
            };
            if !is_alone || !node.has_room() {
                return Err(None);
            }
            if let Due::At(at) = due(&node.limits, now, 1) {
                wait = at.wrapping_sub(now).max(wait);
            }
        }
        if wait == 0 {
            Ok(())
        } else {
            Err(Some(now.wrapping_add(wait)))
        }
    }

    /// Counts a release of `leaf` at `now`, which cost `weight` permits, on all its limits. The first in its line after it costs `first`.
    pub(in crate::account) fn released(
        &mut self,
        leaf: Id,
        weight: usize,
        first: Option<usize>,
        now: u64,
    ) {
        self.count(leaf, weight, now);
        self.set_head(leaf, first);
        self.each(leaf, Node::note_who_waits);
        self.refresh(leaf, now);
    }

    /// Counts a permit that somebody took at `now` where it [was free](Self::is_free). Nobody else on the way could go, so that no order
    /// changes.
    pub(in crate::account) fn passed(&mut self, leaf: Id, now: u64) {
        self.call_begun(leaf);
        self.count(leaf, 1, now);
    }

    fn count(&mut self, leaf: Id, weight: usize, now: u64) {
        self.latest = now;
        let mut id = leaf;
        while let Some(node) = self.node_mut(id) {
            for limit in &mut node.limits {
                limit.take_weighted(now, weight);
            }
            node.latest = Some((leaf, weight));
            node.released += 1;
            let (parent, place) = (node.parent, node.place(id));
            let is_ready = matches!(node.filed, Filed::Ready(..));
            if id == ROOT {
                return;
            }
            let at = self.since(now);
            let tag = self
                .children_mut(parent)
                .map(|all| all.ready.released(place, is_ready, weight, at));
            if let (Some(tag), Some(node)) = (tag, self.node_mut(id)) {
                node.tag = tag;
            }
            id = parent;
        }
    }

    /// A call of `leaf` begins.
    pub(in crate::account) fn call_begun(&mut self, leaf: Id) {
        self.each(leaf, |node| {
            node.under_way += usize::from(node.at_once.is_some())
        });
    }

    /// A call of `leaf` is over.
    pub(in crate::account) fn call_ended(&mut self, leaf: Id, now: u64) {
        self.each(leaf, |node| {
            node.under_way = node.under_way.saturating_sub(1);
        });
        self.refresh(leaf, now);
    }

    /// Permits of `leaf` come back: to those of its limits on which nothing else was counted since its latest release.
    pub(in crate::account) fn came_back(&mut self, leaf: Id, permits: usize, now: u64) {
        self.each(leaf, |node| {
            if let Some((_, weight)) = node.latest.take_if(|&mut (latest, _)| latest == leaf) {
                for limit in &mut node.limits {
                    limit.give_back_weighted(permits.min(weight));
                }
            }
        });
        self.refresh(leaf, now);
    }
}
