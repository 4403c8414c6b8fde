//! [`Free`]: slots before the end of what is granted that nobody has.

use crate::backend::Slots;

/// The most runs of free slots that are kept. A host that wants its slots spaced out leaves one run between any two of them.
pub const MAX_RUNS: usize = 64;

/// Runs of slots an interval apart, earlier ones first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Free {
    runs: Vec<Slots>,
}

impl Free {
    /// These runs, where they are in order, apart, and not too many.
    #[must_use]
    pub fn of(runs: Vec<Slots>, interval: u64) -> Option<Self> {
        let whole = |run: &Slots| run.count > 0 && run.step == interval && end(run).is_some();
        let apart = |pair: &[Slots]| end(&pair[0]).is_some_and(|end| end <= pair[1].first);
        let fits = runs.len() <= MAX_RUNS && runs.iter().all(whole);
        (fits && runs.windows(2).all(apart)).then_some(Self { runs })
    }

    /// The runs.
    #[must_use]
    pub fn runs(&self) -> &[Slots] {
        &self.runs
    }

    pub(super) fn room(&self) -> usize {
        MAX_RUNS - self.runs.len()
    }

    pub(super) fn clear(&mut self) {
        self.runs.clear();
    }

    /// The first slot at `from` or after.
    pub(super) fn first(&self, from: u64) -> Option<u64> {
        self.runs.iter().find_map(|run| at_or_after(run, from))
    }

    /// Slots before `now` are gone.
    pub(super) fn keep_from(&mut self, now: u64) {
        while let Some(run) = self.runs.first_mut() {
            let past = now.saturating_sub(run.first).div_ceil(run.step);
            match u32::try_from(past) {
                Ok(past) if past < run.count => {
                    skip(run, past);
                    return;
                }
                _ => drop(self.runs.remove(0)),
            }
        }
    }

    /// Takes up to `want` slots one after the other, from `from` to `until`.
    pub(super) fn take(&mut self, from: u64, until: u64, want: u32, into: &mut Vec<Slots>) -> u32 {
        let mut left = want;
        let mut at = 0;
        while left > 0 && at < self.runs.len() {
            let run = self.runs[at];
            let first = match at_or_after(&run, from) {
                Some(first) if first <= until => first,
                Some(_) => break,
                None => {
                    at += 1;
                    continue;
                }
            };
            let before = slots_between(&run, first);
            let by_time = ((until - first) / run.step).saturating_add(1);
            let count = u64::from(left.min(run.count - before)).min(by_time);
            // Not above `left`.
            let count = u32::try_from(count).unwrap_or(left);
            if before > 0 && before + count < run.count && self.runs.len() == MAX_RUNS {
                break;
            }
            self.split(at, before, count);
            into.push(Slots {
                first,
                count,
                step: run.step,
            });
            left -= count;
            at += usize::from(before > 0);
        }
        want - left
    }

    /// Takes `count` slots of the run at `at`, after the first `before`.
    fn split(&mut self, at: usize, before: u32, count: u32) {
        let mut after = self.runs[at];
        skip(&mut after, before + count);
        self.runs[at].count = before;
        if after.count > 0 {
            self.runs.insert(at + 1, after);
        }
        if before == 0 {
            self.runs.remove(at);
        }
    }

    /// Slots that are free again, after all others or in a gap between them. Says whether there was room: a run has less than 2^32 slots.
    pub(super) fn put(&mut self, slots: Slots) -> bool {
        let Some(end_of_slots) = end(&slots) else {
            return false;
        };
        let at = self.runs.partition_point(|run| run.first < slots.first);
        let before = at.checked_sub(1).map(|at| self.runs[at]);
        let after = self.runs.get(at).copied();
        if before
            .and_then(|run| end(&run))
            .is_some_and(|end| end > slots.first)
            || after.is_some_and(|run| run.first < end_of_slots)
        {
            return false;
        }
        let joins_before = before.filter(|run| end(run) == Some(slots.first));
        let joins_after = after.filter(|run| run.first == end_of_slots);
        let counts = [joins_before, joins_after].into_iter().flatten();
        let all = counts.map(|run| u64::from(run.count)).sum::<u64>();
        if u32::try_from(all + u64::from(slots.count)).is_err() {
            return false;
        }
        match (joins_before.is_some(), joins_after.is_some()) {
            (true, true) => {
                let after = self.runs.remove(at);
                self.runs[at - 1].count += slots.count + after.count;
            }
            (true, false) => self.runs[at - 1].count += slots.count,
            (false, true) => {
                self.runs[at].first = slots.first;
                self.runs[at].count += slots.count;
            }
            (false, false) if self.runs.len() < MAX_RUNS => self.runs.insert(at, slots),
            (false, false) => return false,
        }
        true
    }

    /// Takes the last run away, if it ends at `end`, and says where it began.
    pub(super) fn pop_at(&mut self, at: u64) -> Option<u64> {
        let last = *self.runs.last()?;
        (end(&last) == Some(at)).then(|| {
            self.runs.pop();
            last.first
        })
    }
}

/// Where the slot after the last would be.
pub(super) fn end(run: &Slots) -> Option<u64> {
    run.step
        .checked_mul(u64::from(run.count))?
        .checked_add(run.first)
}

/// The first slot of a run that is not before `from`.
fn at_or_after(run: &Slots, from: u64) -> Option<u64> {
    let past = from.saturating_sub(run.first).div_ceil(run.step);
    (past < u64::from(run.count)).then(|| run.first + past * run.step)
}

/// How many slots of a run are before `slot`, which is one of them.
fn slots_between(run: &Slots, slot: u64) -> u32 {
    u32::try_from((slot - run.first) / run.step).unwrap_or(u32::MAX)
}

fn skip(run: &mut Slots, count: u32) {
    run.first += u64::from(count) * run.step;
    run.count -= count;
}
