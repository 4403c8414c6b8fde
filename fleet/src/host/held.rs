//! [`Held`]: the slots that a host holds, on the host's own clock.

use crate::backend::{Reply, Slots};

/// Slots that are not used yet, and how to tell the backend of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    slots: Slots,
    /// The backend's clock less this host's, wrapping.
    ahead: u64,
    /// The backend's state that granted them, and its terms.
    born: u64,
    epoch: u64,
}

impl Span {
    fn one(self, at: u64) -> Self {
        Self {
            slots: Slots {
                first: at,
                count: 1,
                ..self.slots
            },
            ..self
        }
    }

    fn first(&self) -> u64 {
        self.slots.first
    }

    fn last(&self) -> u64 {
        self.first() + u64::from(self.slots.count.saturating_sub(1)) * self.slots.step
    }

    fn skip(&mut self, count: u32) {
        self.slots.first += u64::from(count) * self.slots.step;
        self.slots.count -= count;
    }

    /// How many are before `time`.
    fn before(&self, time: u64) -> u32 {
        if self.slots.step == 0 {
            return if self.first() < time {
                self.slots.count
            } else {
                0
            };
        }
        let past = time.saturating_sub(self.first()).div_ceil(self.slots.step);
        u32::try_from(past)
            .unwrap_or(u32::MAX)
            .min(self.slots.count)
    }
}

/// Slots to give back, on the backend's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) born: u64,
    pub(crate) epoch: u64,
    pub(crate) slots: Vec<Slots>,
    pub(crate) count: u64,
}

impl Offer {
    /// Together with what was offered before, where it is of the same state; the rest is lost.
    pub(crate) fn with(mut self, before: Option<Self>) -> (Self, u64) {
        let Some(before) = before else {
            return (self, 0);
        };
        if before.born != self.born {
            return (self, before.count);
        }
        self.epoch = self.epoch.min(before.epoch);
        self.count += before.count;
        self.slots.extend(before.slots);
        self.slots.sort_by_key(|slots| slots.first);
        (self, 0)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    spans: Vec<Span>,
    /// What the latest grant took, one by one, as long as that may be put back.
    taken: Vec<Span>,
    /// The latest slot that was used once more.
    again: Option<u64>,
    /// Where the latest lease begins.
    begins: u64,
    /// Where the slot after its last would be.
    ends: u64,
}

impl Held {
    /// The slots of an answer that arrived at `now`: from then on and not from when it was given, so that no slot comes early, and each
    /// late by less than the round trip.
    pub(crate) fn push(&mut self, now: u64, reply: &Reply) {
        let ahead = reply.now.wrapping_sub(now);
        for (at, slots) in reply.slots.iter().enumerate() {
            let past = reply.now.saturating_sub(slots.first).div_ceil(slots.step);
            let past = u32::try_from(past).unwrap_or(u32::MAX).min(slots.count);
            // Those that had gathered are due now, all of them: they may be older than this host's clock.
            let gathered = Slots {
                first: now,
                count: past,
                step: 0,
            };
            let to_come = slots.first + u64::from(past) * slots.step;
            let rest = Slots {
                first: to_come.wrapping_sub(ahead),
                count: slots.count - past,
                step: slots.step,
            };
            if at == 0 {
                self.begins = if past > 0 { now } else { rest.first };
            }
            self.ends = rest.first + u64::from(rest.count) * rest.step;
            let parts = [gathered, rest].into_iter().filter(|part| part.count > 0);
            self.spans.extend(parts.map(|slots| Span {
                slots,
                ahead,
                born: reply.born,
                epoch: reply.terms.epoch,
            }));
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.spans
            .iter()
            .map(|span| u64::from(span.slots.count))
            .sum()
    }

    /// The first slot.
    pub(crate) fn next(&self) -> Option<u64> {
        self.spans.iter().map(Span::first).min()
    }

    /// The slot that the `ahead`th from now gets, if so many are held.
    pub(crate) fn nth(&self, ahead: u64) -> Option<u64> {
        let mut left = ahead;
        let mut spans = self.spans.clone();
        while let Some(at) = earliest(&spans) {
            let until = (0..spans.len()).filter(|other| *other != at);
            let until = until.map(|other| spans[other].first()).min();
            let block = until.map_or(spans[at].slots.count, |until| {
                spans[at].before(until).max(1)
            });
            if left < u64::from(block) {
                return Some(spans[at].first() + left * spans[at].slots.step);
            }
            left -= u64::from(block);
            spans[at].skip(block);
            if spans[at].slots.count == 0 {
                spans.swap_remove(at);
            }
        }
        None
    }

    /// The last slot.
    pub(crate) fn last(&self) -> Option<u64> {
        self.spans.iter().map(Span::last).max()
    }

    /// Where the slot after the last would be.
    pub(crate) fn end(&self) -> Option<u64> {
        self.spans
            .iter()
            .map(|span| span.last() + span.slots.step)
            .max()
    }

    /// Where the latest lease begins.
    pub(crate) fn begins(&self) -> u64 {
        self.begins
    }

    /// Where the slot after the last of the latest lease would be.
    pub(crate) fn ends(&self) -> u64 {
        self.ends
    }

    /// Takes up to `most` slots that are due, not before `from`. Says how many, and the time of the last.
    pub(crate) fn take_due(&mut self, now: u64, most: usize) -> (usize, Option<u64>) {
        let mut count = 0;
        let mut last = None;
        while count < most
            && let Some(at) = earliest(&self.spans)
            && self.spans[at].first() <= now
        {
            if count == 0 {
                self.taken.clear();
            }
            let span = &mut self.spans[at];
            let slot = span.first();
            self.taken.push(span.one(slot));
            span.skip(1);
            if span.slots.count == 0 {
                self.spans.swap_remove(at);
            }
            count += 1;
            last = Some(slot);
        }
        (count, last)
    }

    /// Puts the last `count` slots of the latest grant back, which nobody has used. Says how many these are.
    pub(crate) fn put_back(&mut self, count: usize) -> usize {
        let from = self.taken.len().saturating_sub(count);
        let back = self.taken.len() - from;
        for one in self.taken.split_off(from).into_iter().rev() {
            let goes_on = |span: &&mut Span| {
                let (before, step) = (span.first().checked_sub(span.slots.step), span.slots.step);
                before == Some(one.first()) && (span.ahead, step) == (one.ahead, one.slots.step)
            };
            match self.spans.iter_mut().find(goes_on) {
                Some(span) => {
                    span.slots.first = one.first();
                    span.slots.count += 1;
                }
                None => self.spans.push(one),
            }
        }
        back
    }

    /// Puts the latest slot used back, if it is not before `earliest` and was not put back so before. Says whether.
    pub(crate) fn put_back_used(&mut self, earliest: u64) -> bool {
        let last = self.taken.last().map(Span::first);
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
        self.spans.retain_mut(|span| {
            let count = span.before(time);
            dropped += u64::from(count);
            span.skip(count);
            span.slots.count > 0
        });
        dropped
    }

    /// Drops the slots of states other than `born` at `until` or after: that state may have granted them again. Says how many.
    pub(crate) fn drop_others(&mut self, born: u64, until: u64) -> u64 {
        let mut dropped = 0;
        self.spans.retain_mut(|span| {
            if span.born != born {
                let kept = span.before(until);
                dropped += u64::from(span.slots.count - kept);
                span.slots.count = kept;
            }
            span.slots.count > 0
        });
        dropped
    }

    /// Takes all: what the state `born` has granted, to give it back, and how many are of another. What was taken is not to be put back any
    /// more.
    pub(crate) fn take_all(&mut self, born: u64) -> (Offer, u64) {
        self.taken.clear();
        let mut lost = 0;
        let mut offer = Offer {
            born,
            epoch: u64::MAX,
            slots: Vec::new(),
            count: 0,
        };
        for span in std::mem::take(&mut self.spans) {
            let count = u64::from(span.slots.count);
            // The backend knows those that had gathered by other times.
            if span.born != born || span.slots.step == 0 {
                lost += count;
                continue;
            }
            offer.count += count;
            offer.epoch = offer.epoch.min(span.epoch);
            offer.slots.push(Slots {
                first: span.first().wrapping_add(span.ahead),
                ..span.slots
            });
        }
        offer.slots.sort_by_key(|slots| slots.first);
        (offer, lost)
    }

    /// Drops all, what was taken too. Says how many were held.
    pub(crate) fn clear(&mut self) -> u64 {
        let count = self.count();
        self.spans.clear();
        self.taken.clear();
        count
    }
}

/// The place of the span whose first slot is the earliest.
fn earliest(spans: &[Span]) -> Option<usize> {
    (0..spans.len()).min_by_key(|at| spans[*at].first())
}
