//! The command `apiqueue proxy`, from outside: real processes, real sockets, on loopback.
#![cfg(all(unix, feature = "proxy"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod bounds;
mod hostile;
mod support;
