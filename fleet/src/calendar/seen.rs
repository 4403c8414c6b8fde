//! [`Seen`]: which hosts have asked lately.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Until when each host counts. Forgetting takes as long as there is to forget, however many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    until: BTreeMap<u64, (u64, Arc<str>)>,
    by_time: BTreeSet<(u64, u64)>,
}

impl Seen {
    /// Forgets hosts that count until before `now`.
    pub(super) fn keep_from(&mut self, now: u64) {
        while let Some(&(until, host)) = self.by_time.first()
            && until < now
        {
            self.forget(host);
        }
    }

    /// `host`, which people call `label`, counts until then.
    pub fn ask(&mut self, host: u64, label: &Arc<str>, until: u64) {
        self.forget(host);
        self.until.insert(host, (until, Arc::clone(label)));
        self.by_time.insert((until, host));
    }

    fn forget(&mut self, host: u64) {
        if let Some((until, _)) = self.until.remove(&host) {
            self.by_time.remove(&(until, host));
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.until.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.until.is_empty()
    }

    /// Until when `host` counts.
    #[must_use]
    pub fn until(&self, host: u64) -> Option<u64> {
        self.until.get(&host).map(|(until, _)| *until)
    }

    /// Each host, what it is called, and until when it counts.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str, u64)> {
        let all = self.until.iter();
        all.map(|(host, (until, label))| (*host, &**label, *until))
    }
}
