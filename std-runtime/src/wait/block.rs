//! Where a thread sleeps while it waits, kept from wait to wait so that a wait allocates nothing.

use std::cell::Cell;
use std::task::{Poll, Waker};
use std::time::Instant;

use parking::Parker;

thread_local! {
    static PARKER: Cell<Option<ThreadParker>> = const { Cell::new(None) };
}

/// What a thread sleeps in.
///
/// Not `std::thread::park`, whose one permit the caller's own code may be using. A waker left behind somewhere may unpark
/// the thread in a later wait; that looks again and sleeps on.
struct ThreadParker {
    parker: Parker,
    waker: Waker,
}

/// Blocks this thread until `poll` is ready, or until `until`; then it is None.
pub(crate) fn block_on<T>(
    until: Option<Instant>,
    mut poll: impl FnMut(&Waker) -> Poll<T>,
) -> Option<T> {
    let place = ThreadParker::take();
    let outcome = loop {
        if let Poll::Ready(outcome) = poll(&place.waker) {
            break Some(outcome);
        }
        match until {
            None => place.parker.park(),
            Some(until) => {
                // It may come back early: the call that ended an earlier wait of this thread.
                if !place.parker.park_deadline(until) && Instant::now() >= until {
                    break None;
                }
            }
        }
    };
    place.put_back();
    outcome
}

impl ThreadParker {
    fn take() -> Self {
        PARKER
            .try_with(Cell::take)
            .ok()
            .flatten()
            .unwrap_or_else(|| {
                let (parker, unparker) = parking::pair();
                Self {
                    parker,
                    waker: unparker.into(),
                }
            })
    }

    fn put_back(self) {
        // Where the thread is just ending there is no place for it.
        let _ = PARKER.try_with(|place| place.set(Some(self)));
    }
}
