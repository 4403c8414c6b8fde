//! The built command, as a user meets it: order, counts, lower bounds and exit codes.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod exec;
mod lines;
mod pages;
mod rig;
mod run;
mod signals;
mod usage;
