//! The explorer. Every operation of the core's queue, stopped before *each* of its atomic accesses, meets sequences of what
//! others do, and a second thread that is stopped too; then it goes on, or never does. An oracle that shares no code with the
//! core judges each case: a plain list of waiters and plain counts of permits ([`bucket`], [`oracle`]).
//!
//! # What is explored
//! Rings of one, two and four; plain and weighted; 32 and 64 bits, and 32 near the wrap; four families of rates; nine to
//! fourteen starts ([`config`]). Of these the sets take:
//!
//! | | the whole set | quick |
//! |---|---|---|
//! | every operation meets every sequence of all operations, up to | 2 | 1 |
//! | in two configurations, of the main operations, up to | 3 | 2 |
//! | a second thread that stands still, in sequences of the main or fewest operations, up to | 1, and 2 in one | 1, in one |
//! | two operations take turns, drawn at random ([`turns`]), in each configuration | 50,000 | 4,000 |
//!
//! # How to read a finding
//! The promise, how often it broke, and the shortest case: the configuration, the start with what was done before, the operation
//! and the step before which it was stopped (0 is its first atomic access), what it met, whether it went on, and what was
//! expected and seen. `Bucket`s are the accounts of permits, in thousandths, that were still possible.
//!
//! # What it does not judge
//! * After a wrong reading of the clock nothing is too late. Wrong readings do not meet changes of rate, holds, refunds and grants,
//!   which go by the reading that they find, or by none.
//! * A case with more possible accounts than are kept is not judged for permits to its end; the command says how many there were.
//! * A thread that stops for ever between a change and telling the driver of it leaves the driver with what it knew, until
//!   somebody else tells it.
//! * Two that claim the schedule's word at once may cost two ticks each: see the core's `pace`.
//! * A thread that stops for ever between taking a waker out and calling it leaves one untold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::needless_range_loop)]

mod accounts;
pub mod bucket;
pub mod case;
pub mod config;
pub mod explore;
mod finish;
pub mod fuzz;
pub mod judge;
mod lateness;
pub mod op;
pub mod oracle;
mod perform;
pub mod place;
pub mod replay;
pub mod report;
pub mod schedule;
pub mod turns;
pub mod wake;
pub mod width;
pub mod world;
