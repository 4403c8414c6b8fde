//! Who goes next, where several queues count on the same limits: plain values and readings, no queues and no clock.
//!
//! Every limit is a [`Schedule`]. A release needs all limits of its queue and all that the queues share; it is counted on all of
//! them at once, by one owner, so that nothing is ever taken from one and missing on another.
//!
//! Of the queues whose own limits allow a release, the one that is furthest behind its share goes: start-time fair queuing
//! (P. Goyal, H. M. Vin, H. Cheng, 1996). The account's *virtual time* is the start tag of the latest release. A queue's start
//! tag is the later of the virtual time and its finish tag, and its finish tag moves to
//!
//! ```text
//!   finish = start + weight / share
//! ```
//!
//! A queue that was empty, or held back by limits of its own, comes back at the virtual time: it has no debt and no credit.
//! While two queues always have somebody who may go, what each is let through divided by its share never differs by more than
//! one release of each. Within a queue the line's order holds, and the queue whose turn it is waits for its permits rather
//! than let a lighter one of another queue by, so that no weight starves.

use std::collections::BTreeMap;

use apiqueue_core::{ChargeError, Due};

use crate::rate::Ticks;

pub(super) type Schedule = apiqueue_core::Schedule<u64>;

/// One whole permit of a queue with a share of 1, in virtual time.
const PERMIT: u128 = 1 << 32;

#[derive(Debug, Default)]
pub(super) struct Plan {
    shared: Vec<Schedule>,
    members: BTreeMap<u64, Member>,
    virtual_time: u128,
    /// Whose release was the latest thing to change the shared limits.
    latest: Option<u64>,
}

#[derive(Debug)]
struct Member {
    own: Vec<Schedule>,
    share: u32,
    finish: u128,
    /// What the first in its line costs.
    head: Option<usize>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Release the first of this member.
    Release(u64),
    /// Come back at this reading.
    At(u64),
    /// Come back when somebody has come, or a call has ended.
    Nothing,
}

impl Plan {
    pub(super) fn new(shared: impl Iterator<Item = Ticks>) -> Self {
        Self {
            shared: shared.map(Schedule::new).collect(),
            ..Self::default()
        }
    }

    /// `own` has at least one limit, which is the one that [`set_rate`](Self::set_rate) sets.
    pub(super) fn add(&mut self, id: u64, own: impl Iterator<Item = Ticks>, share: u32) {
        self.members.insert(
            id,
            Member {
                own: own.map(Schedule::new).collect(),
                share,
                finish: self.virtual_time,
                head: None,
            },
        );
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.members.remove(&id);
    }

    /// Notes what the first in line costs, if there is one.
    pub(super) fn head(&mut self, id: u64, weight: Option<usize>) {
        if let Some(member) = self.members.get_mut(&id) {
            member.head = weight;
        }
    }

    /// A member that has somebody in line.
    pub(super) fn somebody(&self) -> Option<u64> {
        let mut members = self.members.iter();
        members
            .find(|(_, member)| member.head.is_some())
            .map(|(&id, _)| id)
    }

    pub(super) fn head_of(&self, id: u64) -> Option<usize> {
        self.members.get(&id).and_then(|member| member.head)
    }

    pub(super) fn shared_count(&self) -> usize {
        self.shared.len()
    }

    pub(super) fn choose(&self, now: u64) -> Choice {
        let mut next: Option<u64> = None;
        let mut first: Option<(u128, u128, u64, usize)> = None;
        for (&id, member) in &self.members {
            let Some(weight) = member.head else { continue };
            match due(&member.own, now, weight) {
                Due::At(at) => next = Some(sooner(next, at, now)),
                Due::Now => {
                    let start = member.finish.max(self.virtual_time);
                    let candidate = (start, member.finish, id, weight);
                    first = Some(first.map_or(candidate, |other| other.min(candidate)));
                }
            }
        }
        let Some((_, _, id, weight)) = first else {
            return next.map_or(Choice::Nothing, Choice::At);
        };
        match due(&self.shared, now, weight) {
            Due::Now => Choice::Release(id),
            Due::At(at) => Choice::At(sooner(next, at, now)),
        }
    }

    /// Counts a release of `id` at `now`, which cost `weight` permits, on all its limits.
    pub(super) fn released(&mut self, id: u64, weight: usize, now: u64) {
        for limit in &mut self.shared {
            limit.take_weighted(now, weight);
        }
        self.latest = Some(id);
        if let Some(member) = self.members.get_mut(&id) {
            for limit in &mut member.own {
                limit.take_weighted(now, weight);
            }
            let start = member.finish.max(self.virtual_time);
            member.finish = start + PERMIT * weight as u128 / u128::from(member.share.max(1));
            self.virtual_time = start;
        }
    }

    /// The latest release of `id` did not lead to a call: its permits go back to where nothing else was counted since.
    pub(super) fn give_back(&mut self, id: u64, weight: usize) {
        if let Some(member) = self.members.get_mut(&id) {
            for limit in &mut member.own {
                limit.give_back_weighted(weight);
            }
        }
        if self.latest == Some(id) {
            for limit in &mut self.shared {
                limit.give_back_weighted(weight);
            }
            self.latest = None;
        }
    }

    pub(super) fn set_rate(&mut self, id: u64, now: u64, rate: Ticks) {
        if let Some(own) = self
            .members
            .get_mut(&id)
            .and_then(|member| member.own.first_mut())
        {
            own.set_rate(now, rate);
        }
    }

    /// False when there are not so many shared limits.
    pub(super) fn set_shared(&mut self, index: usize, now: u64, rate: Ticks) -> bool {
        self.latest = None;
        self.shared
            .get_mut(index)
            .map(|limit| limit.set_rate(now, rate))
            .is_some()
    }

    /// Whether all that a member's own limits can have in hand is there, and nobody waits.
    pub(super) fn is_rested(&self, id: u64, now: u64) -> bool {
        self.members.get(&id).is_some_and(|member| {
            member.head.is_none() && due(&member.own, now, usize::MAX) == Due::Now
        })
    }

    /// When a caller of `id` with so many permits ahead in its queue goes at the earliest.
    pub(super) fn estimate(&self, id: u64, ahead: usize, now: u64) -> Option<u64> {
        let own = &self.members.get(&id)?.own;
        own.iter()
            .chain(&self.shared)
            .map(|limit| limit.next_after(now, ahead))
            .try_fold(now, |latest, at| {
                let at = at?;
                Some(if wait(at, now) > wait(latest, now) {
                    at
                } else {
                    latest
                })
            })
    }

    /// Of one member, or of all.
    pub(super) fn hold_until(&mut self, id: Option<u64>, now: u64, until: u64) {
        self.of(id).for_each(|limit| limit.hold_until(now, until));
    }

    pub(super) fn resume(&mut self, id: Option<u64>, now: u64) {
        self.of(id).for_each(|limit| limit.resume(now));
    }

    fn of(&mut self, id: Option<u64>) -> impl Iterator<Item = &mut Schedule> {
        self.latest = None;
        let limits = match id {
            Some(id) => self.members.get_mut(&id).map(|member| &mut member.own),
            None => Some(&mut self.shared),
        };
        limits.into_iter().flatten()
    }

    /// On all limits of the member, or on none.
    pub(super) fn charge(&mut self, id: u64, permits: usize, now: u64) -> Result<(), ChargeError> {
        for limit in self.limits_of(id) {
            let mut tried = *limit;
            tried.charge(now, permits)?;
        }
        self.limits_of(id)
            .try_for_each(|limit| limit.charge(now, permits))
    }

    pub(super) fn refund(&mut self, id: u64, permits: usize, now: u64) {
        self.limits_of(id)
            .for_each(|limit| limit.refund(now, permits));
    }

    fn limits_of(&mut self, id: u64) -> impl Iterator<Item = &mut Schedule> {
        self.latest = None;
        let own = self.members.get_mut(&id).map(|member| &mut member.own);
        own.into_iter().flatten().chain(&mut self.shared)
    }
}

/// When all of these allow it.
fn due(limits: &[Schedule], now: u64, weight: usize) -> Due<u64> {
    let mut all = Due::Now;
    for limit in limits {
        if let Due::At(at) = limit.next_weighted(now, weight) {
            all = match all {
                Due::Now => Due::At(at),
                Due::At(other) if wait(at, now) > wait(other, now) => Due::At(at),
                later => later,
            };
        }
    }
    all
}

fn sooner(a: Option<u64>, b: u64, now: u64) -> u64 {
    match a {
        Some(a) if wait(a, now) < wait(b, now) => a,
        _ => b,
    }
}

/// Readings wrap.
fn wait(at: u64, now: u64) -> u64 {
    at.wrapping_sub(now)
}
