//! [`WaitedFor`].

/// What a [`Turn`](crate::Turn) has waited for. Of several things, the latter in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitedFor {
    /// Nothing: a permit was free.
    Nothing,
    /// The next permit, by the rate or another limit.
    Rate,
    /// Others who were ahead in line, and the permits for them.
    Others,
    /// The end of a [hold](crate::ApiQueue::hold_for) of this queue.
    Hold,
}
