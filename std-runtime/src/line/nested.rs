//! Calls that come from within a waker that the same call has called, on one thread: their depth must not grow with the line.

use std::cell::RefCell;
use std::ptr;

use super::Line;

thread_local! {
    /// What this thread is in.
    static IN: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
}

/// What is called, and of which line.
type Call = (What, *const Line);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Releasing those who are due before one who joins.
    Help,
    Close,
}

/// Calls `call`, if this thread is not in such a one of `line` already.
pub(super) fn unless_nested(what: What, line: &Line, call: impl FnOnce()) {
    let this = (what, ptr::from_ref(line));
    let is_nested = IN.try_with(|all| {
        let mut all = all.borrow_mut();
        let is_nested = all.contains(&this);
        if !is_nested {
            all.push(this);
        }
        is_nested
    });
    // Where the thread is just ending there is no place for it.
    if is_nested == Ok(true) {
        return;
    }
    let _leave = Leave(this);
    call();
}

struct Leave(Call);

impl Drop for Leave {
    fn drop(&mut self) {
        let _ = IN.try_with(|all| all.borrow_mut().retain(|call| *call != self.0));
    }
}
