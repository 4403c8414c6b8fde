//! What the benchmarks have in common: the machine, counted allocations, tables of figures, and the README that they go to.
#![allow(clippy::unwrap_used)]

pub mod allocations;
pub mod machine;
pub mod readme;
pub mod report;
