//! [`Waiters`]: what whoever gives permits sees of a line.

use std::cell::Cell;
use std::fmt;
use std::task::Waker;

/// A line, as whoever gives permits sees it.
pub(crate) trait InLine {
    /// How many are in line at most, and what the first costs. None where nobody is.
    fn first(&self) -> Option<First>;

    /// How many calls may begin.
    fn room(&self) -> usize;

    /// Releases up to `count`, and says how many.
    fn release(&self, count: usize) -> usize;

    /// How many permits came back since the last call.
    fn take_returned(&self) -> usize;
}

pub(crate) struct First {
    pub(crate) count: usize,
    pub(crate) weight: usize,
}

/// Those in line of one queue, as [`Permits::give`](super::Permits::give) sees them.
pub struct Waiters<'a> {
    /// None when the queue is gone.
    line: Option<&'a dyn InLine>,
    are_over: bool,
    /// None for a driver that leaves none.
    waker: Option<&'a Waker>,
    released: Cell<usize>,
    /// Whether the latest look found nobody, or somebody was released since.
    is_unseen: Cell<bool>,
}

impl<'a> Waiters<'a> {
    pub(crate) fn of(line: &'a dyn InLine, are_over: bool, waker: Option<&'a Waker>) -> Self {
        Self {
            line: Some(line),
            are_over,
            waker,
            released: Cell::new(0),
            is_unseen: Cell::new(false),
        }
    }

    /// Of a queue that is gone.
    pub(crate) fn gone(waker: &'a Waker) -> Self {
        Self {
            line: None,
            are_over: true,
            waker: Some(waker),
            released: Cell::new(0),
            is_unseen: Cell::new(false),
        }
    }

    /// Who is first, if anybody is, and how many calls may begin.
    fn look(&self) -> Option<(First, usize)> {
        let line = self.line?;
        let first = line.first();
        self.is_unseen.set(first.is_none());
        Some((first?, line.room()))
    }

    /// Whether somebody may have come who was not seen.
    pub(crate) fn may_have_missed_one(&self) -> bool {
        self.is_unseen.get()
    }

    /// Whether nobody is in line any more, nor will be.
    #[must_use]
    pub fn are_over(&self) -> bool {
        self.are_over
    }

    /// How many can be released now, at most: places that are taken, as far as the limit on calls under way lets them. Some of them may
    /// have been left.
    #[must_use]
    pub fn count(&self) -> usize {
        self.look().map_or(0, |(first, room)| first.count.min(room))
    }

    /// What the first in line costs. None where nobody can be released now.
    #[must_use]
    pub fn first_weight(&self) -> Option<usize> {
        let (first, room) = self.look()?;
        (room > 0).then_some(first.weight)
    }

    /// Releases up to `count` of them, whatever they cost, and says how many.
    pub fn release(&self, count: usize) -> usize {
        let released = self.line.map_or(0, |line| line.release(count));
        if released > 0 {
            self.is_unseen.set(true);
        }
        self.add_released(released);
        released
    }

    /// How many permits came back since the last call: of waiters who were released and gone.
    #[must_use = "they are yours again"]
    pub fn take_returned(&self) -> usize {
        self.line.map_or(0, |line| line.take_returned())
    }

    /// Has the driver come back to [`Permits::give`](super::Permits::give), if it [leaves one](Self::has_waker).
    #[must_use]
    pub fn waker(&self) -> &Waker {
        self.waker.unwrap_or(Waker::noop())
    }

    /// Whether the driver leaves a waker. One who calls [`ApiQueue::advance`](crate::ApiQueue::advance) comes back only at the time that it
    /// is told.
    #[must_use]
    pub fn has_waker(&self) -> bool {
        self.waker.is_some()
    }

    /// Others were released, too.
    pub(crate) fn add_released(&self, count: usize) {
        self.released.set(self.released.get() + count);
    }

    pub(crate) fn released(&self) -> usize {
        self.released.get()
    }
}

impl fmt::Debug for Waiters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiters")
            .field("are_over", &self.are_over)
            .finish_non_exhaustive()
    }
}
