//! The children of a node that could go, and which of them does: by priority, and within one by their tags.

use std::collections::BTreeSet;

use super::Id;

/// One whole permit of a child with a share of 1, in virtual time.
const PERMIT: u128 = 1 << 32;

/// How many releases a priority is passed over at least, however long they take: where they are far apart the higher ones still go
/// first.
const PASSED_OVER: u32 = 3;

/// A child's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: Id,
    pub(super) priority: u8,
    pub(super) share: u32,
    pub(super) tag: u128,
}

#[derive(Debug, Default)]
pub(super) struct Ready {
    /// The highest priority first. Those that nobody had are not there.
    bands: Vec<Band>,
}

/// Those of one priority.
#[derive(Debug)]
struct Band {
    priority: u8,
    virtual_time: u128,
    /// By their tags.
    children: BTreeSet<(u128, Id)>,
    /// Of those together.
    shares: u64,
    /// When one went last, or when the first of them came.
    since: u64,
    /// How many of other priorities have gone since.
    passed_over: u32,
}

impl Ready {
    pub(super) fn is_empty(&self) -> bool {
        self.bands.iter().all(|band| band.children.is_empty())
    }

    /// Who goes next at `now`: of the highest priority, or of one that was passed over for as long as `aging`, and so often, the longest
    /// first.
    pub(super) fn first(&self, now: u64, aging: u64) -> Option<Id> {
        let mut bands = self.bands.iter().filter(|band| !band.children.is_empty());
        let top = bands.next()?;
        let aged = bands.filter(|band| {
            let is_over = now.saturating_sub(band.since) >= aging;
            is_over && band.passed_over >= PASSED_OVER
        });
        let band = aged.min_by_key(|band| band.since).unwrap_or(top);
        band.children.first().map(|&(_, id)| id)
    }

    /// Where one begins who could not go before, and whose tag was this.
    pub(super) fn begin(&self, priority: u8, tag: u128) -> u128 {
        let band = self.bands.iter().find(|band| band.priority == priority);
        band.map_or(tag, |band| tag.max(band.virtual_time))
    }

    pub(super) fn insert(&mut self, place: Place, now: u64) {
        let band = self.band(place.priority, now);
        if band.children.is_empty() {
            band.since = now;
            band.passed_over = 0;
        }
        band.children.insert((place.tag, place.id));
        band.shares += u64::from(place.share);
    }

    pub(super) fn remove(&mut self, place: Place) {
        let band = self
            .bands
            .iter_mut()
            .find(|band| band.priority == place.priority);
        if let Some(band) = band
            && band.children.remove(&(place.tag, place.id))
        {
            band.shares -= u64::from(place.share);
        }
    }

    /// Counts a release at `now` of a child that was at `place`, or was not ready. Its new tag.
    pub(super) fn released(
        &mut self,
        place: Place,
        is_ready: bool,
        weight: usize,
        now: u64,
    ) -> u128 {
        let cost = |share: u64| PERMIT * weight as u128 / u128::from(share.max(1));
        let share = u64::from(place.share);
        for band in &mut self.bands {
            band.passed_over = band.passed_over.saturating_add(1);
        }
        let band = self.band(place.priority, now);
        let (start, together) = if is_ready {
            (place.tag, band.shares)
        } else {
            (place.tag.max(band.virtual_time), band.shares + share)
        };
        band.virtual_time = start.max(band.virtual_time + cost(together));
        band.since = now;
        band.passed_over = 0;
        start + cost(share)
    }

    fn band(&mut self, priority: u8, now: u64) -> &mut Band {
        let at = self.bands.partition_point(|band| band.priority > priority);
        if self
            .bands
            .get(at)
            .is_none_or(|band| band.priority != priority)
        {
            let new = Band {
                priority,
                virtual_time: 0,
                children: BTreeSet::new(),
                shares: 0,
                since: now,
                passed_over: 0,
            };
            self.bands.insert(at, new);
        }
        &mut self.bands[at]
    }
}
