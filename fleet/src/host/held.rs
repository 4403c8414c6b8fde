//! [`Held`]: the slots that a host holds, on the host's own clock.

use std::collections::VecDeque;

use crate::backend::Lease;

/// Slots of one lease that are not used yet: one at `first`, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where the lease's first slot was.
    pub(crate) begins: u64,
    pub(crate) first: u64,
    pub(crate) interval: u64,
    pub(crate) left: u32,
    /// The lease of which these are the last slots. None once it can't be given back.
    pub(crate) lease: Option<Lease>,
}

impl Span {
    /// The slots of a lease whose answer arrived at `now`: from then on and not from when it was given, so that no slot
    /// comes early, and each late by less than the round trip.
    pub(crate) fn arrived(now: u64, lease: Lease) -> Self {
        let first = now + lease.start.saturating_sub(lease.now);
        Self {
            begins: first,
            first,
            interval: lease.interval,
            left: lease.count,
            lease: Some(lease),
        }
    }

    /// How many are at `until` or before.
    fn by(&self, until: u64) -> u32 {
        match until.checked_sub(self.first) {
            None => 0,
            Some(_) if self.interval == 0 => self.left,
            Some(past) => u32::try_from(past / self.interval + 1)
                .unwrap_or(u32::MAX)
                .min(self.left),
        }
    }

    fn skip(&mut self, count: u32) {
        self.first += u64::from(count) * self.interval;
        self.left -= count;
    }

    /// Where the slot after its last would be.
    fn end(&self) -> u64 {
        self.first + u64::from(self.left) * self.interval
    }
}

/// In the order of the leases, which is that of time but for what round trips differ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    spans: VecDeque<Span>,
}

impl Held {
    pub(crate) fn push(&mut self, span: Span) {
        if span.left > 0 {
            self.spans.push_back(span);
        }
    }

    /// A slot that was taken and not used.
    pub(crate) fn push_front(&mut self, at: u64, count: u32) {
        if count > 0 {
            self.spans.push_front(Span {
                begins: at,
                first: at,
                interval: 0,
                left: count,
                lease: None,
            });
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.spans.iter().map(|span| u64::from(span.left)).sum()
    }

    /// The first slot.
    pub(crate) fn next(&self) -> Option<u64> {
        self.spans.front().map(|span| span.first)
    }

    /// Where the slot after the last would be.
    pub(crate) fn end(&self) -> Option<u64> {
        self.spans.back().map(Span::end)
    }

    /// Where the latest lease begins.
    pub(crate) fn begins(&self) -> Option<u64> {
        self.spans.back().map(|span| span.begins)
    }

    /// Takes up to `most` slots that are due. Says how many, and the time of the last.
    pub(crate) fn take_due(&mut self, now: u64, most: usize) -> (u32, Option<u64>) {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let (mut taken, mut last) = (0, None);
        while let Some(span) = self.spans.front_mut() {
            let count = span.by(now).min(most - taken);
            if count == 0 {
                break;
            }
            last = Some(span.first + u64::from(count - 1) * span.interval);
            span.skip(count);
            taken += count;
            if span.left == 0 {
                self.spans.pop_front();
            }
        }
        (taken, last)
    }

    /// Drops the slots before `time`. Says how many.
    pub(crate) fn drop_before(&mut self, time: u64) -> u32 {
        match time.checked_sub(1) {
            Some(until) => self.take_due(until, usize::MAX).0,
            None => 0,
        }
    }

    /// Takes the slots of the latest lease, if it can be given back.
    pub(crate) fn take_latest(&mut self) -> Option<Span> {
        self.spans.back()?.lease?;
        self.spans.pop_back()
    }

    /// Drops all. Says how many.
    pub(crate) fn clear(&mut self) -> u64 {
        let count = self.count();
        self.spans.clear();
        count
    }
}
