//! `apiqueue._apiqueue`: the queue of the crate `apiqueue` as Python objects.
//!
//! | | |
//! |---|---|
//! | `queue` | `ApiQueue`: a live queue and what it is started from, which a forked child starts anew |
//! | `settings`, `rate`, `share` | what a queue is started from |
//! | `waiter`, `pending`, `turn` | a place in line, `queue.turn()`, and what both give |
//! | `bell`, `steps` | what a release leaves behind, for who polls; when releases were |
//! | `wait` | a place and a turn as one wait, for threads and for loops |
//! | `block` | a wait that blocks a thread, and signals meanwhile |
//! | `exit` | how threads come back to the interpreter, and that they don't once it ends |
//! | `port` | how a loop hears of releases, without the interpreter's lock |
//! | `registry`, `limits`, `account`, `answers` | limits by key, limits that queues share, and what answers tell |

mod account;
mod answers;
mod bell;
mod block;
mod errors;
mod exit;
mod limits;
mod numbers;
mod pending;
mod port;
mod queue;
mod rate;
mod registry;
mod settings;
mod share;
mod stats;
mod steps;
mod turn;
mod wait;
mod waiter;

/// The queue of the crate `apiqueue`.
#[pyo3::pymodule]
mod _apiqueue {
    #[pymodule_export]
    use super::account::Account;
    #[pymodule_export]
    use super::answers::hold_after;
    #[pymodule_export]
    use super::block::set_main_thread;
    #[pymodule_export]
    use super::exit::{after_fork, close, generation};
    #[pymodule_export]
    use super::limits::Limits;
    #[pymodule_export]
    use super::pending::PendingTurn;
    #[pymodule_export]
    use super::port::Port;
    #[pymodule_export]
    use super::queue::{ApiQueue, Line};
    #[pymodule_export]
    use super::rate::Rate;
    #[pymodule_export]
    use super::registry::Registry;
    #[pymodule_export]
    use super::stats::{Stats, StopReport};
    #[pymodule_export]
    use super::turn::Turn;
    #[pymodule_export]
    use super::waiter::Waiter;
}
