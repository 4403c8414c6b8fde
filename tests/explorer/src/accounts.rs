//! The accounts of permits that are possible: what is under way makes more of them, what is seen strikes some out.

use crate::bucket::{Bucket, Pace};
use crate::op::Op;
use crate::oracle::{ACTORS, Oracle};
use crate::place::{Effect, Pending};

/// The most accounts; with more the permits of the case are not judged.
pub(crate) const ACCOUNTS: usize = 64;

impl Oracle {
    /// Adds the accounts in which what is under way takes effect now.
    pub fn expand(&mut self) {
        let now = self.now;
        self.settle();
        self.begin_unseen();
        self.see_bursts();
        if self
            .pending
            .iter()
            .flatten()
            .all(|p| p.effect == Effect::None)
        {
            return;
        }
        let mut next = 0;
        while next < self.accounts.len() {
            let bucket = self.accounts[next];
            next += 1;
            for actor in 0..ACTORS {
                let Some(pending) = self.pending[actor] else {
                    continue;
                };
                if let Effect::Leap(by) = pending.effect {
                    let mut ahead = bucket;
                    ahead.settle(now + by, self.claims() > 0);
                    if !self.accounts.contains(&ahead) {
                        self.accounts.push(ahead);
                    }
                    continue;
                }
                if bucket.applied & (1 << actor) != 0 {
                    continue;
                }
                if pending.effect == Effect::Pass {
                    self.pass_unseen(bucket, actor);
                    continue;
                }
                // A resume goes by a reading from before it: from its begin, or from now.
                let since = match pending.effect {
                    Effect::Resume(since) if since < now && bucket.hold > now => Some(since),
                    _ => None,
                };
                for since in [Some(now), since].into_iter().flatten() {
                    self.take_effect(bucket, actor, pending, since);
                }
            }
            if self.accounts.len() > ACCOUNTS {
                self.lost = true;
                self.accounts.truncate(ACCOUNTS / 2);
                return;
            }
        }
    }

    /// Adds the account in which `actor`'s effect comes now, if it can.
    fn take_effect(&mut self, bucket: Bucket, actor: usize, pending: Pending, since: i64) {
        let claims = self.claims();
        // Two who set the rate may make each other start over, each time that one of them goes on.
        let pending_rates = self.pending.iter().flatten();
        let again = |p: &Pending| match p.op {
            Op::SetRate(_) => i64::from(p.stops.saturating_sub(1)) + i64::from(p.rates),
            _ => 0,
        };
        let (mut with, others) = (bucket, claims - 1 + pending_rates.map(again).sum::<i64>());
        let effect = match pending.effect {
            Effect::Rate(rate, _) => Effect::Rate(rate, others),
            Effect::Resume(_) => Effect::Resume(since),
            other => other,
        };
        if !apply(&mut with, effect, &self.paces, self.now, pending.stopped) {
            return;
        }
        match effect {
            Effect::Charge(_) | Effect::Refund(_) => with.lose_ticks(2 * others),
            Effect::Resume(_) if bucket.hold > self.now => with.lose_ticks((claims > 0).into()),
            _ => {}
        }
        with.applied |= 1 << actor;
        if !self.accounts.contains(&with) {
            self.accounts.push(with);
        }
    }

    /// For those who are refused as too heavy.
    fn see_bursts(&mut self) {
        let heavy = |p: &&mut Pending| matches!(p.op, Op::Enqueue(2..) | Op::Enter(2..));
        let least = self.accounts.iter().map(|b| b.pace.burst).min();
        for pending in self.pending.iter_mut().flatten().filter(heavy) {
            pending.burst = pending.burst.min(least.unwrap_or(i64::MAX));
        }
    }

    /// All accounts as of now.
    pub(crate) fn settle(&mut self) {
        let (now, meets_claim) = (self.now, self.claims() > 0);
        for bucket in &mut self.accounts {
            bucket.settle(now, meets_claim);
        }
    }

    /// How many are under way that claim the schedule's word. Each after the first may cost two ticks, and a hold that ends
    /// meanwhile one.
    pub(crate) fn claims(&self) -> i64 {
        let pending = self.pending.iter().flatten();
        pending.filter(|p| p.op.claims()).count() as i64
    }

    /// A thread that stands still may have begun a release that somebody else completes.
    fn begin_unseen(&mut self) {
        if !self.stopped().any(|p| p.op.begins()) {
            return;
        }
        let unpaced = self.stopped().any(|p| p.op == Op::Grant);
        let weights: Vec<i64> = self.heads(false).map(|place| place.weight).collect();
        for index in 0..self.accounts.len() {
            for &weight in &weights {
                let mut with = self.accounts[index];
                if with.unseen == 0 && (with.spend(weight, true) || unpaced) {
                    with.unseen = weight;
                    if !self.accounts.contains(&with) {
                        self.accounts.push(with);
                    }
                }
            }
        }
    }

    /// Nobody is in the middle of a release any more.
    pub(crate) fn all_seen(&mut self) {
        if self.accounts.iter().any(|b| b.unseen == 0) {
            self.accounts.retain(|b| b.unseen == 0);
        } else {
            self.accounts.iter_mut().for_each(|b| b.unseen = 0);
        }
    }

    /// A grant may have released a waiter whose enqueue stands still, so that it is not seen yet.
    fn pass_unseen(&mut self, bucket: Bucket, granting: usize) {
        for (actor, pending) in self.pending.iter().enumerate() {
            if let Some(Pending {
                op: Op::Enqueue(_) | Op::Enter(_),
                effect: Effect::Spend(weight),
                ..
            }) = *pending
                && bucket.applied & (1 << actor) == 0
            {
                let mut with = bucket;
                with.use_up(weight, true);
                with.applied |= 1 << actor | 1 << granting;
                if !self.accounts.contains(&with) {
                    self.accounts.push(with);
                }
            }
        }
    }

    pub(crate) fn tidy(&mut self) {
        self.spare.clear();
        for bucket in &self.accounts {
            if !self.spare.contains(bucket) {
                self.spare.push(*bucket);
            }
        }
        std::mem::swap(&mut self.spare, &mut self.accounts);
    }

    /// The clock is wrong from now on, for one operation.
    pub fn glitch(&mut self) {
        self.glitched = true;
        for bucket in &mut self.accounts {
            bucket.used_before = bucket.used;
        }
    }

    /// What was used at a reading that had fallen back counts from that reading, if nothing was used later than it: the queue
    /// had not seen the time that it fell back from.
    pub fn fall_back(&mut self, by: i64) {
        for index in 0..self.accounts.len() {
            let mut back = self.accounts[index];
            let ticks = by.min(self.now - back.used_before);
            if by > 0 && ticks > 0 {
                back.at -= ticks;
                back.settle(self.now, false);
                self.accounts.push(back);
            }
        }
    }

    pub(crate) fn use_permits(&mut self, weight: i64, later: bool) {
        self.expand();
        self.spare.clear();
        for &bucket in &self.accounts {
            let mut paid = bucket;
            if paid.unseen == weight {
                self.spare.push(Bucket { unseen: 0, ..paid });
            }
            if paid.spend(weight, later) {
                self.spare.push(paid);
            }
            for (actor, pending) in self.pending.iter().enumerate() {
                // Of a grant that meets others it is not promised that it releases no more than one.
                let granting = matches!(pending, Some(p) if p.effect == Effect::Pass
                    && (p.stopped || bucket.applied & (1 << actor) == 0));
                if granting {
                    let mut passed = bucket;
                    passed.use_up(weight, later);
                    passed.applied |= 1 << actor;
                    self.spare.push(passed);
                }
            }
        }
        if self.spare.is_empty() {
            if !self.lost {
                let now = self.now;
                let accounts = format!("{:?}", self.accounts);
                self.find("G2 too early", || {
                    format!("a waiter of weight {weight} was released at {now}: {accounts}")
                });
            }
            for bucket in &mut self.accounts {
                bucket.use_up(weight, later);
            }
        } else {
            std::mem::swap(&mut self.spare, &mut self.accounts);
            self.tidy();
        }
    }
}

/// Lets an effect come about, if it can.
fn apply(bucket: &mut Bucket, effect: Effect, paces: &[Pace], now: i64, later: bool) -> bool {
    match effect {
        Effect::None | Effect::Pass | Effect::Leap(_) => return false,
        Effect::Spend(weight) => return bucket.spend(weight, later),
        other => force(bucket, other, paces, now),
    }
    true
}

pub(crate) fn force(bucket: &mut Bucket, effect: Effect, paces: &[Pace], now: i64) {
    match effect {
        Effect::None | Effect::Leap(_) => {}
        Effect::Rate(rate, others) => bucket.set_rate(rate, paces[usize::from(rate)], others),
        Effect::Hold(until) => bucket.hold_until(until, now),
        Effect::Resume(since) => bucket.resume(now, since),
        Effect::Charge(permits) => bucket.use_up(permits, false),
        Effect::Refund(permits) => bucket.refund(permits),
        Effect::Spend(weight) => bucket.use_up(weight, false),
        Effect::Pass => bucket.use_up(1, false),
        Effect::Back(weight) => bucket.give_back(weight, false),
    }
}
