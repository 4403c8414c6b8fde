//! Locks that a fork may have copied while another thread of the parent held them: in the child they are held for ever.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// Locks what was made in `process`; none where this is another one, and somebody may have held the lock at the fork.
pub(crate) fn unless_inherited<T>(mutex: &Mutex<T>, process: u32) -> Option<MutexGuard<'_, T>> {
    // What these locks guard is whole between any two statements.
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) if process == std::process::id() => {
            Some(mutex.lock().unwrap_or_else(PoisonError::into_inner))
        }
        Err(TryLockError::WouldBlock) => None,
    }
}
