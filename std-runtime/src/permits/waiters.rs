//! [`Waiters`]: what whoever gives permits sees of a line.

use std::cell::Cell;
use std::sync::Arc;
use std::task::Waker;

use crate::line::Line;

/// Those in line of one queue, as [`Permits::give`](super::Permits::give) sees them.
#[derive(Debug)]
pub struct Waiters<'a> {
    /// None when the queue is gone.
    line: Option<&'a Arc<Line>>,
    are_over: bool,
    /// None for a driver that leaves none.
    waker: Option<&'a Waker>,
    released: Cell<usize>,
    /// The latest look found nobody in line.
    found_nobody: Cell<bool>,
}

impl<'a> Waiters<'a> {
    pub(crate) fn of(line: &'a Arc<Line>, are_over: bool, waker: Option<&'a Waker>) -> Self {
        Self {
            line: Some(line),
            are_over,
            waker,
            released: Cell::new(0),
            found_nobody: Cell::new(false),
        }
    }

    /// Of a queue that is gone.
    pub(crate) fn gone(waker: &'a Waker) -> Self {
        Self {
            line: None,
            are_over: true,
            waker: Some(waker),
            released: Cell::new(0),
            found_nobody: Cell::new(false),
        }
    }

    pub(crate) fn line(&self) -> Option<&'a Arc<Line>> {
        self.line
    }

    /// The line, if somebody is in it.
    fn somebody(&self) -> Option<&'a Arc<Line>> {
        let line = self.line.filter(|line| line.queue.first_weight().is_some());
        self.found_nobody.set(line.is_none());
        line
    }

    /// Whether whoever gives permits has last found nobody in line, where the driver may have seen somebody before: then it has left
    /// no waker there for the next to come.
    pub(crate) fn found_nobody(&self) -> bool {
        self.found_nobody.get()
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
        self.somebody()
            .map_or(0, |line| line.queue.len().min(line.room()))
    }

    /// What the first in line costs. None where nobody can be released now.
    #[must_use]
    pub fn first_weight(&self) -> Option<usize> {
        self.somebody().and_then(|line| line.first_weight())
    }

    /// Releases up to `count` of them, whatever they cost, and says how many.
    pub fn release(&self, count: usize) -> usize {
        let released = self.line.map_or(0, |line| line.grant(count));
        self.released.set(self.released.get() + released);
        if released < count {
            let _ = self.somebody();
        }
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
