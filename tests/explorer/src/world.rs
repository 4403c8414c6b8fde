//! The real queue with its actors: runs one operation and tells the oracle of it.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem::MaybeUninit;

use apiqueue_core_stepped as core;
use core::stepped::with_hook;
use core::{Rate, Status, Waiter};

use crate::bucket::Pace;
use crate::judge::Told;
use crate::op::{Op, Who};
use crate::oracle::{Oracle, PLACES};
use crate::place::{Effect, Fate};
use crate::wake::Bell;
use crate::width::{Hands, Kind, Line, Width};

pub(crate) type Place<W, const N: usize, K> = Waiter<&'static Line<W, N, K>>;

/// A queue that is made anew for each case, its waiters, and the judge.
pub struct World<W: Width, const N: usize, K: Kind> {
    pub(crate) clock: &'static Hands<W>,
    queue: UnsafeCell<Line<W, N, K>>,
    pub(crate) waiters: [UnsafeCell<MaybeUninit<Place<W, N, K>>>; PLACES],
    pub(crate) bells: [Bell; PLACES],
    pub(crate) driver: Bell,
    pub(crate) rates: Vec<Rate<W>>,
    begin: i64,
    /// The judge. Not borrowed while the queue runs.
    pub oracle: RefCell<Oracle>,
    /// What the driver was told last.
    pub(crate) told: Cell<Told>,
    /// Cases with more possible accounts than are kept, whose permits were not judged to the end.
    pub lost: Cell<u64>,
    /// A thread was left standing by unwinding, so that its wakers are not counted.
    pub abandoned: Cell<bool>,
    /// The accesses are the judge's, and no steps of an operation.
    pub(crate) looking: Cell<bool>,
}

/// What happens in the middle of an operation.
pub type Middle<'a> = Option<(usize, &'a dyn Fn())>;

fn make<W: Width, const N: usize, K: Kind>(
    clock: &'static Hands<W>,
    rate: Rate<W>,
    pace: Pace,
) -> Line<W, N, K> {
    let queue = K::queue(clock, rate);
    match pace.catch_up {
        Some(ticks) => queue.catch_up(W::at(ticks)),
        None => queue,
    }
}

impl<W: Width, const N: usize, K: Kind> World<W, N, K> {
    /// A world that lives as long as the program: waiters refer to its queue.
    pub fn new(paces: &[Pace], begin: i64) -> &'static Self {
        let clock: &'static Hands<W> = Box::leak(Box::default());
        let rates: Vec<Rate<W>> = paces.iter().map(|&pace| W::rate(pace)).collect();
        let world: &'static Self = Box::leak(Box::new(Self {
            clock,
            queue: UnsafeCell::new(make(clock, rates[0], paces[0])),
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
        }));
        world.reset();
        world
    }

    /// Forgets the waiters and makes a new queue. Says how many clones of wakers were left over, or dropped too often.
    pub fn reset(&'static self) -> i32 {
        let pace = self.oracle.borrow().first_pace();
        // SAFETY: nothing runs on the queue between two cases, and the waiters of the last one are not used again.
        unsafe { *self.queue.get() = make(self.clock, self.rates[0], pace) };
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

    pub(crate) fn queue(&'static self) -> &'static Line<W, N, K> {
        // SAFETY: it is only replaced between cases.
        unsafe { &*self.queue.get() }
    }

    pub(crate) fn waiter(&'static self, index: usize) -> &'static Place<W, N, K> {
        // SAFETY: the oracle knows the waiter, so it was written in this case; only a copy of it is ever dropped.
        unsafe { (*self.waiters[index].get()).assume_init_ref() }
    }

    /// A copy of a waiter, for what wants it as its own. The original is only looked at from then on.
    pub(crate) fn copy(&'static self, index: usize) -> Place<W, N, K> {
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
            Op::Resume => Effect::Resume(oracle.now),
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
        match middle {
            None => self.act_by(op, false, |place, actor| self.perform(op, place, actor)),
            Some((stop, middle)) => self.act_in_turns(op, &[stop], middle),
        }
    }

    /// Runs an operation, with `pause` called before each of these atomic accesses. False if it does not apply.
    pub fn act_in_turns(&'static self, op: Op, stops: &[usize], pause: &dyn Fn()) -> bool {
        self.act_by(op, true, |place, actor| {
            let stop_here = move || {
                let how = self.clock.wrong(0, 0);
                self.oracle.borrow_mut().stop(actor);
                self.observe(Some(actor));
                if let Op::Glitch { by, .. } = op {
                    self.oracle.borrow_mut().fall_back((-by).into());
                }
                pause();
                self.clock.wrong(how.0, how.1);
            };
            self.stepping(stops, &stop_here, || self.perform(op, place, actor));
        })
    }

    fn act_by(
        &'static self,
        op: Op,
        stops: bool,
        perform: impl FnOnce(Option<usize>, usize),
    ) -> bool {
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
        let effect = self.effect(op, place, stops);
        if matches!(op, Op::Glitch { .. }) {
            self.oracle.borrow_mut().glitch();
        }
        self.oracle
            .borrow_mut()
            .begin(actor, op, effect, place, self.driver.calls.get());
        perform(place, actor);
        self.observe(None);
        true
    }

    /// Runs `operation` with `middle` called before its atomic accesses of these numbers.
    fn stepping(&'static self, stops: &[usize], middle: &dyn Fn(), operation: impl FnOnce()) {
        // SAFETY: the hook is taken out again before this returns or unwinds, so what it refers to outlives it.
        let (stops, middle) = unsafe {
            (
                std::mem::transmute::<&[usize], &'static [usize]>(stops),
                std::mem::transmute::<&dyn Fn(), &'static dyn Fn()>(middle),
            )
        };
        let mut step = 0;
        with_hook(
            move || {
                if self.looking.get() {
                    return;
                }
                let here = stops.contains(&step);
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
