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
//! H. M. Vin, H. Cheng, 1996), at each node on its own. A child's tag moves with each release below it, and that of one who could
//! not go before starts at the node's *virtual time*:
//!
//! ```text
//!   tag          = tag + weight / share
//!   virtual time = max(the tag of who goes, virtual time + weight / the shares of all who could go)
//! ```
//!
//! The second part is that of WF²Q+ (J. C. R. Bennett, H. Zhang, 1997): it lets time go on though newcomers keep coming at it, which
//! would starve the others. A child that was empty, or held back by limits of its own, has neither debt nor credit. While two children
//! always have somebody who may go, what each is let through divided by its share never differs by more than one release of each.
//! Within a queue the line's order holds, and the child whose turn it is waits for its permits rather than let a lighter one of
//! another by, so that no weight starves.
//!
//! Children may have priorities: of those that could go the ones of the highest do, each priority with a virtual time of its own. One
//! that was passed over for as long as its node's *aging*, and by three releases, goes before, so that the lowest still moves.
//!
//! Each node keeps those of its children that could go in the order of their tags, and those that wait for a time in the order of that. So a release costs the depth
//! of the tree times the logarithm of the number of children.

mod control;
mod count;
mod order;
mod ready;
mod report;

use self::order::{Children, Filed, State};
use self::ready::Place;
use crate::clock::left;
use crate::rate::Rate;

pub use self::report::Bound;
pub(super) use self::report::Report;

pub(super) type Schedule = apiqueue_core::Schedule<u64>;

/// The number of a node. It is another's once the node is removed.
pub(crate) type Id = usize;

/// The one without a parent.
pub(super) const ROOT: Id = 0;

/// How far before the first reading times are counted from, so that a clock that falls back stays after it.
const BEFORE: u64 = 1 << 62;

#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Option<Node>>,
    unused: Vec<Id>,
    leaves: usize,
    /// Times are told as what has passed since this reading, as readings wrap.
    origin: u64,
    /// By which the latest release was counted.
    latest: u64,
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
    priority: u8,
    /// How long a priority among the children may be passed over, in nanoseconds.
    aging: u64,
    tag: u128,
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
    /// A higher one goes first.
    pub(crate) priority: u8,
    /// How long a priority inside it may be passed over, in nanoseconds.
    pub(crate) aging: u64,
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
            latest: now,
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
            priority: terms.priority,
            aging: terms.aging,
            tag: 0,
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
        self.unfile(node.place(id), node.parent, node.filed);
        if node.heads > 0 {
            self.each(node.parent, |above| {
                above.heads -= 1;
                if above.heads == 0 {
                    above.note_who_waits();
                }
            });
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
            self.came_back(leaf, returned, now);
        }
        if self.set_head(leaf, first) {
            self.refresh(leaf, now);
        }
    }

    pub(super) fn latest_reading(&self) -> u64 {
        self.latest
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
        self.settle(ROOT, now);
        match self.state(ROOT, now) {
            State::Idle => Choice::Nothing,
            State::Waits(at) => Choice::At(self.origin.wrapping_add(at)),
            State::Ready(weight) => Choice::Release(self.next_below(ROOT, now), weight),
        }
    }

    /// The leaf whose turn it is, of a node that is ready.
    fn next_below(&self, mut id: Id, now: u64) -> Id {
        while let Some(child) = self.node(id).and_then(|node| self.first_ready(node, now)) {
            id = child;
        }
        id
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

    fn place(&self, id: Id) -> Place {
        Place {
            id,
            priority: self.priority,
            share: self.share,
            tag: self.tag,
        }
    }

    fn has_room(&self) -> bool {
        self.at_once.is_none_or(|at_once| self.under_way < at_once)
    }
}
