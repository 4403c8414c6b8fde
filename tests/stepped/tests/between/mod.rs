//! A handler that comes once, before each atomic step of an operation in turn.

use std::cell::Cell;
use std::rc::Rc;

use apiqueue_core_stepped::stepped::with_hook;

/// Before which of its steps an operation is interrupted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step(usize);

impl Step {
    /// Runs `operation` with `handler` called before that step. False when there is no such step.
    pub(crate) fn run(self, mut handler: impl FnMut() + 'static, operation: impl FnOnce()) -> bool {
        let hit = Rc::new(Cell::new(false));
        let (mark, mut step) = (hit.clone(), 0);
        with_hook(
            move || {
                if step == self.0 {
                    mark.set(true);
                    handler();
                }
                step += 1;
            },
            operation,
        );
        hit.get()
    }
}

/// Runs `test` for one step after the other, until it says that there are no more. There are some.
pub(crate) fn at_every_step(mut test: impl FnMut(Step) -> bool) {
    for step in 0..10_000 {
        if !test(Step(step)) {
            assert!(step > 0, "there is a step");
            return;
        }
    }
    panic!("an operation without an end");
}
