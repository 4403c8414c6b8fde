//! The explorer. Every operation of the core's queue, stopped before *each* of its atomic accesses, meets *every* sequence of up
//! to three operations of others, and of a second thread that is stopped too; then it goes on, or never does. An oracle that
//! shares no code with the core judges each case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::needless_range_loop)]

pub mod bucket;
pub mod case;
pub mod config;
pub mod explore;
pub mod fuzz;
pub mod judge;
pub mod op;
pub mod oracle;
pub mod place;
pub mod replay;
pub mod report;
pub mod schedule;
pub mod wake;
pub mod width;
pub mod world;
