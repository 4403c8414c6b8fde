//! [`Line`]: those in line, as one limit sees them.

use std::task::Waker;

use apiqueue::Waiters;

pub(super) trait Line {
    /// How many wait for this limit.
    fn count(&self) -> usize;

    /// What the first costs. None where it can't go now.
    fn first_weight(&self) -> Option<usize>;

    /// Lets the first go, if it is there yet.
    fn release_first(&self) -> bool;

    /// Whether the first can go now, where there is never room for more than one.
    fn goes_one_at_a_time(&self) -> Option<bool>;

    /// See [`Waiters::take_returned`].
    fn take_returned(&self) -> usize;

    /// See [`Waiters::are_over`].
    fn are_over(&self) -> bool;

    /// See [`Waiters::waker`].
    fn waker(&self) -> &Waker;

    /// See [`Waiters::has_waker`].
    fn has_waker(&self) -> bool;
}

impl Line for Waiters<'_> {
    fn count(&self) -> usize {
        self.count()
    }

    fn first_weight(&self) -> Option<usize> {
        self.first_weight()
    }

    fn release_first(&self) -> bool {
        self.release(1) == 1
    }

    fn goes_one_at_a_time(&self) -> Option<bool> {
        None
    }

    fn take_returned(&self) -> usize {
        self.take_returned()
    }

    fn are_over(&self) -> bool {
        self.are_over()
    }

    fn waker(&self) -> &Waker {
        self.waker()
    }

    fn has_waker(&self) -> bool {
        self.has_waker()
    }
}
