//! [`DriverWaker`]: the place where a sleeping driver leaves its waker.

use core::task::Waker;

use crate::atomic::const_unless_loom;
use crate::layout::slot::{BITS, LAP};
use crate::slot::{Register, Release, Slot};

/// A place for the waker of one sleeping driver.
///
/// Each wake moves a [`Slot`] on by a lap, so the slot's own argument holds: a driver registers for the lap it has read,
/// and a wake in between makes that fail. Whichever of the two comes second in the order of the word sees the other: the
/// driver finds the lap moved, and everything done before the wake is visible to it; or the wake finds the waker.
#[derive(Debug)]
pub(crate) struct DriverWaker {
    slot: Slot,
}

const NEXT: usize = 1 << BITS;

impl DriverWaker {
    const_unless_loom! {
    pub(crate) const fn new() -> Self {
        Self { slot: Slot::new() }
    }
    }

    /// Leaves a clone of `waker` to be called by the next wake, in place of one left before.
    ///
    /// Whatever was done before a wake that this call comes after, its caller sees. `waker` is cloned once at most, so that a
    /// clone that wakes the driver does not keep this from ending.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut clone = None;
        loop {
            match self
                .slot
                .register(self.slot.word() & LAP, waker, &mut clone)
            {
                Register::Armed => return,
                // A wake came first: what it announced is visible now, but a later one must find the waker.
                Register::Over(_) => {}
                // A wake is just taking out the waker before. It may be slow, so don't wait for it: come back at once.
                Register::Busy => return waker.wake_by_ref(),
            }
        }
    }

    /// Wakes the driver, if it left its waker.
    pub(crate) fn wake(&self) {
        let mut waker = None;
        loop {
            let lap = self.slot.word() & LAP;
            // Another wake may come between. It may have come before the register that hid our news, so try again.
            if let Release::Done = self.slot.release(lap, lap.wrapping_add(NEXT), &mut waker) {
                break;
            }
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
