//! The end of a case: a driver that nobody stops, and a look at what must not be left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::judge::Told;
use crate::op::{Op, Who};
use crate::place::Finding;
use crate::width::{Kind, Width};
use crate::world::World;

impl<W: Width, const N: usize, K: Kind> World<W, N, K> {
    /// Runs a case after its start, judges it and makes the world ready for the next. An error, of `case`, where it is none.
    pub(crate) fn judge<E>(
        &'static self,
        start: &[Op],
        case: impl FnOnce() -> Result<(), E>,
    ) -> Result<Option<Finding>, E> {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for &op in start {
                assert!(self.act(op, None), "the start does not apply: {op:?}");
            }
            case().map(|()| self.finish())
        }));
        self.abandoned.set(self.abandoned.get() || outcome.is_err());
        let finding = self.oracle.borrow_mut().finding.take();
        let left_over = self.reset();
        let Ok(outcome) = outcome else {
            return Ok(Some(Finding {
                kind: "G8 panicked",
                what: String::from("see above"),
            }));
        };
        let lost = || Finding {
            kind: "G6 a waker lost or dropped twice",
            what: format!("{left_over} clones"),
        };
        outcome.map(|()| finding.or_else(|| (left_over != 0).then(lost)))
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
                    // A 32-bit clock is visited at least each 2^26 ticks.
                    let ticks = u32::try_from(at - now).unwrap_or(u32::MAX).min(1 << 26);
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
}
