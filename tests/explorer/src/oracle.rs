//! The independent judge: a plain list of waiters and plain counts of permits.
//!
//! Operations overlap. One that stands still may have taken effect or not, so the oracle keeps every account that is possible
//! (a [`Bucket`] each): with the effect and without, for every moment at which it may have come. What is seen strikes out the
//! accounts that do not allow it. *Too early* is what no account allows; *too late* is what every account calls late.

use crate::bucket::{Bucket, Pace};
use crate::op::Op;
use crate::place::{Armed, Effect, Fate, Finding, Pending, Place};

/// The most waiters in a case.
pub const PLACES: usize = 24;
/// The most operations under way at once.
pub const ACTORS: usize = 4;
/// The most accounts; with more the permits of the case are not judged.
const ACCOUNTS: usize = 64;

/// What the driver that sleeps was told.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    /// When it wakes by itself.
    pub until: i64,
    /// The calls of its waker when it came.
    pub calls: u32,
    /// When it came, in counts of events.
    pub event: u32,
}

/// The judge of one case.
#[derive(Debug)]
pub struct Oracle {
    pub(crate) paces: Vec<Pace>,
    pub(crate) capacity: usize,
    /// The true time.
    pub now: i64,
    pub(crate) accounts: Vec<Bucket>,
    spare: Vec<Bucket>,
    /// The operations under way, outermost first.
    pub pending: [Option<Pending>; ACTORS],
    pub(crate) places: [Place; PLACES],
    /// How many waiters there are.
    pub count: usize,
    pub(crate) event: u32,
    pub(crate) disturbances: u32,
    /// A close, or a drain, has begun.
    pub ending: bool,
    /// When a close, or a drain, was over.
    pub(crate) closed: Option<u32>,
    pub(crate) drained: Option<u32>,
    /// The clock was wrong: nothing is too late any more.
    pub glitched: bool,
    /// More accounts than are kept: permits are not judged.
    pub lost: bool,
    /// The first thing that must not be.
    pub finding: Option<Finding>,
    pub(crate) sleep: Option<Sleep>,
}

const NOBODY: Place = Place {
    begin: 0,
    end: 0,
    weight: 1,
    fate: Fate::Left,
    told: false,
    armed: Armed::No,
    calls: 0,
    since: None,
    leaving: None,
};

impl Oracle {
    /// A judge of queues with these rates.
    pub fn new(paces: &[Pace], capacity: usize) -> Self {
        Self {
            paces: paces.to_vec(),
            capacity,
            now: 0,
            accounts: Vec::with_capacity(ACCOUNTS * 2),
            spare: Vec::with_capacity(ACCOUNTS * 2),
            pending: [None; ACTORS],
            places: [NOBODY; PLACES],
            count: 0,
            event: 0,
            disturbances: 0,
            ending: false,
            closed: None,
            drained: None,
            glitched: false,
            lost: false,
            finding: None,
            sleep: None,
        }
    }

    /// A new queue at `now`, at the first rate.
    pub fn reset(&mut self, now: i64) {
        self.now = now;
        self.accounts.clear();
        self.accounts.push(Bucket::new(now, 0, self.paces[0]));
        self.pending = [None; ACTORS];
        self.count = 0;
        self.event = 0;
        self.disturbances = 0;
        self.ending = false;
        self.closed = None;
        self.drained = None;
        self.glitched = false;
        self.lost = false;
        self.finding = None;
        self.sleep = None;
    }

    /// Writes down what must not be. The first counts.
    pub fn find(&mut self, kind: &'static str, what: impl FnOnce() -> String) {
        if self.finding.is_none() {
            self.finding = Some(Finding { kind, what: what() });
        }
    }

    /// The waiters.
    pub fn places(&self) -> &[Place] {
        &self.places[..self.count]
    }

    pub(crate) fn stopped(&self) -> impl Iterator<Item = &Pending> {
        self.pending.iter().flatten().filter(|p| p.stopped)
    }

    /// Whether a thread that stands still may be in the middle of what another waiter's permit depends on.
    fn disturbed(&self) -> bool {
        self.stopped().any(|p| p.op.disturbs())
    }

    /// An operation begins.
    pub fn begin(
        &mut self,
        actor: usize,
        op: Op,
        effect: Effect,
        place: Option<usize>,
        calls: u32,
    ) {
        self.event += 1;
        self.pending[actor] = Some(Pending {
            op,
            effect,
            begin: self.event,
            place,
            stopped: false,
            superseded: false,
            calls,
        });
        if let (Op::Drop(_), Some(place)) = (op, place) {
            self.places[place].leaving = Some(actor);
        }
        match op {
            Op::Close | Op::Drain => self.ending = true,
            Op::AdvanceWith => {
                // Only the one that leaves its waker last is told.
                self.sleep = None;
                for pending in self.pending.iter_mut().flatten() {
                    pending.superseded |= pending.begin != self.event;
                }
            }
            _ => {}
        }
        self.expand();
    }

    /// An operation stands still from now on.
    pub fn stop(&mut self, actor: usize) {
        self.event += 1;
        if let Some(pending) = &mut self.pending[actor] {
            pending.stopped = true;
            if pending.op.disturbs() {
                self.disturbances += 1;
            }
        }
    }

    /// An operation is over. Its effect came, did not come, or may have come.
    pub fn end(&mut self, actor: usize, came: Option<bool>) {
        self.event += 1;
        self.expand();
        let Some(pending) = self.pending[actor].take() else {
            return;
        };
        if pending.effect != Effect::None {
            let bit = 1 << actor;
            if let Some(came) = came {
                let kept = self
                    .accounts
                    .iter()
                    .filter(|b| (b.applied & bit != 0) == came)
                    .count();
                if kept > 0 {
                    self.accounts.retain(|b| (b.applied & bit != 0) == came);
                } else if !self.lost {
                    let now = self.now;
                    let accounts = format!("{:?}", self.accounts);
                    self.find("G2 not allowed now", || {
                        format!(
                            "{:?} at {now} {}, which no account allows: {accounts}",
                            pending.op,
                            if came { "took effect" } else { "took none" }
                        )
                    });
                    let paces = &self.paces;
                    for bucket in &mut self.accounts {
                        if came {
                            force(bucket, pending.effect, paces, now);
                        }
                    }
                }
            }
            for bucket in &mut self.accounts {
                bucket.applied &= !bit;
            }
            self.tidy();
        }
        let changes = matches!(
            pending.op,
            Op::SetRate(_)
                | Op::Hold(_)
                | Op::Resume
                | Op::Charge(_)
                | Op::Refund(_)
                | Op::Close
                | Op::GiveBack(_)
        );
        if changes || (pending.stopped && pending.op.disturbs()) {
            self.disturbances += 1;
        }
        if pending.stopped || pending.op.completes() {
            self.count_late();
        }
        if pending.stopped && self.stopped().next().is_none() {
            self.all_seen();
        }

        match pending.op {
            Op::Close => self.closed = Some(self.event),
            Op::Drain => self.drained = Some(self.event),
            _ => {}
        }
    }

    fn count_late(&mut self) {
        let now = self.now;
        for bucket in &mut self.accounts {
            if bucket.late != 0 {
                bucket.settle(now);
                bucket.count();
            }
        }
    }

    /// Adds the accounts in which what is under way takes effect now.
    pub fn expand(&mut self) {
        let now = self.now;
        for bucket in &mut self.accounts {
            bucket.settle(now);
        }
        self.begin_unseen();
        if self
            .pending
            .iter()
            .flatten()
            .all(|p| p.effect == Effect::None)
        {
            return;
        }
        let others = self.claims() - 1;
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
                    ahead.settle(now + by);
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
                let mut with = bucket;
                let effect = match pending.effect {
                    Effect::Rate(rate, _) => Effect::Rate(rate, others),
                    other => other,
                };
                if apply(&mut with, effect, &self.paces, now, pending.stopped) {
                    if matches!(effect, Effect::Charge(_) | Effect::Refund(_)) {
                        with.lose_ticks(others);
                    }
                    with.applied |= 1 << actor;
                    if !self.accounts.contains(&with) {
                        self.accounts.push(with);
                    }
                }
            }
            if self.accounts.len() > ACCOUNTS {
                self.lost = true;
                self.accounts.truncate(ACCOUNTS / 2);
                return;
            }
        }
    }

    /// How many are under way that claim the schedule's word. Each after the first may cost two ticks.
    pub(crate) fn claims(&self) -> i64 {
        let claims = |op| matches!(op, Op::SetRate(_) | Op::Charge(_) | Op::Refund(_));
        let pending = self.pending.iter().flatten();
        pending.filter(|p| claims(p.op)).count() as i64
    }

    /// A thread that stands still may have begun a release that somebody else completes.
    fn begin_unseen(&mut self) {
        let begins = |op| {
            matches!(
                op,
                Op::Advance | Op::AdvanceWith | Op::Enter(_) | Op::Grant | Op::Glitch { .. }
            )
        };
        if !self.stopped().any(|p| begins(p.op)) {
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

    fn tidy(&mut self) {
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
                back.settle(self.now);
                self.accounts.push(back);
            }
        }
    }

    /// Time goes on.
    pub fn tick(&mut self, by: i64) {
        self.event += 1;
        self.expand();
        self.now += by;
        self.expand();
    }

    /// A waiter is seen released. `by` is the operation that stands still in the middle of it, if one does.
    pub(crate) fn released(&mut self, index: usize, by: Option<usize>) {
        let place = self.places[index];
        for (other, ahead) in self.places().iter().enumerate() {
            if ahead.fate == Fate::Waiting && other != index && ahead.end < place.begin {
                self.find("G1 order", || {
                    format!("waiter {index} was released before waiter {other}, who came earlier")
                });
                break;
            }
        }
        let event = self.event;
        if let Some(closed) = self.closed {
            self.find("G10 released after close", || {
                format!("waiter {index} at event {event}; closed at {closed}")
            });
        }
        self.use_permits(place.weight, by.is_some());
        self.disturbances += 1;
        let place = &mut self.places[index];
        place.fate = Fate::Released;
        place.since = None;
        if by.is_none() && !self.disturbed() {
            self.places[index].since = Some(self.disturbances);
        }
    }

    fn use_permits(&mut self, weight: i64, later: bool) {
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

    /// A released waiter's permit may come back now; returns the effect to begin with.
    pub fn back(&self, index: usize) -> Effect {
        let place = self.places[index];
        if place.fate == Fate::Released {
            Effect::Back(place.weight)
        } else {
            Effect::None
        }
    }

    /// A permit has come back: surely, or perhaps.
    pub(crate) fn came_back(&mut self, index: usize, surely: bool) {
        let weight = self.places[index].weight;
        let now = self.now;
        for bucket in &mut self.accounts {
            bucket.settle(now);
            bucket.give_back(weight, surely);
        }
        self.disturbances += 1;
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

fn force(bucket: &mut Bucket, effect: Effect, paces: &[Pace], now: i64) {
    match effect {
        Effect::None | Effect::Leap(_) => {}
        Effect::Rate(rate, others) => bucket.set_rate(rate, paces[usize::from(rate)], others),
        Effect::Hold(until) => bucket.hold_until(until, now),
        Effect::Resume => bucket.resume(now),
        Effect::Charge(permits) => bucket.use_up(permits, false),
        Effect::Refund(permits) => bucket.refund(permits),
        Effect::Spend(weight) => bucket.use_up(weight, false),
        Effect::Pass => bucket.use_up(1, false),
        Effect::Back(weight) => bucket.give_back(weight, false),
    }
}
