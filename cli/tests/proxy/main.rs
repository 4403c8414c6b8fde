//! The command `apiqueue proxy`, from outside: real processes, real sockets, on loopback.
#![cfg(all(unix, feature = "proxy"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod bounds;
mod clients;
mod hostile;
mod pacing;
mod rows;
mod support;
mod tls;
mod usage;
