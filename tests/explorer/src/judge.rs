//! What the oracle makes of what is seen: after each operation, and at the end.

use crate::op::Op;
use crate::oracle::{Oracle, PLACES};
use crate::place::{Armed, Effect, Fate, Place};
use apiqueue_core_stepped::Status;

/// What a driver was told, in plain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// To come back then.
    At(i64),
    /// When something is enqueued.
    OnEnqueue,
    /// Never.
    Closed,
}

impl Oracle {
    /// Looks at all waiters. `by` is the actor that has just come to a stand, if one has.
    pub fn observe(&mut self, seen: &[Status; PLACES], calls: &[u32; PLACES], by: Option<usize>) {
        for index in 0..self.count {
            let place = self.places[index];
            if place.fate != Fate::Waiting {
                continue;
            }
            let own = by.is_some() && place.leaving == by;
            match seen[index] {
                Status::Waiting => {}
                Status::Released if !own => {}
                // Its actor has taken it out of line, and its place may even be free again.
                _ if own => self.places[index].fate = Fate::Left,
                _ if self.ending && self.was_closing() => self.places[index].fate = Fate::Closed,
                other => self.find("G4 status", || format!("waiter {index} says {other:?}")),
            }
        }
        for index in 0..self.count {
            if self.places[index].fate == Fate::Waiting && seen[index] == Status::Released {
                self.released(index, by);
            }
        }
        for index in 0..self.count {
            self.check_waker(index, calls[index]);
        }
    }

    fn was_closing(&self) -> bool {
        self.closed.is_some() || self.pending.iter().flatten().any(|p| p.op == Op::Close)
    }

    fn check_waker(&mut self, index: usize, calls: u32) {
        let place = self.places[index];
        let made = calls.wrapping_sub(place.calls);
        let allowed = match (place.armed, place.fate) {
            (Armed::No | Armed::Perhaps, _) => return,
            (Armed::Never, _) | (Armed::Yes, Fate::Waiting) => 0,
            (Armed::Yes, _) => 1,
        };
        if made > allowed {
            self.find("G6 stale or double wake", || {
                format!(
                    "waiter {index} ({:?}) was woken {made} times, {allowed} allowed",
                    place.fate
                )
            });
        }
    }

    /// The rate that the queue says it has.
    pub fn see_rate(&mut self, matches: impl Fn(usize) -> bool) {
        if self.lost {
            return;
        }
        if self.accounts.iter().any(|b| matches(usize::from(b.rate))) {
            // One that stands still takes effect at the reading that it has taken, though the rate is seen only later.
            let mut pending = self.pending.iter().flatten();
            if pending.all(|p| !matches!(p.effect, Effect::Rate(..))) {
                self.accounts.retain(|b| matches(usize::from(b.rate)));
            }
            return;
        }
        let known = (0..self.paces.len()).find(|&rate| matches(rate));
        let rates: Vec<u8> = self.accounts.iter().map(|b| b.rate).collect();
        match known {
            None => self.find("G2 a rate that nobody set", || {
                format!("expected one of {rates:?}")
            }),
            Some(rate) => self.find("G11 not the rate that was set", || {
                format!("{rate}, expected one of {rates:?}")
            }),
        }
    }

    /// A waiter is there. Returns its number.
    pub fn joined(&mut self, actor: usize, weight: i64, status: Status) {
        let Some(pending) = self.pending[actor] else {
            return;
        };
        if self
            .closed
            .or(self.drained)
            .is_some_and(|end| end < pending.begin)
        {
            self.find("G10 a place after the end", || format!("{:?}", pending.op));
        }
        let index = self.count;
        self.count += 1;
        self.places[index] = Place {
            begin: pending.begin,
            end: self.event + 1,
            weight,
            fate: Fate::Waiting,
            told: false,
            armed: Armed::No,
            calls: 0,
            since: None,
            leaving: None,
        };
        if pending.effect != Effect::None {
            self.end(actor, Some(status == Status::Released));
        } else {
            self.end(actor, None);
        }
        match status {
            Status::Waiting => {}
            Status::Closed => self.places[index].fate = Fate::Closed,
            Status::Released => {
                let place = self.places[index];
                let jumped = self
                    .places()
                    .iter()
                    .any(|p| p.fate == Fate::Waiting && p.end < place.begin);
                if jumped {
                    self.find("G1 order", || {
                        format!("waiter {index} was released before one who came earlier")
                    });
                }
                self.disturbances += 1;
                self.places[index].fate = Fate::Released;
                if !pending.stopped && self.stopped().all(|p| !p.op.disturbs()) {
                    self.places[index].since = Some(self.disturbances);
                }
            }
        }
        let waiting = self
            .places()
            .iter()
            .filter(|p| p.fate == Fate::Waiting)
            .count();
        if waiting > self.capacity {
            let capacity = self.capacity;
            self.find("G12 above capacity", || {
                format!("{waiting} wait in a ring of {capacity}")
            });
        }
    }

    /// Somebody was told that the ring is full.
    pub fn refused_full(&mut self, actor: usize) {
        let crowd = self.pending[actor].map_or(0, |p| p.crowd);
        let crowd = crowd.max(self.crowd(actor));
        if crowd < self.capacity {
            self.find("G12 full too soon", || {
                format!("never more than {crowd} places were taken")
            });
        }
    }

    /// What those who want a place would find taken now.
    pub(crate) fn look_at_crowd(&mut self) {
        for actor in 0..self.pending.len() {
            if self.pending[actor].is_some_and(|p| p.op.joins()) {
                let crowd = self.crowd(actor);
                if let Some(pending) = &mut self.pending[actor] {
                    pending.crowd = pending.crowd.max(crowd);
                }
            }
        }
    }

    /// How many places may be taken at this moment: by those who wait, by those who have left with others behind them, and one
    /// by each other operation under way.
    pub(crate) fn crowd(&self, actor: usize) -> usize {
        let waits = || self.places().iter().filter(|p| p.fate == Fate::Waiting);
        let others = || {
            let pending = self.pending.iter().enumerate();
            pending.filter_map(move |(other, p)| p.as_ref().filter(|_| other != actor))
        };
        // Who stands still in joining may be in line already.
        let behind = |left: &Place| {
            waits().any(|p| p.begin < left.end)
                || others()
                    .any(|p| matches!(p.op, Op::Enqueue(_) | Op::Enter(_)) && p.begin < left.end)
        };
        let leavers = self.places().iter();
        let leavers = leavers.filter(|p| p.fate == Fate::Left && behind(p));
        let perhaps = others().filter(|p| p.op.has_place());
        waits().count() + leavers.count() + perhaps.count()
    }

    /// Whether this operation met others on its way, so that what it says may be out of date.
    pub(crate) fn glitched_or_stopped(&self, actor: usize) -> bool {
        self.pending[actor].is_some_and(|p| p.stopped)
    }

    /// A waiter was told that it weighs more than can ever gather.
    pub fn refused_heavy(&mut self, actor: usize, weight: i64) {
        self.expand();
        if !self.lost && self.pending[actor].is_some_and(|p| p.burst >= weight) {
            self.find("G12 refused as too heavy", || {
                format!("a weight of {weight}")
            });
        }
    }

    /// An operation was told that the queue is closed.
    pub fn refused_closed(&mut self) {
        if !self.ending {
            self.find("G10 closed without a close", String::new);
        }
    }

    /// Whether all were woken who had to be, but for one of each thread that stands still.
    pub fn check_told(&mut self, calls: &[u32; PLACES]) {
        let untold = (0..self.count)
            .filter(|&i| {
                let place = self.places[i];
                matches!(place.fate, Fate::Released | Fate::Closed)
                    && place.armed == Armed::Yes
                    && calls[i] == place.calls
            })
            .count();
        let stopped = self.stopped().count();
        if untold > stopped {
            self.find("G6 lost wake-up", || format!("{untold} released or closed waiters were not woken, {stopped} threads stand still"));
        }
    }

    /// Nobody waits any more that could.
    pub fn check_empty(&mut self, len: usize) {
        let left: Vec<usize> = (0..self.count)
            .filter(|&i| self.places[i].fate == Fate::Waiting)
            .collect();
        if !left.is_empty() {
            self.find("G3 never released", || {
                format!("waiters {left:?} still wait at the end")
            });
        }
        let stopped = self.stopped().count();
        // A closed queue keeps the places of those whom it refused.
        if !self.was_closing() && len > stopped {
            self.find("G4 ghosts", || {
                format!("{len} in line, {stopped} threads stand still")
            });
        }
    }

    /// A waiter was dropped: it has left, or gives its permit back.
    pub fn dropped(&mut self, actor: usize, index: usize) {
        let place = self.places[index];
        let unseen = place.fate == Fate::Released && !place.told;
        if place.fate == Fate::Waiting || (place.fate == Fate::Left && place.armed == Armed::Yes) {
            self.places[index].armed = if place.armed == Armed::Yes {
                Armed::Never
            } else {
                Armed::No
            };
        } else {
            self.places[index].armed = Armed::No;
        }
        self.places[index].fate = Fate::Left;
        let before = matches!(self.pending[actor], Some(p) if p.effect != Effect::None);
        let surely = self.surely(index, actor);
        if surely || !before {
            self.end(actor, before.then_some(false));
            if unseen {
                self.places[index].since = place.since;
                self.came_back(index, surely);
            }
        } else {
            self.end(actor, None);
        }
        self.places[index].leaving = None;
    }

    /// A permit was given back by its holder, or was not.
    pub fn gave_back(&mut self, actor: usize, index: usize, given: bool) {
        let surely = self.surely(index, actor);
        self.places[index].told = true;
        if self.places[index].fate == Fate::Released {
            self.places[index].fate = Fate::Left;
            self.places[index].armed = Armed::No;
        }
        if surely && !given {
            self.find("G4 a permit was not taken back", || {
                format!("of waiter {index}, with nothing between its release and this")
            });
        }
        if surely {
            self.end(actor, Some(false));
            self.came_back(index, given);
        } else {
            self.end(actor, Some(given));
        }
    }

    /// Whether nothing has disturbed a permit since its release, but this actor.
    fn surely(&self, index: usize, actor: usize) -> bool {
        // Somebody whose enqueue stands still may have been released since.
        let released = self.accounts.iter().any(|bucket| {
            self.pending.iter().enumerate().any(|(other, p)| {
                other != actor
                    && bucket.applied & (1 << other) != 0
                    && p.is_some_and(|p| matches!(p.effect, Effect::Spend(_)))
            })
        });
        self.places[index].since == Some(self.disturbances)
            && !released
            && self.pending.iter().enumerate().all(|(other, p)| {
                other == actor || p.is_none_or(|p| !p.stopped || !p.op.disturbs())
            })
    }
}
