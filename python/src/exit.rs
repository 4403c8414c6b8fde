//! How threads leave the interpreter to wait, and how they come back.
//!
//! Once the interpreter ends, a daemon thread that asks for its lock is ended in the middle of whatever it does, which a program in Rust
//! answers with an abort. So from then on none comes back: it sleeps until the process ends. The interpreter says when by `close`, which
//! runs at exit, and waits there for those who are just on their way back.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

/// The interpreter ends.
static IS_CLOSED: AtomicBool = AtomicBool::new(false);
/// Threads that are about to ask for the interpreter's lock.
static RETURNING: AtomicUsize = AtomicUsize::new(0);
/// How many forks this process comes from, as far as the interpreter made them.
static GENERATION: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Set on the thread that ends the interpreter.
    static IS_CLOSING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `wait` without the interpreter's lock.
pub(crate) fn without_gil<T: Send>(py: Python<'_>, wait: impl Send + FnOnce() -> T) -> T {
    let done = py.detach(|| {
        let done = wait();
        come_back();
        done
    });
    RETURNING.fetch_sub(1, Ordering::SeqCst);
    done
}

fn come_back() {
    // Counted first and looked at then, in one order with `close`, which does it the other way round: either sees the other.
    RETURNING.fetch_add(1, Ordering::SeqCst);
    if IS_CLOSED.load(Ordering::SeqCst) && !IS_CLOSING.get() {
        RETURNING.fetch_sub(1, Ordering::SeqCst);
        loop {
            thread::park();
        }
    }
}

/// At exit: from now on no other thread comes back.
#[pyfunction]
pub(crate) fn close(py: Python<'_>) {
    IS_CLOSING.set(true);
    IS_CLOSED.store(true, Ordering::SeqCst);
    while RETURNING.load(Ordering::SeqCst) > 0 {
        py.detach(|| thread::sleep(Duration::from_millis(1)));
    }
}

/// In a forked child, whose only thread is the one that called `fork`.
#[pyfunction]
pub(crate) fn after_fork() {
    RETURNING.store(0, Ordering::SeqCst);
    GENERATION.fetch_add(1, Ordering::SeqCst);
}

/// Raised by each fork: what was made in another one is the parent's.
#[pyfunction]
pub(crate) fn generation() -> u64 {
    // Only the thread that forks changes it, before any other is there.
    GENERATION.load(Ordering::Relaxed)
}
