//! What mutants of the core have shown to be untested: one fact a test.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod door;
mod grants;
mod line;
mod numbers;
mod schedule;
mod wakers;
