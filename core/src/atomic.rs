//! The atomics that everything above is written on, in three makes of the same shape: portable-atomic's, loom's
//! under `--cfg loom`, and a make that calls a hook before each access, with which the tests stop a thread at every
//! step (`tests/stepped`).

#[cfg(all(not(loom), not(feature = "stepped")))]
pub(crate) use portable_atomic::{AtomicU8, AtomicU32, AtomicUsize};

#[cfg(all(
    not(loom),
    not(feature = "stepped"),
    any(target_has_atomic = "64", feature = "wide-ticks-fallback")
))]
pub(crate) use portable_atomic::AtomicU64;

#[cfg(loom)]
pub(crate) use crate::modelled::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize};

#[cfg(feature = "stepped")]
pub(crate) use crate::stepped::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize};

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
