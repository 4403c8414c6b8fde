//! Two operations that take turns, a few steps each: what stopping one in the middle of another can't show, as there the first
//! goes on only when the second is over, or never does. Drawn at random from a seed, as there are too many to try all.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::op::Op;
use crate::place::Finding;
use crate::report::Report;
use crate::width::{Kind, Visit, Width};
use crate::world::World;

/// The most turns that each has.
const TURNS: usize = 4;
/// The most steps in one turn, but for the last.
const STEPS: usize = 12;

/// A case: two operations, what a third does where the first stops first, and how many steps each goes at a time.
#[derive(Clone, Copy, Debug)]
struct Case {
    ops: [Op; 2],
    between: Option<Op>,
    turns: [[usize; TURNS]; 2],
}

impl Case {
    fn ops(&self) -> impl Iterator<Item = Op> {
        self.ops.into_iter().chain(self.between)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ops: [one, other],
            between,
            turns: [mine, its],
        } = self;
        write!(
            f,
            "{one:?} goes {mine:?} steps and {other:?} {its:?}, in turns"
        )?;
        if let Some(op) = between {
            write!(f, "; {op:?} comes before the second begins")?;
        }
        Ok(())
    }
}

/// Judges `count` cases of the configuration, drawn from `seed`.
#[must_use]
pub fn explore(config: &Config, seed: u64, count: u64) -> Report {
    config.visit(Turns {
        config,
        draw: Draw(seed),
        count,
    })
}

struct Turns<'c> {
    config: &'c Config,
    draw: Draw,
    count: u64,
}

impl Visit for Turns<'_> {
    type Answer = Report;

    fn visit<W: Width, const N: usize, K: Kind>(mut self) -> Report {
        let world = World::<W, N, K>::new(&self.config.paces, self.config.begin);
        let mut report = Report::default();
        while report.cases < self.count {
            let start = &self.config.starts[self.draw.below(self.config.starts.len())];
            let case = self.case();
            if case.ops.iter().any(|op| op.is_clock()) || case.ops().any(|op| op.is_wrong()) {
                continue;
            }
            let Some(finding) = run(world, &start.ops, &case) else {
                continue;
            };
            report.cases += 1;
            if let Some(finding) = finding {
                let group = format!("{:?} {:?}", case.ops, case.between);
                report.add_text(finding.kind, group, 0, || {
                    let (name, start, what) = (&self.config.name, start, &finding.what);
                    format!(
                        "{name}, {} {:?}: {case}\n      {what}",
                        start.name, start.ops
                    )
                });
            }
        }
        report.lost = world.lost.get();
        report
    }
}

impl Turns<'_> {
    fn case(&mut self) -> Case {
        let Config { few, main, ops, .. } = self.config;
        let draw = &mut self.draw;
        let ops = [few, main, ops][draw.below(3)];
        let steps = |draw: &mut Draw| std::array::from_fn(|_| 1 + draw.below(STEPS));
        Case {
            ops: std::array::from_fn(|_| ops[draw.below(ops.len())]),
            between: (draw.below(2) == 0).then(|| ops[draw.below(ops.len())]),
            turns: [steps(draw), steps(draw)],
        }
    }
}

/// Numbers as good as random: the generator SplitMix64 of Steele, Lea and Flood (2014).
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ bits >> 31) % most as u64) as usize
    }
}

/// None where an operation does not apply, or the first is over before the second begins.
fn run<W: Width, const N: usize, K: Kind>(
    world: &'static World<W, N, K>,
    start: &[Op],
    case: &Case,
) -> Option<Option<Finding>> {
    let is_case = || take_turns(world, case).then_some(()).ok_or(());
    world.judge(start, is_case).ok()
}

/// Says whether both operations came about, and what comes between.
fn take_turns<W: Width, const N: usize, K: Kind>(
    world: &'static World<W, N, K>,
    case: &Case,
) -> bool {
    let baton = Baton::default();
    std::thread::scope(|scope| {
        let second = RefCell::new(None);
        let comes_between = Cell::new(true);
        let pause = || {
            if second.borrow().is_none() {
                comes_between.set(case.between.is_none_or(|op| world.act(op, None)));
                let (baton, shared) = (&baton, Shared(world));
                *second.borrow_mut() = Some(scope.spawn(move || {
                    let mine = baton.take(1);
                    let pause = || mine.pass();
                    let world = shared.world();
                    world.act_in_turns(case.ops[1], &stops(&case.turns[1]), &pause)
                }));
            }
            baton.pass(0);
        };
        let did_first = {
            let _mine = baton.take(0);
            world.act_in_turns(case.ops[0], &stops(&case.turns[0]), &pause)
        };
        let did_second = match second.take() {
            None => false,
            Some(second) => second.join().unwrap_or_else(|why| resume_unwind(why)),
        };
        did_first && did_second && comes_between.get()
    })
}

/// The steps before which an operation stops.
fn stops(turns: &[usize; TURNS]) -> [usize; TURNS] {
    let mut at = 0;
    turns.map(|steps| {
        at += steps;
        at
    })
}

/// Which of two threads goes on. The first begins.
#[derive(Default)]
struct Baton {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    holder: usize,
    over: [bool; 2],
}

impl Baton {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, number: usize) {
        let mut state = self.lock();
        while state.holder != number {
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the other one go on, until it does the same.
    fn pass(&self, number: usize) {
        {
            let mut state = self.lock();
            if !state.over[1 - number] {
                state.holder = 1 - number;
            }
        }
        self.changed.notify_all();
        self.wait(number);
    }

    fn take(&self, number: usize) -> Held<'_> {
        self.wait(number);
        Held {
            baton: self,
            number,
        }
    }
}

/// A thread's part; when it is dropped, also by unwinding, the other one goes on to its end.
struct Held<'b> {
    baton: &'b Baton,
    number: usize,
}

impl Held<'_> {
    fn pass(&self) {
        self.baton.pass(self.number);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        {
            let mut state = self.baton.lock();
            state.over[self.number] = true;
            state.holder = 1 - self.number;
        }
        self.baton.changed.notify_all();
    }
}

/// A world on two threads.
struct Shared<W: Width, const N: usize, K: Kind>(&'static World<W, N, K>);

impl<W: Width, const N: usize, K: Kind> Shared<W, N, K> {
    fn world(&self) -> &'static World<W, N, K> {
        self.0
    }
}

// SAFETY: the second thread uses the world only while it holds the baton, or when the first one is over and waits for its end. The
// lock on the baton orders what one has done before what the other does next.
unsafe impl<W: Width, const N: usize, K: Kind> Send for Shared<W, N, K> {}
