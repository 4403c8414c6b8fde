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
            Some(past) => u32::try_from(past / self.interval + 1)
                .unwrap_or(u32::MAX)
                .min(self.left),
        }
    }

    fn skip(&mut self, count: u32) {
        self.first += u64::from(count) * self.interval;
        self.left -= count;
    }

    /// Takes its last slots, `count` of them if there are so many.
    fn split_last(&mut self, count: u32) -> Self {
        let mut slots = *self;
        self.left -= count.min(self.left);
        slots.skip(self.left);
        slots
    }

    /// Its last slot, of one that is not empty.
    fn last(&self) -> u64 {
        self.end() - self.interval
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
    /// What the latest grant took, as long as that may be put back.
    taken: Vec<Span>,
    /// The latest slot that was used once more.
    again: Option<u64>,
}

impl Held {
    pub(crate) fn push(&mut self, span: Span) {
        if span.left > 0 {
            self.spans.push_back(span);
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
        let most = to_u32(most);
        let mut count = 0;
        let mut last = None;
        while let Some(part) = self.take_part(now, most - count) {
            if count == 0 {
                self.taken.clear();
            }
            count += part.left;
            last = Some(part.last());
            self.taken.push(part);
        }
        (count, last)
    }

    /// Up to `most` of the slots up to `until`, of the first lease.
    fn take_part(&mut self, until: u64, most: u32) -> Option<Span> {
        let span = self.spans.front_mut()?;
        let count = span.by(until).min(most);
        if count == 0 {
            return None;
        }
        let part = Span {
            left: count,
            lease: None,
            ..*span
        };
        span.skip(count);
        if span.left == 0 {
            self.spans.pop_front();
        }
        Some(part)
    }

    /// Puts the last `count` slots of the latest grant back, which nobody has used. Says how many these are.
    pub(crate) fn put_back(&mut self, count: usize) -> u32 {
        let mut back = 0;
        while let Some(part) = self.taken.last_mut() {
            let rest = to_u32(count) - back;
            if rest == 0 {
                break;
            }
            let slots = part.split_last(rest);
            back += slots.left;
            self.spans.push_front(slots);
            if part.left == 0 {
                self.taken.pop();
            }
        }
        back
    }

    /// Puts the latest slot used back, if it is not before `earliest` and was not put back so before. Says whether.
    pub(crate) fn put_back_used(&mut self, earliest: u64) -> bool {
        let last = self.taken.last().map(Span::last);
        let back = last.is_some_and(|last| last >= earliest && Some(last) > self.again);
        if back {
            self.again = last;
            self.put_back(1);
        }
        self.taken.clear();
        back
    }

    /// What was taken is not to be put back any more.
    pub(crate) fn keep_none(&mut self) {
        self.taken.clear();
    }

    /// Drops the slots before `time`. Says how many.
    pub(crate) fn drop_before(&mut self, time: u64) -> u64 {
        let mut dropped = 0;
        while let Some(until) = time.checked_sub(1)
            && let Some(part) = self.take_part(until, u32::MAX)
        {
            dropped += u64::from(part.left);
        }
        dropped
    }

    /// Takes the slots of the latest lease, if it can be given back.
    pub(crate) fn take_latest(&mut self) -> Option<Span> {
        self.spans.back()?.lease?;
        self.spans.pop_back()
    }

    /// Drops all, what was taken too. Says how many were held.
    pub(crate) fn clear(&mut self) -> u64 {
        let count = self.count();
        self.spans.clear();
        self.taken.clear();
        count
    }
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
