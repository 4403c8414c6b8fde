//! Who goes next, where queues count on limits that others count on too: plain values and readings, no queues and no clock.
//!
//! ```text
//!                 account            a node: its limits, and at most so many calls at once
//!                /       \
//!          region         region     nodes inside it
//!         /   |   \         |
//!       queue queue queue  queue     leaves: a queue's own limits, and what the first in its line costs
//! ```
//! A release needs all limits on the way from its leaf to the root. It is counted on all of them at once, by one owner, so that
//! nothing is ever taken from one and missing on another.
//!
//! Of the children of a node that could go, the one that is furthest behind its share goes: start-time fair queuing (P. Goyal,
//! H. M. Vin, H. Cheng, 1996), at each node on its own. A node's *virtual time* is the start tag of the latest release below it.
//! A child's start tag is the later of the virtual time and its finish tag, and its finish tag moves to
//!
//! ```text
//!   finish = start + weight / share
//! ```
//!
//! A child that was empty, or held back by limits of its own, comes back at the virtual time: it has no debt and no credit.
//! While two children always have somebody who may go, what each is let through divided by its share never differs by more
//! than one release of each. Within a queue the line's order holds, and the child whose turn it is waits for its permits rather
//! than let a lighter one of another by, so that no weight starves.
//!
//! Each node keeps those of its children that could go in the order of their finish tags (which is the order of their start tags,
//! with ties broken by who is further behind), and those that wait for a time in the order of that. So a release costs the depth
//! of the tree times the logarithm of the number of children.

mod control;
mod order;
mod report;

use apiqueue_core::Due;

use self::order::{Children, Filed, State, due};
use crate::rate::Rate;

pub(super) use self::report::Report;

pub(super) type Schedule = apiqueue_core::Schedule<u64>;

/// The number of a node. It is another's once the node is removed.
pub(crate) type Id = usize;

/// The one without a parent.
pub(super) const ROOT: Id = 0;

/// One whole permit of a child with a share of 1, in virtual time.
const PERMIT: u128 = 1 << 32;

/// How far before the first reading times are counted from, so that a clock that falls back stays after it.
const BEFORE: u64 = 1 << 62;

#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Option<Node>>,
    unused: Vec<Id>,
    leaves: usize,
    /// Times are told as what has passed since this reading, as readings wrap.
    origin: u64,
}

#[derive(Debug)]
struct Node {
    parent: Id,
    name: String,
    /// As they were told.
    rates: Vec<Rate>,
    /// One of each rate; of an unlimited one where there is none, so that there is something to hold.
    limits: Vec<Schedule>,
    /// How many leaves here and below have somebody in line.
    heads: usize,
    /// The end of the latest hold.
    held_until: Option<u64>,
    /// How many releases were counted.
    released: u64,
    share: u32,
    finish: u128,
    /// The leaf whose release was the latest thing to change the limits, and what that cost.
    latest: Option<(Id, usize)>,
    /// Where its parent has it.
    filed: Filed,
    /// How many calls may be under way below it, and how many are.
    at_once: Option<usize>,
    under_way: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Leaf {
        /// What the first in its line costs.
        head: Option<usize>,
    },
    Inner(Children),
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Release the first of this leaf, which costs so much.
    Release(Id, usize),
    /// Come back at this reading.
    At(u64),
    /// Come back when somebody has come, or a call has ended.
    Nothing,
}

/// What a node is made of.
pub(crate) struct Terms<'a> {
    pub(crate) name: &'a str,
    pub(crate) limits: &'a [Rate],
    pub(crate) at_once: Option<usize>,
    pub(crate) share: u32,
    /// For how long its limits make up lateness, in nanoseconds.
    pub(crate) catch_up: u64,
}

impl Tree {
    /// A tree of one node, at the first reading.
    pub(super) fn new(terms: &Terms<'_>, now: u64) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            unused: Vec::new(),
            leaves: 0,
            origin: now.wrapping_sub(BEFORE),
        };
        let _ = tree.add(ROOT, terms, Kind::Inner(Children::default()));
        tree
    }

    /// A node inside `parent`.
    pub(super) fn add_inner(&mut self, parent: Id, terms: &Terms<'_>) -> Id {
        self.add(parent, terms, Kind::Inner(Children::default()))
    }

    /// A queue inside `parent`. The first of its limits is the one that [`set_rate`](Self::set_rate) sets.
    pub(super) fn add_leaf(&mut self, parent: Id, terms: &Terms<'_>) -> Id {
        self.leaves += 1;
        self.add(parent, terms, Kind::Leaf { head: None })
    }

    fn add(&mut self, parent: Id, terms: &Terms<'_>, kind: Kind) -> Id {
        let unlimited = [Rate::unlimited()];
        let limits = if terms.limits.is_empty() {
            &unlimited
        } else {
            terms.limits
        };
        let node = Node {
            parent,
            name: terms.name.to_owned(),
            rates: terms.limits.to_vec(),
            heads: 0,
            held_until: None,
            released: 0,
            limits: limits
                .iter()
                .map(|rate| Schedule::new(rate.ticks()).catch_up(terms.catch_up))
                .collect(),
            share: terms.share,
            finish: self.children(parent).map_or(0, |all| all.virtual_time),
            latest: None,
            filed: Filed::Nowhere,
            at_once: terms.at_once,
            under_way: 0,
            kind,
        };
        match self.unused.pop() {
            Some(id) => {
                self.nodes[id] = Some(node);
                id
            }
            None => {
                self.nodes.push(Some(node));
                self.nodes.len() - 1
            }
        }
    }

    /// A node without children goes.
    pub(super) fn remove(&mut self, id: Id, now: u64) {
        let Some(node) = self.nodes.get_mut(id).and_then(Option::take) else {
            return;
        };
        if matches!(node.kind, Kind::Leaf { .. }) {
            self.leaves -= 1;
        }
        self.unfile(id, node.parent, node.filed);
        if node.heads > 0 {
            self.each(node.parent, |above| above.heads -= 1);
        }
        // The next to have this number is another.
        self.each(node.parent, |node| {
            _ = node.latest.take_if(|&mut (latest, _)| latest == id)
        });
        self.unused.push(id);
        self.refresh(node.parent, now);
    }

    /// Whether anybody is in line anywhere.
    pub(super) fn has_heads(&self) -> bool {
        self.node(ROOT).is_some_and(|root| root.heads > 0)
    }

    pub(super) fn leaves(&self) -> usize {
        self.leaves
    }

    /// Notes what the first in line of a leaf costs, if there is one, and how many permits came back of it.
    pub(super) fn look(&mut self, leaf: Id, first: Option<usize>, returned: usize, now: u64) {
        if returned > 0 {
            self.give_back(leaf, returned);
        }
        if self.set_head(leaf, first) || returned > 0 {
            self.refresh(leaf, now);
        }
    }

    fn set_head(&mut self, leaf: Id, first: Option<usize>) -> bool {
        let before = match self.node_mut(leaf).map(|node| &mut node.kind) {
            Some(Kind::Leaf { head }) => std::mem::replace(head, first),
            _ => return false,
        };
        match (before, first) {
            (None, Some(_)) => self.each(leaf, |node| node.heads += 1),
            (Some(_), None) => self.each(leaf, |node| {
                node.heads -= 1;
                if node.heads == 0 {
                    node.note_who_waits();
                }
            }),
            _ => {}
        }
        before != first
    }

    pub(super) fn has_head(&self, leaf: Id) -> bool {
        matches!(
            self.node(leaf).map(|node| &node.kind),
            Some(Kind::Leaf { head: Some(_) })
        )
    }

    /// Who goes next.
    pub(super) fn choose(&mut self, now: u64) -> Choice {
        self.wake_up(ROOT, now);
        match self.state(ROOT, now) {
            State::Idle => Choice::Nothing,
            State::Waits(at) => Choice::At(self.origin.wrapping_add(at)),
            State::Ready(weight) => Choice::Release(self.next_below(ROOT), weight),
        }
    }

    /// The leaf whose turn it is, of a node that is ready.
    fn next_below(&self, mut id: Id) -> Id {
        while let Some(&(_, child)) = self.children(id).and_then(|all| all.ready.first()) {
            id = child;
        }
        id
    }

    /// Whether one permit is free at a leaf in whose line nobody is, and nobody else could go before; else when it may be.
    pub(super) fn is_free(&self, leaf: Id, now: u64) -> Result<(), Option<u64>> {
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
    pub(super) fn released(&mut self, leaf: Id, weight: usize, first: Option<usize>, now: u64) {
        self.count(leaf, weight, now);
        self.set_head(leaf, first);
        self.each(leaf, Node::note_who_waits);
        self.refresh(leaf, now);
    }

    /// Counts a permit that somebody took at `now` where it [was free](Self::is_free). Nobody else on the way could go, so that no order
    /// changes.
    pub(super) fn passed(&mut self, leaf: Id, now: u64) {
        self.count(leaf, 1, now);
    }

    fn count(&mut self, leaf: Id, weight: usize, now: u64) {
        let mut id = leaf;
        while let Some(node) = self.node_mut(id) {
            for limit in &mut node.limits {
                limit.take_weighted(now, weight);
            }
            node.latest = Some((leaf, weight));
            node.released += 1;
            node.under_way += usize::from(node.at_once.is_some());
            let (parent, share, finish) = (node.parent, node.share, node.finish);
            if id == ROOT {
                return;
            }
            if let Some(all) = self.children_mut(parent) {
                let start = finish.max(all.virtual_time);
                all.virtual_time = start;
                let finish = start + PERMIT * weight as u128 / u128::from(share.max(1));
                if let Some(node) = self.node_mut(id) {
                    node.finish = finish;
                }
            }
            id = parent;
        }
    }

    /// A call of `leaf` is over.
    pub(super) fn call_ended(&mut self, leaf: Id, now: u64) {
        let mut id = leaf;
        while let Some(node) = self.node_mut(id) {
            node.under_way = node.under_way.saturating_sub(1);
            if id == ROOT {
                break;
            }
            id = node.parent;
        }
        self.refresh(leaf, now);
    }

    /// Permits of `leaf` come back: to those of its limits on which nothing else was counted since its latest release.
    fn give_back(&mut self, leaf: Id, permits: usize) {
        self.each(leaf, |node| {
            if let Some((_, weight)) = node.latest.take_if(|&mut (latest, _)| latest == leaf) {
                for limit in &mut node.limits {
                    limit.give_back_weighted(permits.min(weight));
                }
            }
        });
    }

    fn since(&self, at: u64) -> u64 {
        at.wrapping_sub(self.origin)
    }

    fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id)?.as_ref()
    }

    fn node_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(id)?.as_mut()
    }

    fn children(&self, id: Id) -> Option<&Children> {
        match &self.node(id)?.kind {
            Kind::Inner(all) => Some(all),
            Kind::Leaf { .. } => None,
        }
    }

    fn children_mut(&mut self, id: Id) -> Option<&mut Children> {
        match &mut self.node_mut(id)?.kind {
            Kind::Inner(all) => Some(all),
            Kind::Leaf { .. } => None,
        }
    }

    /// From a node to the root.
    fn path(&self, from: Id) -> impl Iterator<Item = Id> {
        std::iter::successors(Some(from), |&id| {
            self.node(id).filter(|_| id != ROOT).map(|node| node.parent)
        })
    }

    /// Each node from this one to the root.
    fn each(&mut self, mut id: Id, mut change: impl FnMut(&mut Node)) {
        while let Some(node) = self.node_mut(id) {
            change(node);
            if id == ROOT {
                break;
            }
            id = node.parent;
        }
    }
}

/// How long until a reading, 0 for one that is over. Readings wrap: more than half the range away means in the past.
fn left(at: u64, now: u64) -> u64 {
    let left = at.wrapping_sub(now);
    if left > u64::MAX / 2 { 0 } else { left }
}

impl Node {
    fn held_for(&self, now: u64) -> u64 {
        self.held_until.map_or(0, |until| left(until, now))
    }

    /// What is late for those who wait for the next permit is made up.
    fn note_who_waits(&mut self) {
        for limit in &mut self.limits {
            limit.is_waited_for(self.heads > 0);
        }
    }

    fn has_room(&self) -> bool {
        self.at_once.is_none_or(|at_once| self.under_way < at_once)
    }
}
