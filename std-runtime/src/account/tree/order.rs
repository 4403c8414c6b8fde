//! Where each node keeps its children: those that could go, in order, and those that wait for a time.

use std::collections::BTreeSet;

use apiqueue_core::Due;

use super::ready::{Place, Ready};
use super::{Id, Kind, Node, ROOT, Schedule, Tree};

#[derive(Debug, Default)]
pub(super) struct Children {
    /// Those that could go.
    pub(super) ready: Ready,
    /// Those that have to wait until then.
    pub(super) waiting: BTreeSet<(u64, Id)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filed {
    /// By its tag; with what the next below it costs.
    Ready(u128, usize),
    Waits(u64),
    Nowhere,
}

/// What keeps a node from releasing, its ancestors left aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: the first costs so much.
    Ready(usize),
    /// It is a matter of time.
    Waits(u64),
    /// Nobody is there, or a call has to end first.
    Idle,
}

impl Tree {
    /// Makes sure that who is first among the ready of each node on the way down is who goes next.
    pub(super) fn settle(&mut self, id: Id, now: u64) {
        loop {
            self.wake_due(id, now);
            let first = self.node(id).and_then(|node| self.first_ready(node, now));
            let Some(child) = first else { return };
            self.settle(child, now);
            // The next below it may be another by now, and wait; or the clock has fallen back.
            if !self.refile(child, now) {
                return;
            }
        }
    }

    /// Looks again at those below whose time has come.
    fn wake_due(&mut self, id: Id, now: u64) {
        let until = self.since(now);
        while let Some(&(at, child)) = self.children(id).and_then(|all| all.waiting.first()) {
            if at > until || !self.refile(child, now) {
                return;
            }
        }
    }

    /// Tells all from `id` upwards of a change.
    pub(super) fn refresh(&mut self, mut id: Id, now: u64) {
        while id != ROOT {
            self.refile(id, now);
            let Some(node) = self.node(id) else { return };
            id = node.parent;
        }
    }

    /// Has its parent file a node anew. Says whether that is another place.
    pub(super) fn refile(&mut self, id: Id, now: u64) -> bool {
        self.wake_due(id, now);
        let state = self.state(id, now);
        let until = self.since(now);
        let Some(node) = self.node(id) else {
            return false;
        };
        let (parent, before) = (node.parent, node.filed);
        let (tag, priority) = (node.tag, node.priority);
        let begin = |all: &Children| all.ready.begin(priority, tag);
        let tag = match before {
            Filed::Ready(..) => tag,
            _ => self.children(parent).map_or(tag, begin),
        };
        let Some(node) = self.node_mut(id) else {
            return false;
        };
        let filed = match state {
            State::Ready(weight) => {
                node.tag = tag;
                Filed::Ready(tag, weight)
            }
            // Later than now, so that looking at it ends.
            State::Waits(at) => Filed::Waits(at.max(until.saturating_add(1))),
            State::Idle => Filed::Nowhere,
        };
        if before == filed {
            return false;
        }
        node.filed = filed;
        if let (Filed::Ready(then, _), Filed::Ready(tag, _)) = (before, filed)
            && then == tag
        {
            // Only what it costs is another.
            return true;
        }
        let place = node.place(id);
        self.unfile(place, parent, before);
        if let Some(all) = self.children_mut(parent) {
            match filed {
                Filed::Ready(..) => all.ready.insert(place, until),
                Filed::Waits(at) => _ = all.waiting.insert((at, id)),
                Filed::Nowhere => {}
            }
        }
        true
    }

    pub(super) fn unfile(&mut self, place: Place, parent: Id, filed: Filed) {
        if let Some(all) = self.children_mut(parent) {
            match filed {
                Filed::Ready(tag, _) => all.ready.remove(Place { tag, ..place }),
                Filed::Waits(at) => _ = all.waiting.remove(&(at, place.id)),
                Filed::Nowhere => {}
            }
        }
    }

    pub(super) fn state(&self, id: Id, now: u64) -> State {
        let Some(node) = self.node(id).filter(|node| node.has_room()) else {
            return State::Idle;
        };
        let waits = match &node.kind {
            Kind::Leaf { .. } => None,
            Kind::Inner(all) => all.waiting.first().map(|&(at, _)| at),
        };
        match (self.first_weight(node, now), waits) {
            (None, None) => State::Idle,
            (None, Some(at)) => State::Waits(at),
            (Some(weight), waits) => match due(&node.limits, now, weight) {
                Due::Now => State::Ready(weight),
                // A child that comes before may cost less.
                Due::At(at) => State::Waits(waits.unwrap_or(u64::MAX).min(self.since(at))),
            },
        }
    }

    /// What the next release below a node costs, if one could go.
    pub(super) fn first_weight(&self, node: &Node, now: u64) -> Option<usize> {
        match &node.kind {
            Kind::Leaf { head } => *head,
            Kind::Inner(_) => match self.node(self.first_ready(node, now)?)?.filed {
                Filed::Ready(_, weight) => Some(weight),
                Filed::Waits(_) | Filed::Nowhere => None,
            },
        }
    }

    /// The child of a node that goes next, if one could.
    pub(super) fn first_ready(&self, node: &Node, now: u64) -> Option<Id> {
        match &node.kind {
            Kind::Inner(all) => all.ready.first(self.since(now), node.aging),
            Kind::Leaf { .. } => None,
        }
    }
}

/// How long until this one allows it.
pub(super) fn wait(limit: &Schedule, now: u64, weight: usize) -> u64 {
    match limit.next_weighted(now, weight) {
        Due::Now => 0,
        // Readings wrap.
        Due::At(at) => at.wrapping_sub(now),
    }
}

/// When all of these allow it.
pub(super) fn due(limits: &[Schedule], now: u64, weight: usize) -> Due<u64> {
    match limits.iter().map(|limit| wait(limit, now, weight)).max() {
        None | Some(0) => Due::Now,
        Some(wait) => Due::At(now.wrapping_add(wait)),
    }
}
