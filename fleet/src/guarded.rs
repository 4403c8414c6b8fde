//! What others may break: user code (backends, their futures, what is told news), and locks that a fork has copied.

use std::any::Any;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// None if `call` panics.
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
fn let_go(payload: Box<dyn Any + Send>) {
    if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
}

/// Locks what was made in `process`. None where this is a child forked from it and somebody may have held the lock at the fork: there
/// it is held for ever.
///
/// No user code runs under these locks, and what they guard is whole between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>, process: u32) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) if process == std::process::id() => {
            Some(mutex.lock().unwrap_or_else(PoisonError::into_inner))
        }
        Err(TryLockError::WouldBlock) => None,
    }
}
