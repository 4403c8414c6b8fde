//! What mutants of the core have shown to be untested: somebody comes exactly between two steps of another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod changes;
mod common;
mod drivers;
mod holds;
mod rates;
mod slots;
mod turns;
