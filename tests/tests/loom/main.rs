//! Models of the operations that can meet, each under every interleaving that the bound in `common` allows, with a clock
//! that the threads move. `RUSTFLAGS="--cfg loom" cargo test --release -p apiqueue-tests --test loom`.
#![cfg(loom)]
#![allow(clippy::panic, clippy::unwrap_used, missing_docs)]

/// The std runtime's own file.
#[path = "../../../std-runtime/src/line/calls.rs"]
#[expect(dead_code, reason = "the models ask less of it")]
mod calls;
mod changes;
mod common;
mod door;
mod drivers;
mod given;
mod lane;
mod lane_changes;
mod lane_returns;
mod leaving;
mod rates;
mod ready_list;
/// The std runtime's own file.
#[path = "../../../std-runtime/src/driver/ready.rs"]
#[expect(dead_code, reason = "the models end otherwise")]
mod runtime;
mod wakers;
mod weights;
