//! Cross-crate tests of apiqueue: the model, and what the test files share.
#![allow(missing_docs)]

#[cfg(not(loom))]
pub mod chart;
pub mod model;
#[cfg(not(loom))]
pub mod ops;
#[cfg(not(loom))]
mod run;
#[cfg(not(loom))]
pub mod server;
#[cfg(not(loom))]
pub mod wakes;
#[cfg(not(loom))]
pub mod width;
pub mod window;
