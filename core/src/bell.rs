//! The bell that wakes a sleeping driver.

use core::task::Waker;

use crate::atomic::const_unless_loom;
use crate::slot::{Register, Release, SLOT_BITS, Slot};

/// A place for the waker of one sleeping driver.
///
/// Each ring moves a [`Slot`] on by a lap, so the slot's own argument holds: a driver registers for the lap it has read,
/// and a ring in between makes that fail. Whichever of the two comes second in the order of the word sees the other: the
/// driver finds the lap moved, and everything done before the ring is visible to it; or the ring finds the waker.
#[derive(Debug)]
pub(crate) struct Bell {
    slot: Slot,
}

const LAP: usize = 1 << SLOT_BITS;

impl Bell {
    const_unless_loom! {
    pub(crate) const fn new() -> Self {
        Self { slot: Slot::new() }
    }
    }

    /// Leaves `waker` to be called by the next ring, in place of one left before.
    ///
    /// Whatever was done before a ring that this call comes after, its caller sees.
    pub(crate) fn register(&self, waker: &Waker) {
        loop {
            match self.slot.register(self.slot.lap(), waker) {
                Register::Armed => return,
                // A ring came first: what it announced is visible now, but a later ring must find the waker.
                Register::Over(_) => {}
                // A ring is just taking out the waker before. It may be slow, so don't wait for it: come back at once.
                Register::Busy => return waker.wake_by_ref(),
            }
        }
    }

    /// Wakes the driver, if it left its waker.
    pub(crate) fn ring(&self) {
        loop {
            let lap = self.slot.lap();
            match self.slot.release(lap, lap.wrapping_add(LAP)) {
                Release::Done(Some(waker)) => return waker.wake(),
                Release::Done(None) => return,
                // Another ring came between. It may have come before the register that hid our news, so ring again.
                Release::Already | Release::Cancelled | Release::Closed => {}
            }
        }
    }
}
