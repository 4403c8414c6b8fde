//! Runs one case from scratch.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::case::{Case, DEPTH, Outcome, Second};
use crate::op::Op;
use crate::width::{Kind, Width};
use crate::world::World;

/// What unwinds a thread that never goes on.
struct NeverGoesOn;

/// How far a case came.
#[derive(Default)]
struct Course {
    stopped: Cell<bool>,
    nested_stopped: Cell<bool>,
    not_applicable: Cell<Option<usize>>,
    finished: Cell<bool>,
}

/// Runs `case` in `world` and judges it.
pub fn run<W: Width, const N: usize, K: Kind>(
    world: &'static World<W, N, K>,
    case: &Case<'_>,
) -> Outcome {
    let outcome = world.judge(case.start, || run_in(world, case));
    outcome.map_or_else(|none| none, Outcome::Judged)
}

/// An outcome that is none where an operation does not apply, or a step is not there.
fn run_in<W: Width, const N: usize, K: Kind>(
    world: &'static World<W, N, K>,
    case: &Case<'_>,
) -> Result<(), Outcome> {
    let course = Course::default();
    let middle = || {
        course.stopped.set(true);
        play(world, case, &course, 0);
        if case.late && course.not_applicable.get().is_none() && !course.finished.replace(true) {
            world.finish();
        }
    };
    let applies = match case.stop {
        Some(stop) => world.act(case.stopped, Some((stop, &middle))),
        None => {
            let applies = world.act(case.stopped, None);
            course.stopped.set(true);
            play(world, case, &course, 0);
            applies
        }
    };
    if !applies {
        Err(Outcome::NoOperation)
    } else if !course.stopped.get() {
        Err(Outcome::NoStep)
    } else if let Some(index) = course.not_applicable.get() {
        Err(Outcome::NotApplicable(index))
    } else if case.nested.is_some() && !course.nested_stopped.get() {
        Err(Outcome::NoNestedStep)
    } else {
        Ok(())
    }
}

/// What the operation that stands still meets, from `from` on.
fn play<W: Width, const N: usize, K: Kind>(
    world: &'static World<W, N, K>,
    case: &Case<'_>,
    course: &Course,
    from: usize,
) {
    for (index, &op) in case.meets.iter().enumerate().skip(from) {
        let nested = case.nested.filter(|nested| nested.at == index);
        let applies = match nested {
            None => world.act(op, None),
            Some(nested) => {
                let middle = || {
                    course.nested_stopped.set(true);
                    meet(world, case, course, nested.op);
                    match nested.then {
                        Second::GoesOn => {}
                        Second::Stays => {
                            play(world, case, course, index + 1);
                            if course.not_applicable.get().is_none() {
                                course.finished.set(true);
                                world.finish();
                            }
                        }
                        Second::Never => resume_unwind(Box::new(NeverGoesOn)),
                    }
                };
                let act = || world.act(op, Some((nested.stop, &middle)));
                if nested.then == Second::Never {
                    match catch_unwind(AssertUnwindSafe(act)) {
                        Ok(applies) => applies,
                        Err(why) if why.is::<NeverGoesOn>() => {
                            world.abandoned.set(true);
                            true
                        }
                        Err(why) => resume_unwind(why),
                    }
                } else {
                    act()
                }
            }
        };
        if !applies {
            course.not_applicable.set(Some(index));
        }
        let over = nested.is_some() && (!course.nested_stopped.get() || course.finished.get());
        if course.not_applicable.get().is_some() || over {
            return;
        }
    }
}

fn meet<W: Width, const N: usize, K: Kind>(
    world: &'static World<W, N, K>,
    _case: &Case<'_>,
    course: &Course,
    op: Op,
) {
    if !world.act(op, None) {
        course.not_applicable.set(Some(DEPTH));
    }
}
