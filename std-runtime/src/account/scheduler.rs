//! Gives the permits of an account to its queues, which are granted ones: the plan, the lines, and who is told when.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use apiqueue_core::{ChargeError, Clock, Next};

use super::plan::{Choice, Plan};
use crate::clock::Timebase;
use crate::error::LimitError;
use crate::guarded::guarded;
use crate::line::Line;
use crate::permits::{Permits, Waiters};
use crate::rate::Rate;

#[derive(Debug)]
pub(crate) struct Scheduler {
    pub(crate) clock: Timebase,
    pub(crate) manual: bool,
    /// What of the shared limits a queue must know: the first rate, and the smallest burst.
    pub(crate) nominal: Option<Rate>,
    pub(crate) smallest_burst: usize,
    state: Mutex<State>,
    /// A thread is at it; a waker that comes back here must not.
    busy: AtomicBool,
}

#[derive(Debug)]
struct State {
    plan: Plan,
    lines: BTreeMap<u64, Weak<Line>>,
    next_id: u64,
    /// Lines in which nobody is any more, since the last look: the driver is to leave its waker there, for the next to come or for
    /// the end of a drain.
    emptied: Vec<Arc<Line>>,
}

/// A queue's place in an account.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(super) scheduler: Arc<Scheduler>,
    pub(super) id: u64,
}

/// After how many releases others of the driver's queues are served.
const AT_ONCE: usize = 256;

/// How long a waker that drives from within its own wake-up is put off.
const LATER: u64 = 1_000_000;

impl Scheduler {
    pub(crate) fn new(clock: Timebase, manual: bool, shared: &[Rate]) -> Self {
        Self {
            clock,
            manual,
            nominal: shared.first().copied(),
            smallest_burst: shared
                .iter()
                .map(|rate| rate.burst_size())
                .min()
                .unwrap_or(usize::MAX),
            state: Mutex::new(State {
                plan: Plan::new(shared.iter().map(|rate| rate.ticks())),
                lines: BTreeMap::new(),
                next_id: 0,
                emptied: Vec::new(),
            }),
            busy: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No user code runs under this lock, and what it guards is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(self: &Arc<Self>, own: &[Rate], share: u32) -> Membership {
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        let own = own.iter().map(|rate| rate.ticks());
        state.plan.add(id, own, share);
        Membership {
            scheduler: Arc::clone(self),
            id,
        }
    }

    /// Releases who is due, and says how many those were and when to come back.
    pub(crate) fn advance(&self) -> (usize, Next<u64>) {
        let Some(_turn) = Turn::take(&self.busy) else {
            return (0, Next::At(self.clock.now().wrapping_add(LATER)));
        };
        let mut released = 0;
        // Lines that were looked at. Dropped under no lock and behind a guard, as one may be the last hold on its queue.
        let mut held = Held::default();
        loop {
            let now = self.clock.now();
            if released >= AT_ONCE {
                // Other queues of the driver are to have theirs.
                return (released, Next::At(now));
            }
            let (chosen, emptied) = {
                let mut state = self.lock();
                let chosen = state.choose(now, &mut held);
                (chosen, std::mem::take(&mut state.emptied))
            };
            for line in emptied {
                line.wake_driver();
                held.0.push(line);
            }
            match chosen {
                Chosen::Release(id, weight, line) => {
                    if line.grant(1) > 0 {
                        released += 1;
                        // Read here, after the release, so that a thread suspended before it makes the schedules later.
                        let now = self.clock.now();
                        self.lock().plan.released(id, weight, now);
                    }
                    held.0.push(line);
                }
                Chosen::Wait(next) => return (released, next.map_or(Next::OnEnqueue, Next::At)),
            }
            held.let_go();
        }
    }

    /// Takes a permit of `id`, in whose line nobody is, if no other queue's first comes before. Else when there may be one.
    fn try_take(&self, id: u64) -> Result<(), Option<u64>> {
        let turn = Turn::take(&self.busy).ok_or(None)?;
        // Outlives the lock.
        let mut held = Held::default();
        let taken = {
            let mut state = self.lock();
            state.look(&mut held);
            let now = self.clock.now();
            let before = state.plan.head_of(id);
            state.plan.head(id, Some(1));
            let taken = match state.plan.choose(now) {
                Choice::Release(chosen) if chosen == id => {
                    state.plan.released(id, 1, now);
                    Ok(())
                }
                Choice::At(at) => Err(Some(at)),
                Choice::Release(_) | Choice::Nothing => Err(None),
            };
            state.plan.head(id, before);
            taken
        };
        drop(turn);
        taken
    }

    /// [`advance`](Self::advance) for a queue that has nobody in line itself: one that has is told to look when the next is due,
    /// as who was told of it before may have left.
    fn advance_for_others(&self) -> usize {
        let (released, next) = self.advance();
        if let Next::At(_) = next {
            self.ring();
        }
        released
    }

    /// Has the driver look again.
    fn ring(&self) {
        let line = {
            let state = self.lock();
            let id = state.plan.somebody();
            id.and_then(|id| state.lines.get(&id))
                .and_then(Weak::upgrade)
        };
        if let Some(line) = line {
            line.wake_driver();
            // It may be the last hold on its queue.
            guarded(|| drop(line));
        }
    }

    /// Changes the plan, and has the driver look.
    fn change<T>(&self, change: impl FnOnce(&mut Plan, u64) -> T) -> T {
        let now = self.clock.now();
        let changed = change(&mut self.lock().plan, now);
        self.ring();
        changed
    }

    pub(super) fn set_shared(&self, index: usize, rate: Rate) -> Result<(), LimitError> {
        let count = self.change(|plan, now| {
            let there = plan.set_shared(index, now, rate.ticks());
            (!there).then(|| plan.shared_count())
        });
        match count {
            None => Ok(()),
            Some(count) => Err(LimitError { index, count }),
        }
    }

    pub(super) fn hold(&self, id: Option<u64>, ticks: u64) {
        self.change(|plan, now| plan.hold_until(id, now, now.wrapping_add(ticks)));
    }

    pub(super) fn resume(&self, id: Option<u64>) {
        self.change(|plan, now| plan.resume(id, now));
    }
}

/// The one who advances.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    /// None where somebody else does, or this thread by what it calls.
    fn take(busy: &'a AtomicBool) -> Option<Self> {
        // Ordering: Acquire, and Release at its end: what one did comes before what the next does.
        (!busy.swap(true, Ordering::Acquire)).then_some(Self(busy))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Holds on lines.
#[derive(Default)]
struct Held(Vec<Arc<Line>>);

impl Held {
    fn let_go(&mut self) {
        while let Some(line) = self.0.pop() {
            guarded(|| drop(line));
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// A choice with what it takes to carry it out.
enum Chosen {
    Release(u64, usize, Arc<Line>),
    Wait(Option<u64>),
}

impl State {
    fn choose(&mut self, now: u64, held: &mut Held) -> Chosen {
        loop {
            self.look(held);
            match self.plan.choose(now) {
                Choice::At(at) => return Chosen::Wait(Some(at)),
                Choice::Nothing => return Chosen::Wait(None),
                Choice::Release(id) => {
                    let line = self.lines.get(&id).and_then(Weak::upgrade);
                    match (line, self.plan.head_of(id)) {
                        (Some(line), Some(weight)) => return Chosen::Release(id, weight, line),
                        (line, _) => held.0.extend(line),
                    }
                    // Gone in this very moment: the next look finds it so.
                }
            }
        }
    }

    /// Looks at every line: who is first, and what came back.
    fn look(&mut self, held: &mut Held) {
        let mut gone = Vec::new();
        for (&id, line) in &self.lines {
            let Some(line) = line.upgrade() else {
                gone.push(id);
                continue;
            };
            let returned = line.take_returned();
            if returned > 0 {
                self.plan.give_back(id, returned);
            }
            let first = line.first_weight();
            if first.is_none() && self.plan.head_of(id).is_some() {
                self.emptied.push(Arc::clone(&line));
            }
            self.plan.head(id, first);
            held.0.push(line);
        }
        for id in gone {
            self.plan.remove(id);
            self.lines.remove(&id);
        }
    }
}

impl Membership {
    /// The line that it is of.
    pub(crate) fn attach(&self, line: &Arc<Line>) {
        let mut state = self.scheduler.lock();
        state.lines.insert(self.id, Arc::downgrade(line));
    }
}

impl Permits for Membership {
    fn give(&self, waiters: &Waiters<'_>) -> Next<u64> {
        if waiters.are_over() || waiters.first_weight().is_none() {
            waiters.add_released(self.scheduler.advance_for_others());
            return if waiters.are_over() {
                Next::Closed
            } else {
                Next::OnEnqueue
            };
        }
        let (released, next) = self.scheduler.advance();
        waiters.add_released(released);
        next
    }

    fn try_take(&self) -> Result<(), Option<u64>> {
        self.scheduler.try_take(self.id)
    }

    fn is_broken(&self) -> bool {
        self.scheduler.clock.is_broken()
    }

    fn set_rate(&self, rate: Rate) {
        self.scheduler
            .change(|plan, now| plan.set_rate(self.id, now, rate.ticks()));
    }

    fn hold(&self, nanos: u64) {
        self.scheduler.hold(Some(self.id), nanos);
    }

    fn resume(&self) {
        self.scheduler.resume(Some(self.id));
    }

    fn charge(&self, permits: usize) -> Result<(), ChargeError> {
        self.scheduler
            .change(|plan, now| plan.charge(self.id, permits, now))
    }

    fn refund(&self, permits: usize) {
        self.scheduler
            .change(|plan, now| plan.refund(self.id, permits, now));
    }

    fn is_rested(&self) -> bool {
        let now = self.scheduler.clock.now();
        self.scheduler.lock().plan.is_rested(self.id, now)
    }

    fn estimate(&self, ahead: usize) -> Option<u64> {
        let now = self.scheduler.clock.now();
        self.scheduler.lock().plan.estimate(self.id, ahead, now)
    }
}
