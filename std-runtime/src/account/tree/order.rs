//! Where each node keeps its children: those that could go, in order, and those that wait for a time.

use std::collections::BTreeSet;

use apiqueue_core::Due;

use super::{Id, Kind, Node, ROOT, Schedule, Tree};

#[derive(Debug, Default)]
pub(super) struct Children {
    pub(super) virtual_time: u128,
    /// Those that could go, by their finish tags.
    pub(super) ready: BTreeSet<(u128, Id)>,
    /// Those that have to wait until then.
    pub(super) waiting: BTreeSet<(u64, Id)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filed {
    Ready(u128),
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
    /// Looks again at those below whose time has come, and at who is next.
    pub(super) fn wake_up(&mut self, id: Id, now: u64) {
        let until = self.since(now);
        while let Some(all) = self.children(id) {
            let due = all.waiting.first().filter(|&&(at, _)| at <= until);
            match (due, all.ready.first()) {
                (Some(&(_, child)), _) => _ = self.refile(child, now),
                (None, Some(&(_, child))) => {
                    // The next below it may be another by now, and wait for more.
                    if !self.refile(child, now) {
                        return;
                    }
                }
                (None, None) => return,
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
        self.wake_up(id, now);
        let state = self.state(id, now);
        let until = self.since(now);
        let Some(node) = self.node_mut(id) else {
            return false;
        };
        let filed = match state {
            State::Ready(_) => Filed::Ready(node.finish),
            // Later than now, so that looking at it ends.
            State::Waits(at) => Filed::Waits(at.max(until + 1)),
            State::Idle => Filed::Nowhere,
        };
        let before = std::mem::replace(&mut node.filed, filed);
        let parent = node.parent;
        if before == filed {
            return false;
        }
        self.unfile(id, parent, before);
        if let Some(all) = self.children_mut(parent) {
            match filed {
                Filed::Ready(finish) => _ = all.ready.insert((finish, id)),
                Filed::Waits(at) => _ = all.waiting.insert((at, id)),
                Filed::Nowhere => {}
            }
        }
        true
    }

    pub(super) fn unfile(&mut self, id: Id, parent: Id, filed: Filed) {
        if let Some(all) = self.children_mut(parent) {
            match filed {
                Filed::Ready(finish) => _ = all.ready.remove(&(finish, id)),
                Filed::Waits(at) => _ = all.waiting.remove(&(at, id)),
                Filed::Nowhere => {}
            }
        }
    }

    pub(super) fn state(&self, id: Id, now: u64) -> State {
        let Some(node) = self.node(id) else {
            return State::Idle;
        };
        if !node.has_room() {
            return State::Idle;
        }
        let waits = match &node.kind {
            Kind::Leaf { .. } => None,
            Kind::Inner(all) => all.waiting.first().map(|&(at, _)| at),
        };
        match (self.first_weight(node), waits) {
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
    pub(super) fn first_weight<'a>(&'a self, mut node: &'a Node) -> Option<usize> {
        loop {
            match &node.kind {
                Kind::Leaf { head } => return *head,
                Kind::Inner(all) => node = self.node(all.ready.first()?.1)?,
            }
        }
    }
}

/// When all of these allow it.
pub(super) fn due(limits: &[Schedule], now: u64, weight: usize) -> Due<u64> {
    let wait = |limit: &Schedule| match limit.next_weighted(now, weight) {
        Due::Now => 0,
        // Readings wrap.
        Due::At(at) => at.wrapping_sub(now),
    };
    match limits.iter().map(wait).max() {
        None | Some(0) => Due::Now,
        Some(wait) => Due::At(now.wrapping_add(wait)),
    }
}
