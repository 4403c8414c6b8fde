//! User code (wakers, clocks, recorders, subscribers, and their drops) behind a guard: what it breaks is its own.

use std::any::Any;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

/// None if `call` panics. What is seen of it afterwards must be whole at every point where it calls user code.
#[inline]
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(done) => Some(done),
        Err(payload) => {
            let_go(payload);
            None
        }
    }
}

/// What somebody panicked with is user code, too, when it is dropped.
#[cold]
pub(crate) fn let_go(payload: Box<dyn Any + Send>) {
    if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
}
