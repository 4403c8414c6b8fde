//! The atomics that everything above is written on, in four makes of the same shape: portable-atomic's; `called` for 32
//! bits; loom's under `--cfg loom`; and one that calls a hook before each access, with which the tests stop a thread at every
//! step (`tests/stepped`).

#[cfg(loom)]
use crate::modelled as make;

#[cfg(feature = "stepped")]
use crate::stepped as make;

#[cfg(not(any(loom, feature = "stepped")))]
mod make {
    #[cfg(all(
        target_pointer_width = "32",
        any(target_has_atomic = "32", feature = "critical-section")
    ))]
    pub(crate) use crate::called::{AtomicU8, AtomicU32, AtomicUsize};
    #[cfg(any(target_has_atomic = "64", feature = "wide-ticks-fallback"))]
    pub(crate) use portable_atomic::AtomicU64;
    #[cfg(not(all(
        target_pointer_width = "32",
        any(target_has_atomic = "32", feature = "critical-section")
    )))]
    pub(crate) use portable_atomic::{AtomicU8, AtomicU32, AtomicUsize};
}

#[cfg(any(
    loom,
    feature = "stepped",
    target_has_atomic = "64",
    feature = "wide-ticks-fallback"
))]
pub(crate) use make::AtomicU64;
pub(crate) use make::{AtomicU8, AtomicU32, AtomicUsize};
pub(crate) use portable_atomic::Ordering;

#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;

/// `core`'s cell with loom's way of access, so that one text serves both.
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Makes a `const fn`, except under loom, whose atomics can't be made in a constant.
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$meta])*
        $vis const fn $($rest)*

        #[cfg(loom)]
        $(#[$meta])*
        $vis fn $($rest)*
    };
}
pub(crate) use const_unless_loom;
