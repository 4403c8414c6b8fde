//! The real queue with its actors: runs one operation and tells the oracle of it.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem::{ManuallyDrop, MaybeUninit};

use apiqueue_core_stepped as core;
use core::stepped::with_hook;
use core::{EnqueueError, Next, Rate, Status, TryAcquireError, Waiter};

use crate::bucket::Pace;
use crate::judge::Told;
use crate::op::{Op, Who};
use crate::oracle::{Oracle, PLACES};
use crate::place::{Armed, Effect, Fate};
use crate::wake::{Bell, waker};
use crate::width::{Hands, Kind, Line, Width};

type Place<W, const N: usize, K> = Waiter<&'static Line<W, N, K>>;

/// A queue that is made anew for each case, its waiters, and the judge.
pub struct World<W: Width, const N: usize, K: Kind> {
    clock: &'static Hands<W>,
    queue: UnsafeCell<Line<W, N, K>>,
    waiters: [UnsafeCell<MaybeUninit<Place<W, N, K>>>; PLACES],
    bells: [Bell; PLACES],
    driver: Bell,
    rates: Vec<Rate<W>>,
    begin: i64,
    /// The judge. Not borrowed while the queue runs.
    pub oracle: RefCell<Oracle>,
    /// What the driver was told last.
    told: Cell<Told>,
    /// Cases with more possible accounts than are kept, whose permits were not judged to the end.
    pub lost: Cell<u64>,
    /// A thread was left standing by unwinding, so that its wakers are not counted.
    pub abandoned: Cell<bool>,
    /// The accesses are the judge's, and no steps of an operation.
    looking: Cell<bool>,
}

/// What happens in the middle of an operation.
pub type Middle<'a> = Option<(usize, &'a dyn Fn())>;

impl<W: Width, const N: usize, K: Kind> World<W, N, K> {
    /// A world that lives as long as the program: waiters refer to its queue.
    pub fn new(paces: &[Pace], begin: i64) -> &'static Self {
        let clock: &'static Hands<W> = Box::leak(Box::default());
        let rates: Vec<Rate<W>> = paces.iter().map(|&pace| W::rate(pace)).collect();
        Box::leak(Box::new(Self {
            clock,
            queue: UnsafeCell::new(K::queue(clock, rates[0])),
            waiters: std::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
            bells: std::array::from_fn(|_| Bell::default()),
            driver: Bell::default(),
            rates,
            begin,
            oracle: RefCell::new(Oracle::new(paces, N)),
            told: Cell::new(Told::Closed),
            lost: Cell::new(0),
            abandoned: Cell::new(false),
            looking: Cell::new(false),
        }))
    }

    /// Forgets the waiters and makes a new queue. Says how many clones of wakers were left over, or dropped too often.
    pub fn reset(&'static self) -> i32 {
        // SAFETY: nothing runs on the queue between two cases, and the waiters of the last one are not used again.
        unsafe { *self.queue.get() = K::queue(self.clock, self.rates[0]) };
        let mut live = 0;
        for bell in self.bells.iter().chain([&self.driver]) {
            live += bell.live.replace(0).abs();
            bell.calls.set(0);
        }
        let count = self.abandoned.replace(false);
        self.clock.wrong(0, 0);
        self.clock.set(self.begin);
        let mut oracle = self.oracle.borrow_mut();
        self.lost.set(self.lost.get() + u64::from(oracle.lost));
        oracle.reset(self.begin);
        if count { 0 } else { live }
    }

    fn queue(&'static self) -> &'static Line<W, N, K> {
        // SAFETY: it is only replaced between cases.
        unsafe { &*self.queue.get() }
    }

    fn waiter(&'static self, index: usize) -> &'static Place<W, N, K> {
        // SAFETY: the oracle knows the waiter, so it was written in this case; only a copy of it is ever dropped.
        unsafe { (*self.waiters[index].get()).assume_init_ref() }
    }

    /// A copy of a waiter, for what wants it as its own. The original is only looked at from then on.
    fn copy(&'static self, index: usize) -> Place<W, N, K> {
        // SAFETY: a waiter is a reference, a number and an atomic byte, of which nothing is dropped by itself.
        unsafe { std::ptr::read(self.waiter(index)) }
    }

    /// Clock, waiters and rate, as anybody can see them. `by` has just come to a stand.
    pub fn observe(&'static self, by: Option<usize>) {
        self.looking.set(true);
        let (mut seen, mut calls) = ([Status::Closed; PLACES], [0; PLACES]);
        let mut oracle = self.oracle.borrow_mut();
        for (index, place) in oracle.places().iter().enumerate() {
            if place.fate == Fate::Waiting {
                seen[index] = self.waiter(index).peek();
            }
            calls[index] = self.bells[index].calls.get();
        }
        oracle.observe(&seen, &calls, by);
        let rate = self.queue().rate();
        oracle.see_rate(|number| self.rates.get(number) == Some(&rate));
        self.looking.set(false);
    }

    /// Whom an operation means; none if there is nobody like that.
    fn find(&self, who: Who) -> Option<usize> {
        let oracle = self.oracle.borrow();
        let free = |index: &usize| {
            oracle
                .pending
                .iter()
                .flatten()
                .all(|p| p.place != Some(*index))
        };
        let with = |fate| {
            let places = oracle.places();
            (0..places.len()).filter(move |&i| places[i].fate == fate)
        };
        let found = match who {
            Who::Head => with(Fate::Waiting).next(),
            Who::Middle => with(Fate::Waiting)
                .nth(1)
                .filter(|_| with(Fate::Waiting).count() > 2),
            Who::Tail => with(Fate::Waiting)
                .next_back()
                .filter(|_| with(Fate::Waiting).count() > 1),
            Who::Released => with(Fate::Released).next_back(),
        };
        found.filter(free)
    }

    fn free_actor(&self) -> usize {
        let oracle = self.oracle.borrow();
        oracle
            .pending
            .iter()
            .position(Option::is_none)
            .expect("never more than two stand still")
    }

    fn effect(&self, op: Op, place: Option<usize>, stopped: bool) -> Effect {
        let oracle = self.oracle.borrow();
        match op {
            Op::Enqueue(weight) if stopped => Effect::Spend(weight.into()),
            Op::Enter(weight) => Effect::Spend(weight.into()),
            Op::TryAcquire => Effect::Spend(1),
            Op::Grant => Effect::Pass,
            Op::Glitch { by, .. } if by > 0 => Effect::Leap(by.into()),
            Op::SetRate(rate) => Effect::Rate(rate, 0),
            Op::Hold(ticks) => Effect::Hold(oracle.now + i64::from(ticks)),
            Op::Resume => Effect::Resume,
            Op::Charge(permits) => Effect::Charge(permits.into()),
            Op::Refund(permits) => Effect::Refund(permits.into()),
            Op::GiveBack(_) => place.map_or(Effect::None, |index| oracle.back(index)),
            Op::Drop(_) => place.map_or(Effect::None, |index| {
                if oracle.places()[index].told {
                    Effect::None
                } else {
                    oracle.back(index)
                }
            }),
            _ => Effect::None,
        }
    }

    /// Runs an operation, with `middle` called before one of its atomic accesses. False if it does not apply.
    pub fn act(&'static self, op: Op, middle: Middle<'_>) -> bool {
        let who = match op {
            Op::Poll(who) | Op::Status(who) | Op::Look(who) | Op::Drop(who) | Op::GiveBack(who) => {
                Some(who)
            }
            _ => None,
        };
        let place = who.and_then(|who| self.find(who));
        let joins = matches!(op, Op::Enqueue(_) | Op::Enter(_));
        if (who.is_some() && place.is_none()) || (joins && self.oracle.borrow().count + 4 > PLACES)
        {
            return false;
        }
        if let Op::Tick(ticks) = op {
            let mut oracle = self.oracle.borrow_mut();
            oracle.tick(ticks.into());
            self.clock.set(oracle.now);
            return true;
        }
        let actor = self.free_actor();
        let effect = self.effect(op, place, middle.is_some());
        if matches!(op, Op::Glitch { .. }) {
            self.oracle.borrow_mut().glitch();
        }
        self.oracle
            .borrow_mut()
            .begin(actor, op, effect, place, self.driver.calls.get());
        match middle {
            None => self.perform(op, place, actor),
            Some((stop, middle)) => {
                let stop_here = move || {
                    let how = self.clock.wrong(0, 0);
                    self.oracle.borrow_mut().stop(actor);
                    self.observe(Some(actor));
                    if let Op::Glitch { by, .. } = op {
                        self.oracle.borrow_mut().fall_back((-by).into());
                    }
                    middle();
                    self.clock.wrong(how.0, how.1);
                };
                self.stepping(stop, &stop_here, || self.perform(op, place, actor));
            }
        }
        self.observe(None);
        true
    }

    fn perform(&'static self, op: Op, place: Option<usize>, actor: usize) {
        let queue = self.queue();
        let oracle = || self.oracle.borrow_mut();
        let index = place.unwrap_or(0);
        match op {
            Op::Enqueue(weight) => {
                let made = if weight == 1 {
                    queue.enqueue()
                } else {
                    Waiter::enqueue_weighted(queue, weight.into())
                };
                self.joined(actor, weight, made);
            }
            Op::Enter(weight) => {
                let made = if weight == 1 {
                    queue.enter()
                } else {
                    Waiter::enter_weighted(queue, weight.into())
                };
                self.joined(actor, weight, made);
            }
            Op::Poll(_) => self.poll(actor, index),
            Op::Status(_) => {
                let status = self.waiter(index).status();
                let mut oracle = oracle();
                oracle.places[index].told |= status == Status::Released;
                oracle.end(actor, None);
            }
            Op::Look(_) => {
                let waiter = self.waiter(index);
                let _ = (waiter.position(), waiter.estimate(), waiter.peek());
                oracle().end(actor, None);
            }
            Op::Drop(_) => {
                drop(self.copy(index));
                oracle().dropped(actor, index);
            }
            Op::GiveBack(_) => {
                let mut waiter = ManuallyDrop::new(self.copy(index));
                let given = waiter.give_back();
                oracle().gave_back(actor, index, given);
            }
            Op::Advance | Op::AdvanceWith => self.drive(op, actor),
            Op::Glitch { by, reading } => {
                self.clock.wrong(by.into(), reading);
                let _ = queue.advance();
                self.clock.wrong(0, 0);
                self.observe(None);
                let mut oracle = oracle();
                oracle.end(actor, None);
                oracle.fall_back((-by).into());
            }
            Op::TryAcquire => match queue.try_acquire() {
                Ok(()) => {
                    let mut oracle = oracle();
                    if oracle
                        .closed
                        .or(oracle.drained)
                        .is_some_and(|end| oracle.pending[actor].is_some_and(|p| end < p.begin))
                    {
                        oracle.find("G10 a permit after the end", String::new);
                    }
                    oracle.end(actor, Some(true));
                    oracle.disturbances += 1;
                }
                Err(why) => {
                    let mut oracle = oracle();
                    match why {
                        TryAcquireError::NotYet { .. } => oracle.not_yet(actor),
                        TryAcquireError::Queued => oracle.queued(actor),
                        _ => oracle.refused_closed(),
                    }
                    oracle.end(actor, Some(false));
                }
            },
            Op::Grant => {
                let granted = queue.grant();
                self.observe(None);
                let mut oracle = oracle();
                let stopped = oracle.pending[actor].is_some_and(|p| p.stopped);
                oracle.end(actor, if stopped { None } else { Some(granted) });
            }
            Op::SetRate(rate) => {
                queue.set_rate(self.rates[usize::from(rate)]);
                oracle().end(actor, Some(true));
            }
            Op::Hold(_) => {
                let until = match oracle().pending[actor] {
                    Some(pending) => match pending.effect {
                        Effect::Hold(until) => until,
                        _ => return,
                    },
                    None => return,
                };
                let held = queue.hold_until(W::at(until)).is_ok();
                // Time may have gone on past it meanwhile: then it may have changed nothing, or have come and gone.
                let late = oracle().now >= until;
                oracle().end(actor, if late { None } else { Some(held) });
            }
            Op::Resume => {
                queue.resume();
                oracle().end(actor, Some(true));
            }
            Op::Charge(permits) => {
                let charged = queue.charge(permits.into()).is_ok();
                oracle().end(actor, Some(charged));
            }
            Op::Refund(permits) => {
                queue.refund(permits.into());
                oracle().end(actor, Some(true));
            }
            Op::Close => {
                queue.close();
                self.observe(None);
                oracle().end(actor, None);
            }
            Op::Drain => {
                queue.drain();
                oracle().end(actor, None);
            }
            Op::Tick(_) => {}
        }
    }

    fn joined(&'static self, actor: usize, weight: u8, made: Result<Place<W, N, K>, EnqueueError>) {
        match made {
            Ok(waiter) => {
                let index = self.oracle.borrow().count;
                self.looking.set(true);
                let status = waiter.peek();
                // SAFETY: nobody refers to this place of the array before the oracle knows of the waiter.
                unsafe { (*self.waiters[index].get()).write(waiter) };
                self.observe(None);
                self.oracle
                    .borrow_mut()
                    .joined(actor, weight.into(), status);
            }
            Err(why) => {
                let mut oracle = self.oracle.borrow_mut();
                match why {
                    EnqueueError::Full { .. } => oracle.refused_full(actor),
                    EnqueueError::Closed => oracle.refused_closed(),
                    _ => oracle.refused_heavy(weight.into()),
                }
                oracle.end(actor, Some(false));
            }
        }
    }

    fn poll(&'static self, actor: usize, index: usize) {
        let bell = &self.bells[index];
        let before = bell.calls.get();
        {
            let place = &mut self.oracle.borrow_mut().places[index];
            place.armed = Armed::Perhaps;
            place.calls = before;
        }
        let ready = self.waiter(index).poll_release(&waker(bell)).is_ready();
        let mut oracle = self.oracle.borrow_mut();
        let stopped = oracle.pending[actor].is_some_and(|p| p.stopped);
        let place = &mut oracle.places[index];
        // Woken at once it has to poll again, and is not owed another call.
        let at_once = bell.calls.get() != before && !stopped;
        place.armed = if ready || at_once {
            Armed::No
        } else {
            Armed::Yes
        };
        if stopped && !ready && bell.calls.get() != before {
            place.armed = Armed::Perhaps;
        }
        place.told |= ready;
        oracle.end(actor, None);
    }

    fn drive(&'static self, op: Op, actor: usize) {
        let next = if op == Op::AdvanceWith {
            self.queue().advance_with(&waker(&self.driver)).next
        } else {
            self.queue().advance().next
        };
        let mut oracle = self.oracle.borrow_mut();
        let told = match next {
            Next::At(at) => Told::At(at.time(oracle.now)),
            Next::OnEnqueue => Told::OnEnqueue,
            Next::Closed => Told::Closed,
        };
        self.told.set(told);
        drop(oracle);
        self.observe(None);
        oracle = self.oracle.borrow_mut();
        let stopped = oracle.pending[actor].is_some_and(|p| p.stopped);
        if op == Op::AdvanceWith {
            // Of two drivers at once only the one that left its waker last can be told, and that can't be seen.
            let alone = oracle
                .pending
                .iter()
                .flatten()
                .filter(|p| p.op == Op::AdvanceWith)
                .count()
                == 1;
            oracle.sleeps(actor, told, alone);
        }
        oracle.end(actor, None);
        if !stopped {
            oracle.driven(told);
        }
    }

    /// A driver that nobody stops, called in time until nobody waits. What it must not leave behind is judged.
    fn drive_clean(&'static self) {
        for _ in 0..48 {
            if self.oracle.borrow().finding.is_some() || !self.act(Op::Advance, None) {
                return;
            }
            let now = self.oracle.borrow().now;
            match self.told.get() {
                Told::At(at) if at > now => {
                    // A 32-bit clock is visited at least each 2^27 ticks.
                    let ticks = u32::try_from(at - now).unwrap_or(u32::MAX).min(1 << 27);
                    self.act(Op::Tick(ticks), None);
                }
                Told::At(_) => {}
                Told::OnEnqueue | Told::Closed => break,
            }
        }
        let calls = std::array::from_fn(|index| self.bells[index].calls.get());
        let len = self.queue().len();
        let mut oracle = self.oracle.borrow_mut();
        oracle.check_told(&calls);
        oracle.check_empty(len);
    }

    /// Whether the driver sleeps although it is needed.
    fn check_sleep(&'static self) {
        let calls = self.driver.calls.get();
        let finding = self.oracle.borrow_mut().oversleeps(calls);
        let Some(finding) = finding else { return };
        if self.oracle.borrow().stopped().count() > 0 {
            // A thread may have been stopped after it had taken the driver's waker out and before it called it: an allowed
            // limit. Then nobody can call it.
            self.queue().wake_driver();
            if self.driver.calls.get() == calls {
                return;
            }
        }
        let mut oracle = self.oracle.borrow_mut();
        oracle.find(finding.kind, || finding.what);
    }

    /// What must hold now that the actors are done, or stand still for ever.
    pub fn finish(&'static self) {
        self.check_sleep();
        self.drive_clean();
        if self.oracle.borrow().ending {
            return;
        }
        // The whole ring is there again, and whoever comes waits no longer than for his own permits.
        for _ in 0..N {
            self.act(Op::Enqueue(1), None);
            if !self.act(Op::Poll(Who::Tail), None) {
                self.act(Op::Poll(Who::Head), None);
            }
        }
        self.act(Op::AdvanceWith, None);
        self.check_sleep();
        self.drive_clean();
    }

    /// Runs `operation` with `middle` called before its atomic access number `stop`.
    fn stepping(&'static self, stop: usize, middle: &dyn Fn(), operation: impl FnOnce()) {
        // SAFETY: the hook is taken out again before this returns or unwinds, so `middle` outlives it.
        let middle = unsafe { std::mem::transmute::<&dyn Fn(), &'static dyn Fn()>(middle) };
        let mut step = 0;
        with_hook(
            move || {
                if self.looking.get() {
                    return;
                }
                let here = step == stop;
                step += 1;
                if here {
                    middle();
                }
                assert!(step < 1_000_000, "an operation goes on for ever");
            },
            operation,
        );
    }
}
