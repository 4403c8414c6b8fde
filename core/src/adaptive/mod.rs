//! Rates that follow what a server bears: controllers that are told how each call went and say what to give to
//! [`set_rate`](crate::QueueOver::set_rate).
//!
//! A controller is a plain value of its one owner: no atomics, no float, no clock of its own. It sees nothing of the queue,
//! and the queue nothing of it. `docs/adaptive.md` says which to choose and what each was measured to reach.

mod aimd;
mod bounds;
mod controller;
mod course;
mod cubic;
mod micro;
mod throughput;

pub use aimd::Aimd;
pub use bounds::{Bounds, SettingError};
pub use controller::{Change, Controller, Outcome};
pub use cubic::{Constants, Cubic};
