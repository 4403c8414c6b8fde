//! [`State`]: the schedule of one limit.

use std::ops::RangeInclusive;

use super::MAX_MICROS;
use super::free::{Free, end};
use crate::backend::{Call, Slots, Terms};

/// The schedule of one limit. Microseconds of the backend's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// When it was made.
    pub born: u64,
    /// The latest reading of the clock.
    pub last: u64,
    /// No slot is granted before: leases of a state that was forgotten may be in use.
    pub quiet: u64,
    /// The next slot that was never granted.
    pub tat: u64,
    /// From one slot to the next.
    pub interval: u64,
    /// The number of the terms.
    pub epoch: u64,
    /// The number of the first terms with this interval, by this clock.
    pub tuned: u64,
    /// No slot is granted before; 0 for no hold.
    pub hold: u64,
    /// No slot before is granted to hosts that are kept back by more important ones.
    pub low: u64,
    /// Until when one of them waits for that slot.
    pub owed: u64,
    /// Slots before `tat` that nobody has.
    pub free: Free,
}

impl State {
    pub(super) fn new(now: u64, call: &Call) -> Self {
        let quiet = now.saturating_add(call.grace.min(MAX_MICROS));
        Self {
            born: now,
            last: now,
            quiet,
            tat: quiet,
            interval: call.known.interval.clamp(1, MAX_MICROS),
            epoch: call.known.epoch,
            tuned: 0,
            hold: hold_at(now, call.known.hold),
            low: 0,
            owed: 0,
            free: Free::default(),
        }
    }

    pub(super) fn terms(&self, now: u64) -> Terms {
        Terms {
            interval: self.interval,
            hold: self.hold.saturating_sub(now),
            epoch: self.epoch,
        }
    }

    /// The clock has stepped back. What was granted has other names now: none of it can be given back.
    pub(super) fn step_back(&mut self, now: u64) {
        let back = self.last - now;
        for time in [
            &mut self.quiet,
            &mut self.tat,
            &mut self.hold,
            &mut self.low,
            &mut self.owed,
        ] {
            *time = time.saturating_sub(back);
        }
        self.free.clear();
        self.raise(now);
        self.tuned = self.epoch;
    }

    /// Nothing is granted before.
    pub(super) fn opens(&self, now: u64) -> u64 {
        now.max(self.hold).max(self.quiet)
    }

    /// Somebody may know newer terms than a state that was lost, or has lost its last changes.
    pub(super) fn adopt(&mut self, now: u64, known: Terms) {
        if known.epoch > self.epoch {
            if self.retune(known.interval.clamp(1, MAX_MICROS)) {
                self.tuned = known.epoch;
            }
            self.hold = hold_at(now, known.hold);
            self.epoch = known.epoch;
        }
    }

    /// Up to `most` slots of the time before `now`, of as many as may gather, and whether there are more.
    pub(super) fn gather(&mut self, now: u64, burst: u32, most: u32) -> Option<(Slots, bool)> {
        let span = self
            .interval
            .saturating_mul(u64::from(burst.saturating_sub(1)));
        let first = self
            .tat
            .max(self.hold)
            .max(self.quiet)
            .max(now.saturating_sub(span));
        let past = now.saturating_sub(first).div_ceil(self.interval);
        let count = u32::try_from(past.min(u64::from(most))).unwrap_or(most);
        if count == 0 {
            return None;
        }
        self.tat = first.saturating_add(u64::from(count).saturating_mul(self.interval));
        let slots = Slots {
            first,
            count,
            step: self.interval,
        };
        Some((slots, past > u64::from(count)))
    }

    /// Slots of these times, after those that were granted.
    pub(super) fn grant(
        &mut self,
        mut granted: Vec<Slots>,
        now: u64,
        times: RangeInclusive<u64>,
        want: u32,
        spacing: u64,
    ) -> Vec<Slots> {
        let (mut from, until) = times.into_inner();
        let interval = self.interval;
        let is_dense = spacing <= interval;
        let mut left = want;
        while left > 0 {
            let most = if is_dense { left } else { 1 };
            let (taken, count) = (
                granted.len(),
                self.free.take(from, until, most, &mut granted),
            );
            if count == 0 {
                break;
            }
            left -= count;
            if !is_dense && let Some(slot) = granted.get(taken) {
                from = next_from(from, slot.first, spacing, interval);
            }
        }
        while left > 0 {
            let base = self.tat.max(self.opens(now));
            let passed = from.saturating_sub(base).div_ceil(interval);
            let first = base.saturating_add(passed.saturating_mul(interval));
            // What is beyond the numbers is no slot.
            let is_out = first > until || first.checked_add(interval).is_none();
            if is_out || passed > 0 && self.free.room() == 0 {
                break;
            }
            let most = if is_dense { left } else { 1 };
            let by_time = ((until - first) / interval).saturating_add(1);
            // Not above `left`.
            let count = u32::try_from(by_time.min(u64::from(most))).unwrap_or(most);
            if let Ok(gap) = u32::try_from(passed)
                && gap > 0
            {
                self.free.put(Slots {
                    first: base,
                    count: gap,
                    step: interval,
                });
            }
            granted.push(Slots {
                first,
                count,
                step: interval,
            });
            self.tat = first.saturating_add(u64::from(count).saturating_mul(interval));
            left -= count;
            from = next_from(from, first, spacing, interval);
        }
        joined(granted)
    }

    /// Says how many are free again.
    pub(super) fn take_back(&mut self, now: u64, slots: Slots) -> u32 {
        let now = now.max(self.quiet);
        let whole = end(&slots).filter(|_| slots.count > 0 && slots.step > 0);
        // The last of them is followed by an interval.
        let last = whole.map(|end| end - slots.step);
        let Some(last) = last.filter(|last| *last < self.tat) else {
            return 0;
        };
        if slots.step == self.interval {
            let past = now.saturating_sub(slots.first).div_ceil(slots.step);
            let Some(count) = u32::try_from(past)
                .ok()
                .and_then(|past| slots.count.checked_sub(past))
            else {
                return 0;
            };
            let first = slots.first + past * slots.step;
            return if count > 0
                && self.free_again(Slots {
                    first,
                    count,
                    ..slots
                }) {
                count
            } else {
                0
            };
        }
        let mut back = 0;
        let mut slot = last;
        for _ in 0..slots.count {
            let one = Slots {
                first: slot,
                count: 1,
                step: self.interval,
            };
            if slot < now || !self.free_again(one) {
                break;
            }
            back += 1;
            slot = slot.saturating_sub(slots.step);
        }
        back
    }

    fn free_again(&mut self, slots: Slots) -> bool {
        if end(&slots).is_none_or(|end| end > self.tat) || !self.free.put(slots) {
            return false;
        }
        while let Some(first) = self.free.pop_at(self.tat) {
            self.tat = first;
        }
        true
    }

    pub(super) fn set_hold(&mut self, now: u64, until: u64) {
        if until != self.hold && until.max(self.hold) > now {
            self.raise(now);
        }
        self.hold = until;
    }

    /// Says whether the interval is another one.
    pub(super) fn retune(&mut self, interval: u64) -> bool {
        if interval == self.interval {
            return false;
        }
        self.tat = self
            .tat
            .saturating_sub(self.interval)
            .saturating_add(interval);
        self.interval = interval;
        self.low = self.low.min(self.tat.saturating_add(self.low_interval()));
        self.free.clear();
        true
    }

    pub(super) fn raise(&mut self, now: u64) {
        self.epoch = now.max(self.epoch.saturating_add(1));
    }
}

fn hold_at(now: u64, span: u64) -> u64 {
    match span {
        0 => 0,
        span => now.saturating_add(span.min(MAX_MICROS)),
    }
}

/// From when on the slot after this one may be. As slots are an interval apart, they follow the spacing on average: each is less than an
/// interval later than it would be by itself.
fn next_from(from: u64, slot: u64, spacing: u64, interval: u64) -> u64 {
    let late = slot.saturating_add(spacing).saturating_sub(interval - 1);
    from.saturating_add(spacing).max(late)
}

/// The same slots in as few runs as can be.
fn joined(runs: Vec<Slots>) -> Vec<Slots> {
    let mut joined: Vec<Slots> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if last.count == 1 && run.count == 1 => {
                last.step = run.first - last.first;
                last.count = 2;
            }
            Some(last) if last.continues_with(run) => last.count += run.count,
            _ => joined.push(run),
        }
    }
    joined
}

impl Slots {
    /// Whether `next` begins where these would go on, with the same step.
    fn continues_with(&self, next: Slots) -> bool {
        end(self) == Some(next.first) && (next.count == 1 || next.step == self.step)
    }
}
