//! How many calls are under way, where that is limited: `Builder::at_once`. A loom model takes this very file in
//! (`tests/tests/loom/given.rs`).

#[cfg(loom)]
use loom::sync::atomic::{AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// A call is under way from the release of its waiter until its turn is dropped.
#[derive(Debug)]
pub(crate) struct Calls {
    /// None where they are not counted.
    at_once: Option<usize>,
    under_way: AtomicUsize,
}

impl Calls {
    pub(crate) fn at_once(at_once: Option<usize>) -> Self {
        Self {
            at_once,
            under_way: AtomicUsize::new(0),
        }
    }

    /// How many may be under way, where that is limited here.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.at_once.filter(|&at_once| at_once < usize::MAX)
    }

    #[inline]
    pub(crate) fn are_counted(&self) -> bool {
        self.at_once.is_some()
    }

    pub(crate) fn under_way(&self) -> usize {
        // Ordering: Acquire; whoever finds room has what the call that made it did.
        self.under_way.load(Ordering::Acquire)
    }

    /// How many more may begin.
    pub(crate) fn room(&self) -> usize {
        self.at_once.map_or(usize::MAX, |at_once| {
            // Ordering: SeqCst, with the one of `end`.
            fence(Ordering::SeqCst);
            at_once.saturating_sub(self.under_way())
        })
    }

    /// One begins. False where there is no room.
    pub(crate) fn begin(&self) -> bool {
        let Some(at_once) = self.at_once else {
            return true;
        };
        // Ordering: as above.
        self.under_way
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |under_way| {
                (under_way < at_once).then_some(under_way + 1)
            })
            .is_ok()
    }

    /// One is over.
    pub(crate) fn end(&self) {
        if self.are_counted() {
            // Ordering: Release; whoever finds the room has what it did.
            self.under_way.fetch_sub(1, Ordering::Release);
            // Ordering: SeqCst, with the one of `room`: whoever looks after this whether somebody is in line sees who is, or else the
            // driver's look, which that one has woken, sees the room.
            fence(Ordering::SeqCst);
        }
    }
}
