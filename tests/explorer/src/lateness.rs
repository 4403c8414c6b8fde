//! Who waits although due, and who sleeps although somebody is.

use crate::bucket::NO_HOLD;
use crate::judge::Told;
use crate::op::Op;
use crate::oracle::{Oracle, Sleep};
use crate::place::{Effect, Fate, Finding, Pending, Place};

impl Oracle {
    /// Who waits, and nobody who waits came surely before.
    pub(crate) fn heads(&self, leaving: bool) -> impl Iterator<Item = &Place> {
        let in_line = move |place: &Place| {
            place.fate == Fate::Waiting
                || (leaving
                    && place.fate == Fate::Left
                    && place.leaving.is_some_and(|actor| {
                        self.pending[actor].is_some_and(|p| {
                            matches!(p.op, Op::Drop(_))
                                && p.place
                                    .is_some_and(|i| std::ptr::eq(&self.places[i], place))
                        })
                    }))
        };
        self.places().iter().filter(move |place| {
            in_line(place)
                && !self
                    .places()
                    .iter()
                    .any(|other| in_line(other) && other.end < place.begin)
        })
    }

    /// When at the latest the first in line is due, by every account; none if nobody waits. Where lateness is made up gently, half an
    /// interval after another release.
    fn latest_due(&self, leaving: bool) -> Option<i64> {
        let mut latest = None;
        for head in self.heads(leaving) {
            for bucket in &self.accounts {
                let mut behind = 0;
                for (actor, pending) in self.pending.iter().enumerate() {
                    if let Some(pending) = pending
                        && bucket.applied & (1 << actor) == 0
                        && let Effect::Spend(weight) = pending.effect
                    {
                        behind += weight;
                    }
                }
                let mut ticks = 2 * (self.claims() - 1).max(0);
                if bucket.hold != NO_HOLD && self.claims() > 0 {
                    ticks += 1;
                }
                let due = bucket.due(head.weight, behind) + ticks;
                latest = latest.max(Some(due.max(bucket.used + bucket.pace.gently())));
            }
        }
        latest
    }

    fn judges_lateness(&self) -> bool {
        !self.glitched
            && !self.lost
            && self.closed.is_none()
            && self.stopped().all(|p| p.op != Op::Close)
    }

    /// A driver that nobody stopped has just been here.
    pub fn driven(&mut self, told: Told) {
        self.expand();
        self.all_seen();
        if !self.judges_lateness() {
            return;
        }
        let Some(due) = self.latest_due(false) else {
            return;
        };
        let now = self.now;
        match told {
            Told::At(at) if at <= now || (due > now && at <= due) => {}
            Told::At(_) if due <= now => self.find("G3 waits although due", || {
                format!("due at {due}, a driver was here at {now} and said {told:?}")
            }),
            _ => self.find("G3 driver comes back too late", || {
                format!("due at {due}, a driver was here at {now} and said {told:?}")
            }),
        }
    }

    /// A permit was refused for now.
    pub fn not_yet(&mut self, actor: usize) {
        if !self.judges_lateness()
            || self
                .pending
                .iter()
                .enumerate()
                .any(|(other, p)| other != actor && p.is_some())
            || self.glitched_or_stopped(actor)
        {
            return;
        }
        let now = self.now;
        if self
            .accounts
            .iter()
            .filter(|b| b.applied == 0)
            .all(|b| b.due(1, 0) <= now)
        {
            self.find("G3 no permit although due", || format!("at {now}"));
        }
    }

    /// A permit was refused because of others in line.
    pub fn queued(&mut self, actor: usize) {
        let alone = self
            .pending
            .iter()
            .enumerate()
            .all(|(other, p)| other == actor || p.is_none());
        if alone
            && !self.glitched_or_stopped(actor)
            && self.places().iter().all(|p| p.fate != Fate::Waiting)
        {
            self.find("G4 queued behind nobody", String::new);
        }
    }

    /// A driver goes to sleep.
    pub fn sleeps(&mut self, actor: usize, told: Told, alone: bool) {
        let Some(pending) = self.pending[actor] else {
            return;
        };
        let until = match told {
            Told::At(at) => at,
            Told::OnEnqueue => i64::MAX,
            // It needs no telling any more.
            Told::Closed => return,
        };
        if pending.superseded {
            return;
        }
        // One that was stopped may have left its waker at any time until now.
        let event = if pending.stopped {
            self.event + 1
        } else {
            pending.begin
        };
        self.sleep = alone.then_some(Sleep {
            until,
            calls: pending.calls,
            event,
        });
    }

    /// Why a driver whose waker was called so often ought not to sleep, if it does.
    pub fn oversleeps(&mut self, calls: u32) -> Option<Finding> {
        let sleep = self.sleep.filter(|sleep| sleep.calls == calls)?;
        if self
            .stopped()
            .any(|p| matches!(p.op, Op::Close | Op::Drain))
        {
            return None;
        }
        if self
            .closed
            .max(self.drained)
            .is_some_and(|end| end > sleep.event)
        {
            return Some(Finding {
                kind: "G10 the driver was not told of the end",
                what: format!("{sleep:?}"),
            });
        }
        if !self.judges_lateness() {
            return None;
        }
        // Who stands still between a change and telling the driver leaves it with what it knew, until somebody else tells it.
        let untold = |p: &Pending| p.op.tells() && p.stop > self.told_driver;
        if sleep.until < i64::MAX && self.stopped().any(untold) {
            return None;
        }
        self.expand();
        // Who stands still in the middle of leaving may not have told the driver of it yet, so that for the driver its place
        // is still taken.
        let due = self.latest_due(false)?.max(self.latest_due(true)?);
        let now = self.now;
        (due < sleep.until).then(|| Finding {
            kind: "G6 driver sleeps although somebody is due",
            what: format!("due at {due}, now {now}, {sleep:?}"),
        })
    }
}
