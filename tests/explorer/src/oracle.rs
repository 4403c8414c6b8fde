//! The independent judge: a plain list of waiters and plain counts of permits.
//!
//! Operations overlap. One that stands still may have taken effect or not, so the oracle keeps every account that is possible
//! (a [`Bucket`] each): with the effect and without, for every moment at which it may have come. What is seen strikes out the
//! accounts that do not allow it. *Too early* is what no account allows; *too late* is what every account calls late.

use crate::accounts::{ACCOUNTS, force};
use crate::bucket::{Bucket, Pace};
use crate::op::Op;
use crate::place::{Armed, Effect, Fate, Finding, Pending, Place};

/// The most waiters in a case.
pub const PLACES: usize = 24;
/// The most operations under way at once.
pub const ACTORS: usize = 4;

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
    pub(crate) spare: Vec<Bucket>,
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
    /// When an operation that tells the driver was over.
    pub(crate) told_driver: u32,
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
            told_driver: 0,
            glitched: false,
            lost: false,
            finding: None,
            sleep: None,
        }
    }

    /// The rate of a new queue.
    #[must_use]
    pub fn first_pace(&self) -> Pace {
        self.paces[0]
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
        self.told_driver = 0;
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
        let crowd = if op.joins() { self.crowd(actor) } else { 0 };
        self.pending[actor] = Some(Pending {
            op,
            effect,
            begin: self.event,
            place,
            stopped: false,
            stop: 0,
            stops: 0,
            burst: i64::MAX,
            superseded: false,
            crowd,
            rates: 0,
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
            pending.stop = self.event;
            pending.stops = pending.stops.saturating_add(1);
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
        self.look_at_crowd();
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
        if matches!(pending.op, Op::Drop(_) | Op::GiveBack(_)) {
            let others = self.claims();
            let buckets = self.accounts.iter_mut();
            buckets.for_each(|b| b.lose_ticks(2 * others));
        }
        if matches!(pending.op, Op::SetRate(_)) {
            let others = self.pending.iter_mut().flatten();
            others.for_each(|p| p.rates = p.rates.saturating_add(1));
        }
        // The stamp can be, after two changes of rate, the very one that was looked at before, and is then moved on by the rate
        // of then: what was in hand is lost, and nothing is owed. See the page of `pace`.
        if pending.rates >= 2 {
            self.accounts.iter_mut().for_each(Bucket::lose_all);
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
        // Who is refused a place does not look at the turn.
        let is_refused = matches!(pending.op, Op::Enter(_)) && came == Some(false);
        if (pending.stopped && pending.op.begins()) || (pending.op.completes() && !is_refused) {
            self.count_late();
        }
        if pending.stopped && self.stopped().next().is_none() {
            self.all_seen();
        }

        if pending.op.tells() {
            self.told_driver = self.event;
        }
        match pending.op {
            Op::Close => self.closed = Some(self.event),
            Op::Drain => self.drained = Some(self.event),
            _ => {}
        }
    }

    fn count_late(&mut self) {
        self.settle();
        for bucket in &mut self.accounts {
            bucket.count();
        }
    }

    /// Time goes on.
    pub fn tick(&mut self, by: i64) {
        self.event += 1;
        self.expand();
        let to = self.now + by;
        // What is under way may come about just when a hold ends, too.
        while let Some(end) = self
            .accounts
            .iter()
            .map(|b| b.hold)
            .filter(|&end| end > self.now && end < to)
            .min()
        {
            self.now = end;
            self.expand();
        }
        self.now = to;
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
        self.settle();
        for bucket in &mut self.accounts {
            bucket.give_back(weight, surely);
        }
        self.disturbances += 1;
    }
}
