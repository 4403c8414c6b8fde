//! Every way to wait: for a place, for a release, for both; on a thread or a task.

pub(crate) mod block;
pub(crate) mod next_turn;
pub(crate) mod place;
pub(crate) mod room;
pub(crate) mod turn;
pub(crate) mod waiter;
