//! A node of a tree of limits, as those who are inside it hold it.

use std::sync::Arc;
use std::time::Duration;

use super::scheduler::Scheduler;
use super::tree::{Id, ROOT, Terms, Tree};
use crate::clock::Timebase;
use crate::error::StartError;
use crate::rate::Rate;

/// How many accounts may be inside each other.
const DEEPEST: usize = 64;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) scheduler: Arc<Scheduler>,
    pub(super) id: Id,
    /// What it is inside of. Never read, and needed as long as this is there.
    _parent: Option<Arc<Node>>,
    pub(super) limits: usize,
    /// For how long its limits make up lateness.
    pub(super) catch_up: Duration,
    /// Whether calls under way are counted, here or further up.
    pub(crate) counts_calls: bool,
    /// How many accounts are on the way to the root, this one included.
    depth: usize,
}

impl Node {
    /// The root of a tree.
    pub(super) fn root(clock: Timebase, manual: bool, terms: &Terms<'_>) -> Self {
        Self {
            scheduler: Arc::new(Scheduler::new(clock, manual, terms)),
            id: ROOT,
            _parent: None,
            limits: terms.limits.len(),
            catch_up: Duration::from_nanos(terms.catch_up),
            counts_calls: terms.at_once.is_some(),
            depth: 1,
        }
    }

    /// The root of a queue alone.
    pub(crate) fn of_one(clock: Timebase, manual: bool) -> Self {
        let terms = Terms {
            name: "",
            limits: &[],
            at_once: None,
            share: 1,
            priority: 0,
            aging: 0,
            catch_up: 0,
        };
        Self::root(clock, manual, &terms)
    }

    /// A node inside `parent`.
    pub(super) fn inside(parent: &Arc<Self>, terms: &Terms<'_>) -> Result<Self, StartError> {
        parent.can_be_used()?;
        let depth = parent.depth + 1;
        if depth > DEEPEST {
            return Err(StartError::Depth {
                depth,
                max: DEEPEST,
            });
        }
        Ok(Self {
            scheduler: Arc::clone(&parent.scheduler),
            id: parent.scheduler.add_inner(parent.id, terms),
            _parent: Some(Arc::clone(parent)),
            limits: terms.limits.len(),
            catch_up: Duration::from_nanos(terms.catch_up),
            counts_calls: terms.at_once.is_some() || parent.counts_calls,
            depth,
        })
    }

    /// What those inside it must know of the limits on the way to the root: the first rate of the nearest, and the smallest burst.
    pub(crate) fn told(&self) -> (Option<Rate>, usize) {
        let look = |tree: &Tree, _| (tree.rate(self.id), tree.smallest_burst(self.id));
        self.scheduler.with_tree(look)
    }

    /// Not in a forked child.
    pub(crate) fn can_be_used(&self) -> Result<(), StartError> {
        if self.scheduler.is_forked() {
            Err(StartError::Forked)
        } else {
            Ok(())
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.id != ROOT {
            self.scheduler.remove(self.id);
        }
    }
}
