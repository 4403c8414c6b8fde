//! What the integration relies on in the SDK's runtime, with two small services: STS, and Polly for REST and presigning. CI runs this
//! with the newest runtime, too.
#![allow(clippy::panic, clippy::unwrap_used)]

mod failing;
mod giving_up;
mod setup;
mod signing;
mod timeouts;
mod which_queue;
