//! Where a queue's slots are, when they are not the caller's.

use core::ops::{Deref, DerefMut};

use crate::atomic::const_unless_loom;
use crate::slot::Slot;

/// `N` slots in place, for a queue that is a `static` or on the stack.
#[derive(Debug)]
pub struct Inline<const N: usize>([Slot; N]);

impl<const N: usize> Inline<N> {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self([const { Slot::new() }; N])
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(core::array::from_fn(|_| Slot::new()))
    }
}

impl<const N: usize> Deref for Inline<N> {
    type Target = [Slot];

    #[inline]
    fn deref(&self) -> &[Slot] {
        &self.0
    }
}

impl<const N: usize> DerefMut for Inline<N> {
    fn deref_mut(&mut self) -> &mut [Slot] {
        &mut self.0
    }
}

/// The slot that an index out of range gets: nobody's.
#[cfg(not(loom))]
pub(crate) fn spare() -> &'static Slot {
    static SPARE: Slot = Slot::new();
    &SPARE
}

#[cfg(loom)]
pub(crate) fn spare() -> &'static Slot {
    unreachable!("the mask keeps every index in range")
}

const_unless_loom! {
/// As many free slots, to make storage of.
pub const fn slots<const N: usize>() -> Inline<N> {
    Inline::new()
}
}
