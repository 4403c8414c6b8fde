//! Calls that come from within a waker that the same call has called, on one thread: their depth must not grow with the line.

use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// What this thread is in, and whether the same was asked for from within.
    static IN: RefCell<Vec<(Call, bool)>> = const { RefCell::new(Vec::new()) };
}

/// What is called, and of which line.
type Call = (What, *const ());

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Releasing those who are due before one who joins.
    Help,
    Advance,
    Grant,
    Close,
}

/// Calls `call`, if this thread is not in such a one of `line` already; else that one will call it once more. Says whether it was called
/// here.
pub(crate) fn unless_nested<T>(what: What, line: &Arc<T>, mut call: impl FnMut()) -> bool {
    let this = (what, Arc::as_ptr(line).cast());
    let is_nested = IN.try_with(|all| {
        let mut all = all.borrow_mut();
        match all.iter_mut().find(|(call, _)| *call == this) {
            Some((_, again)) => {
                *again = true;
                true
            }
            None => {
                all.push((this, false));
                false
            }
        }
    });
    // Where the thread is just ending there is no place for it.
    if is_nested == Ok(true) {
        return false;
    }
    let _leave = Leave(this);
    loop {
        call();
        if !is_asked_for_again(this) {
            return true;
        }
    }
}

fn is_asked_for_again(this: Call) -> bool {
    let asked = IN.try_with(|all| {
        let mut all = all.borrow_mut();
        let of_this = all.iter_mut().find(|(call, _)| *call == this);
        of_this.is_some_and(|(_, again)| std::mem::take(again))
    });
    asked.unwrap_or(false)
}

struct Leave(Call);

impl Drop for Leave {
    fn drop(&mut self) {
        let _ = IN.try_with(|all| all.borrow_mut().retain(|(call, _)| *call != self.0));
    }
}
