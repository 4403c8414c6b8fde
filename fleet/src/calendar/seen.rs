//! [`Seen`]: which hosts have asked lately.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// When each host asked last. Forgetting takes as long as there is to forget, however many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    at: BTreeMap<u64, (u64, Arc<str>)>,
    by_time: BTreeSet<(u64, u64)>,
}

impl Seen {
    /// Forgets hosts seen before `since`, and those seen after `now`, by a clock that has stepped back.
    pub(super) fn keep(&mut self, since: u64, now: u64) {
        while let Some(&(at, host)) = self.by_time.first()
            && at < since
        {
            self.forget(host);
        }
        while let Some(&(at, host)) = self.by_time.last()
            && at > now
        {
            self.forget(host);
        }
    }

    /// `host`, which people call `label`, asks at `now`.
    pub fn ask(&mut self, host: u64, label: &Arc<str>, now: u64) {
        self.forget(host);
        self.at.insert(host, (now, Arc::clone(label)));
        self.by_time.insert((now, host));
    }

    fn forget(&mut self, host: u64) {
        if let Some((at, _)) = self.at.remove(&host) {
            self.by_time.remove(&(at, host));
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// When `host` asked last.
    #[must_use]
    pub fn at(&self, host: u64) -> Option<u64> {
        self.at.get(&host).map(|(at, _)| *at)
    }

    /// Each host, what it is called, and when it asked last.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str, u64)> {
        self.at
            .iter()
            .map(|(host, (at, label))| (*host, &**label, *at))
    }
}
