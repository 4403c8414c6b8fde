//! [`Seen`]: which hosts have asked lately.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The highest priority.
pub const HIGHEST: u8 = 7;

/// Until when each host counts. Forgetting takes as long as there is to forget, however many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    until: BTreeMap<u64, One>,
    by_time: BTreeSet<(u64, u64)>,
    /// How many have each priority.
    bands: [u32; HIGHEST as usize + 1],
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct One {
    until: u64,
    priority: u8,
    label: Arc<str>,
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

    /// `host`, which people call `label`, counts until then. What is above the highest priority is the highest.
    pub fn ask(&mut self, host: u64, priority: u8, label: &Arc<str>, until: u64) {
        self.forget(host);
        let priority = priority.min(HIGHEST);
        let label = Arc::clone(label);
        let one = One {
            until,
            priority,
            label,
        };
        self.until.insert(host, one);
        self.bands[usize::from(priority)] += 1;
        self.by_time.insert((until, host));
    }

    fn forget(&mut self, host: u64) {
        if let Some(one) = self.until.remove(&host) {
            self.by_time.remove(&(one.until, host));
            self.bands[usize::from(one.priority)] -= 1;
        }
    }

    /// How many hosts have each priority.
    #[must_use]
    pub fn bands(&self) -> &[u32] {
        &self.bands
    }

    /// How many hosts are less important than one of `priority`.
    pub(super) fn below(&self, priority: u8) -> u32 {
        self.bands.iter().take(priority.into()).sum()
    }

    /// How many hosts have not the highest priority of those that are there.
    pub(super) fn kept_back(&self) -> u32 {
        let highest = self.bands.iter().rposition(|hosts| *hosts > 0);
        self.bands.iter().take(highest.unwrap_or(0)).sum()
    }

    /// How many priorities above `priority` somebody has.
    pub(super) fn bands_above(&self, priority: u8) -> u32 {
        let above = self.bands.iter().skip(usize::from(priority) + 1);
        above.map(|hosts| u32::from(*hosts > 0)).sum()
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
        self.until.get(&host).map(|one| one.until)
    }

    /// Each host, its priority, what it is called, and until when it counts.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u8, &str, u64)> {
        let all = self.until.iter();
        all.map(|(host, one)| (*host, one.priority, &*one.label, one.until))
    }
}
