//! The enumeration: every operation, every step, every sequence, the short ones first.

use crate::case::{Case, DEPTH, Nested, Outcome, Second};
use crate::config::{Config, Start};
use crate::op::Op;
use crate::replay::run;
use crate::report::Report;
use crate::width::{Kind, Visit, Width};
use crate::world::World;

/// How far to go: the longest sequences of each set of operations, and in which of them a second thread stands still.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of all operations.
    pub all: usize,
    /// Of the main ones.
    pub main: usize,
    /// Of the main ones, with a second thread.
    pub nested_main: usize,
    /// Of the fewest, with a second thread.
    pub nested_few: usize,
}

/// The whole set's bounds for a configuration: an hour for all of them on two cores.
#[must_use]
pub fn whole(config: &Config) -> Bounds {
    Bounds {
        all: 2,
        main: if config.deep { 3 } else { 0 },
        nested_main: usize::from(config.deep && !config.weighted),
        nested_few: if config.deep && config.capacity == 1 {
            2
        } else {
            1
        },
    }
}

/// The quick set's.
#[must_use]
pub fn quick(config: &Config) -> Bounds {
    let deep = config.deep && config.capacity < 4;
    Bounds {
        all: 1,
        main: if deep { 2 } else { 0 },
        nested_main: 0,
        nested_few: usize::from(deep && config.capacity == 1),
    }
}

/// Explores what the configuration's operation number `op` meets at the start number `start`.
#[must_use]
pub fn explore(config: &Config, start: usize, op: usize, bounds: Bounds) -> Report {
    config.visit(Explore {
        config,
        start,
        op,
        bounds,
    })
}

struct Explore<'c> {
    config: &'c Config,
    start: usize,
    op: usize,
    bounds: Bounds,
}

impl Visit for Explore<'_> {
    type Answer = Report;

    fn visit<W: Width, const N: usize, K: Kind>(self) -> Report {
        let world = World::<W, N, K>::new(&self.config.paces, self.config.begin);
        let mut walk = Walk {
            config: self.config,
            start: &self.config.starts[self.start],
            op: self.config.ops[self.op],
            world,
            report: Report::default(),
        };
        walk.all(self.bounds);
        walk.report.lost = world.lost.get();
        walk.report
    }
}

struct Walk<'c, W: Width, const N: usize, K: Kind> {
    config: &'c Config,
    start: &'c Start,
    op: Op,
    world: &'static World<W, N, K>,
    report: Report,
}

impl<W: Width, const N: usize, K: Kind> Walk<'_, W, N, K> {
    fn all(&mut self, bounds: Bounds) {
        if self.op.is_clock() || !self.fits(&[]) {
            return;
        }
        if matches!(self.run(None, &[], None, false), Outcome::NoOperation) {
            return;
        }
        let mut steps = 0;
        for late in [false, true] {
            let mut stop = 0;
            while !matches!(self.run(Some(stop), &[], None, late), Outcome::NoStep) {
                stop += 1;
            }
            steps = stop;
        }
        let Config { ops, main, few, .. } = self.config;
        for depth in 1..=DEPTH {
            if depth <= bounds.all {
                self.sequences(ops, depth, steps);
            } else if depth <= bounds.main {
                self.sequences(main, depth, steps);
            }
            if depth <= bounds.nested_main {
                self.nested(main, depth, steps);
            } else if depth <= bounds.nested_few && few.contains(&self.op) {
                self.nested(few, depth, steps);
            }
        }
    }

    fn run(
        &mut self,
        stop: Option<usize>,
        meets: &[Op],
        nested: Option<Nested>,
        late: bool,
    ) -> Outcome {
        let case = Case {
            start: &self.start.ops,
            stopped: self.op,
            stop,
            meets,
            nested,
            late,
        };
        let outcome = run(self.world, &case);
        if let Outcome::Judged(finding) = &outcome {
            self.report.cases += 1;
            if let Some(finding) = finding {
                self.report
                    .add(&self.config.name, self.start.name, &case, finding);
            }
        }
        outcome
    }

    fn sequences(&mut self, ops: &[Op], depth: usize, steps: usize) {
        let mut odometer = Some([0; DEPTH]);
        while let Some(turns) = odometer {
            let meets = turns.map(|index| ops[index]);
            // The place from which on no sequence that begins so applies, at any step.
            let mut place = depth - 1;
            if self.fits(&meets[..depth]) && ends_well(&meets[..depth]) {
                place = 0;
                for stop in 0..steps {
                    let mut applies = depth - 1;
                    for late in [false, true] {
                        if let Outcome::NotApplicable(index) =
                            self.run(Some(stop), &meets[..depth], None, late)
                        {
                            applies = index;
                            break;
                        }
                    }
                    place = place.max(applies);
                }
            }
            odometer = turn(turns, place, ops.len());
        }
    }

    fn nested(&mut self, ops: &[Op], depth: usize, steps: usize) {
        let mut odometer = Some([0; DEPTH]);
        while let Some(turns) = odometer {
            let meets = &turns.map(|index| ops[index])[..depth];
            if self.fits(meets) {
                for at in 0..depth.min(2) {
                    for &op in ops {
                        let mut all = [Op::Advance; DEPTH + 1];
                        all[..depth].copy_from_slice(meets);
                        all[depth] = op;
                        if !meets[at].is_clock() && self.fits(&all[..=depth]) {
                            for stop in 0..steps {
                                self.nested_in(stop, meets, at, op);
                            }
                        }
                    }
                }
            }
            odometer = turn(turns, depth - 1, ops.len());
        }
    }

    fn nested_in(&mut self, stop: usize, meets: &[Op], at: usize, op: Op) {
        for second in 0.. {
            for (then, late) in [
                (Second::GoesOn, false),
                (Second::GoesOn, true),
                (Second::Stays, true),
                (Second::Never, false),
            ] {
                // Unwinding would drop the waiter that `enter` has in its hand.
                if then == Second::Never && matches!(meets[at], Op::Enter(_)) {
                    continue;
                }
                let nested = Nested {
                    at,
                    stop: second,
                    op,
                    then,
                };
                match self.run(Some(stop), meets, Some(nested), late) {
                    Outcome::NoNestedStep
                    | Outcome::NotApplicable(_)
                    | Outcome::NoOperation
                    | Outcome::NoStep => return,
                    Outcome::Judged(_) => {}
                }
            }
        }
    }

    fn fits(&self, meets: &[Op]) -> bool {
        fits(self.start, self.op, meets) && meets.windows(2).all(says_something)
    }
}

/// Whether the judge knows what is promised of such a case.
#[must_use]
pub fn fits(start: &Start, stopped: Op, meets: &[Op]) -> bool {
    let all = || meets.iter().chain([&stopped]);
    let glitches = all().filter(|op| matches!(op, Op::Glitch { .. })).count();
    // A rate, a hold and a refund go by the reading that they find, and a grant by none.
    let goes_by_another = all().chain(&start.ops).any(|op| {
        matches!(
            op,
            Op::SetRate(_) | Op::Hold(_) | Op::Resume | Op::Refund(_) | Op::Grant
        )
    });
    glitches == 0 || (glitches == 1 && !goes_by_another)
}

/// Whether the second of two operations in a row can show anything that it would not alone.
fn says_something(pair: &[Op]) -> bool {
    match (pair[0], pair[1]) {
        (Op::Tick(_), Op::Tick(_))
        | (Op::Advance, Op::Advance)
        | (Op::Close, Op::Close | Op::Drain)
        | (Op::Drain, Op::Drain)
        | (Op::Look(_) | Op::Status(_), Op::Look(_) | Op::Status(_)) => false,
        (Op::SetRate(a), Op::SetRate(b)) => a != b,
        _ => true,
    }
}

/// The next sequence: the operation at `place` changes, and all behind it start again.
fn turn(mut turns: [usize; DEPTH], mut place: usize, ops: usize) -> Option<[usize; DEPTH]> {
    loop {
        turns[place] += 1;
        turns[place + 1..].fill(0);
        if turns[place] < ops {
            return Some(turns);
        }
        place = place.checked_sub(1)?;
    }
}

/// Whether the last operation can show anything: the judge looks by itself. The clock may have to move before the one that
/// stands still goes on.
fn ends_well(meets: &[Op]) -> bool {
    meets.len() < 2 || !matches!(meets.last(), Some(Op::Look(_) | Op::Status(_)))
}
