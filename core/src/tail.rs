//! The line's end: the word that hands out tickets and tells whether the door is open.
//!
//! Because the marks are in the same word as the ticket, one compare-and-swap decides whether a ticket was handed out before
//! the door closed, and whether the sleeping driver has seen it: a driver that finds the queue empty sets `IDLE` only if the
//! tail is still where it looked. It is the driver that clears the mark, when it is up again; until then everyone who takes a
//! ticket wakes it, so that none depends on another's having done so.

use crate::atomic::{AtomicUsize, Ordering, const_unless_loom};
use crate::layout::tail::{CLOSED, DRAINING, IDLE, MARKS};
use crate::layout::{EXTRA, ONE, TICKET};

#[derive(Debug)]
pub(crate) struct Tail {
    word: AtomicUsize,
}

/// The tail's word, as it was at some moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct End(usize);

impl End {
    /// The ticket to be handed out next.
    #[inline]
    pub(crate) fn ticket(self) -> usize {
        self.0 & TICKET
    }

    /// Nobody is let in any more.
    pub(crate) fn is_shut(self) -> bool {
        self.0 & (CLOSED | DRAINING) != 0
    }

    pub(crate) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(crate) fn is_idle(self) -> bool {
        self.0 & IDLE != 0
    }

    /// The weight, in its bits, of the latest ticket, if it is not in its slot yet.
    #[inline]
    pub(crate) fn weight(self) -> usize {
        self.0 & EXTRA
    }
}

impl Tail {
    const_unless_loom! {
    pub(crate) const fn new() -> Self {
        Self { word: AtomicUsize::new(0) }
    }
    }

    #[inline]
    pub(crate) fn load(&self) -> End {
        // Ordering: Acquire pairs with the CAS that hands out a ticket. Callers that compare it with the head load the
        // head first: the tail is then at least as far.
        End(self.word.load(Ordering::Acquire))
    }

    /// [`load`](Self::load), and sure to see the latest ticket: whoever hands out the next one then has what came before this
    /// call in its past.
    pub(crate) fn latest(&self) -> End {
        // Ordering: a read-modify-write, as only that reads the latest word; AcqRel for the sentence above.
        End(self.word.fetch_or(0, Ordering::AcqRel))
    }

    /// Hands out the ticket that `end` shows, with its weight in its bits. The word after it, or the word that came between.
    #[inline]
    pub(crate) fn hand_out(&self, end: End, weight: usize) -> Result<End, End> {
        let next = end.ticket().wrapping_add(ONE) | weight | end.0 & IDLE;
        // Ordering: Release, so that a driver which sees the ticket sees what its waiter did before; Acquire to see
        // the waker of the driver that set IDLE.
        match self
            .word
            .compare_exchange(end.0, next, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => Ok(End(next)),
            Err(seen) => Err(End(seen)),
        }
    }

    /// The weight that `end` carries stands in its slot now.
    pub(crate) fn weighed(&self, end: End) {
        let mut seen = end.0;
        while seen & !MARKS == end.0 & !MARKS {
            // Ordering: Release, so that who finds no weight pending finds it in the slot.
            match self.word.compare_exchange(
                seen,
                seen & !EXTRA,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// The driver goes to sleep, if nobody has come since `end`.
    pub(crate) fn rest(&self, end: End) -> bool {
        // Ordering: Release, so that who finds the mark sees the waker; Acquire, as everywhere.
        self.word
            .compare_exchange(end.0, end.0 | IDLE, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// The driver is up.
    pub(crate) fn wake(&self) {
        if self.load().is_idle() {
            // Ordering: AcqRel: whoever takes a ticket after it and finds no mark has its ticket seen by this driver.
            self.word.fetch_and(!IDLE, Ordering::AcqRel);
        }
    }

    pub(crate) fn close(&self) {
        // Ordering: Release before the bump of the head: whoever loads the bumped head sees the mark.
        self.word.fetch_or(CLOSED, Ordering::AcqRel);
    }

    pub(crate) fn drain(&self) {
        // Ordering: AcqRel, as in `close`.
        self.word.fetch_or(DRAINING, Ordering::AcqRel);
    }
}
