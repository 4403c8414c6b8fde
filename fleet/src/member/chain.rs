//! [`Chain`]: a queue that several limits pace, each within the next one.
//!
//! The first in line takes a permit of each limit, one after the other, and goes when it has them all. Until then nobody takes a permit of
//! the limits that it has passed. So each queue has at most one permit of each limit in hand that it has not used, which is what a host's
//! releases exceed a limit's slots by at most. The limits further out are asked for no more than those further in let through.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use apiqueue::core::Next;
use apiqueue::{ChargeError, Permits, Rate, Waiters};

use super::calls::Taken;
use super::line::Line;
use super::{Member, SOON, end};
use crate::guarded::lock;

/// The queue's own limit first, and then those around it.
#[derive(Debug)]
pub(crate) struct Chain {
    members: Vec<Arc<Member>>,
    first: Mutex<First>,
    /// Where this was made.
    process: u32,
}

/// How far the first in line has come.
#[derive(Clone, Copy, Debug, Default)]
struct First {
    /// How many limits it has passed.
    passed: usize,
    /// What it costs at each.
    weight: usize,
}

/// Those in line, as the limit at `level` sees them.
struct Stage<'a> {
    waiters: &'a Waiters<'a>,
    first: &'a Cell<First>,
    level: usize,
    is_last: bool,
    returned: Cell<usize>,
}

impl Line for Stage<'_> {
    fn count(&self) -> usize {
        match self.level {
            0 => self.waiters.count(),
            // So many as the limits before let through.
            level => usize::from(self.first.get().passed >= level).min(self.waiters.count()),
        }
    }

    fn first_weight(&self) -> Option<usize> {
        (self.first.get().passed == self.level)
            .then(|| self.waiters.first_weight())
            .flatten()
    }

    fn release_first(&self) -> bool {
        let First { passed, weight } = self.first.get();
        if !self.is_last {
            let weight = match passed {
                0 => self.waiters.first_weight().unwrap_or(1),
                _ => weight,
            };
            let passed = passed + 1;
            self.first.set(First { passed, weight });
            return true;
        }
        let is_released = self.waiters.release(1) == 1;
        if is_released {
            self.first.set(First::default());
        }
        is_released
    }

    fn goes_one_at_a_time(&self) -> Option<bool> {
        Some(self.first.get().passed == self.level)
    }

    fn take_returned(&self) -> usize {
        self.returned.take()
    }

    fn are_over(&self) -> bool {
        self.waiters.are_over()
    }

    fn waker(&self) -> &Waker {
        self.waiters.waker()
    }

    fn has_waker(&self) -> bool {
        self.waiters.has_waker()
    }
}

impl Chain {
    /// At least one.
    pub(crate) fn new(members: Vec<Arc<Member>>) -> Self {
        Self {
            members,
            first: Mutex::default(),
            process: std::process::id(),
        }
    }

    /// The queue's own limit.
    fn own(&self) -> &Member {
        &self.members[0]
    }

    /// Where the first in line is not the one that has come so far any more, or a limit that it has passed is held since: what that one took
    /// is for the one that is, or goes back.
    fn look_at_first(&self, waiters: &Waiters<'_>, first: &Cell<First>) {
        let First { passed, weight } = first.get();
        let passed = &self.members[..passed];
        let is_held = passed.iter().any(|member| member.is_held());
        let now_first = waiters.first_weight();
        if !is_held && now_first == Some(weight) || passed.is_empty() {
            return;
        }
        first.set(First::default());
        for member in passed {
            let now = member.times.now();
            member.with_state(|state| match now_first {
                Some(_) if !is_held => state.saved += weight,
                _ => state.host.came_back(now, 1),
            });
        }
    }

    fn serve(
        &self,
        waiters: &Waiters<'_>,
        taken: &mut [Taken<'_>],
        first: &Cell<First>,
    ) -> Next<u64> {
        let last = self.members.len() - 1;
        loop {
            self.look_at_first(waiters, first);
            let before = first.get().passed;
            let returned = waiters.take_returned();
            let mut next = None;
            let mut has_released = false;
            for (level, (member, taken)) in self.members.iter().zip(&mut *taken).enumerate() {
                let stage = Stage {
                    waiters,
                    first,
                    level,
                    is_last: level == last,
                    returned: Cell::new(returned),
                };
                let reached = first.get().passed;
                let at = member.serve(&stage, &mut taken.calls);
                has_released |= level == last && reached == last && first.get().passed == 0;
                next = Some(next.map_or(at, |next| earlier(next, at)));
            }
            if !has_released && first.get().passed == before {
                return next.unwrap_or(Next::Closed);
            }
        }
    }
}

/// When to come back for both.
fn earlier(one: Next<u64>, other: Next<u64>) -> Next<u64> {
    match (one, other) {
        (Next::At(one), Next::At(other)) => {
            // Readings wrap.
            let is_first = other.wrapping_sub(one) <= u64::MAX / 2;
            Next::At(if is_first { one } else { other })
        }
        (Next::Closed, next) | (next, Next::Closed) => next,
        (Next::At(at), _) | (_, Next::At(at)) => Next::At(at),
        (one, _) => one,
    }
}

impl Permits for Chain {
    fn give(&self, waiters: &Waiters<'_>) -> Next<u64> {
        let own = self.own();
        if own.is_forked() || own.times.are_over() {
            return end(waiters.are_over());
        }
        let soon = || Next::At(own.times.reading(own.times.now() + SOON));
        let places = self.members.iter();
        let taken = places.map(|member| Taken::from(&member.calls, member.process));
        let Some(mut taken) = taken.collect::<Option<Vec<_>>>() else {
            return soon();
        };
        // Nobody else has it while the calls are taken.
        let first =
            Cell::new(lock(&self.first, self.process).map_or_else(First::default, |first| *first));
        let next = self.serve(waiters, &mut taken, &first);
        if let Some(mut kept) = lock(&self.first, self.process) {
            *kept = first.get();
        }
        #[cfg(feature = "metrics")]
        for member in &self.members {
            member.tell_metrics();
        }
        next
    }

    fn try_take(&self, returned: usize) -> Result<u64, Option<u64>> {
        let mut at = Err(None);
        for (taken, member) in self.members.iter().enumerate() {
            at = member.try_take(returned);
            if at.is_err() {
                for member in &self.members[..taken] {
                    let now = member.times.now();
                    member.with_state(|state| state.host.came_back(now, 1));
                }
                break;
            }
        }
        at
    }

    fn rate(&self) -> Option<Rate> {
        self.own().rate()
    }

    fn set_rate(&self, rate: Rate) {
        self.own().set_rate(rate);
    }

    fn hold(&self, nanos: u64) {
        self.own().hold(nanos);
    }

    fn resume(&self) {
        self.own().resume();
    }

    fn charge(&self, permits: usize) -> Result<(), ChargeError> {
        for (charged, member) in self.members.iter().enumerate() {
            if let Err(why) = member.charge(permits) {
                for member in &self.members[..charged] {
                    member.refund(permits);
                }
                return Err(why);
            }
        }
        Ok(())
    }

    fn refund(&self, permits: usize) {
        for member in &self.members {
            member.refund(permits);
        }
    }

    fn estimate(&self, ahead: usize) -> Option<u64> {
        let all = self.members.iter().map(|member| member.estimate(ahead));
        // None of one that is known to let nobody through makes it unknown.
        all.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    fn is_rested(&self) -> bool {
        self.members.iter().all(|member| member.is_rested())
    }
}
