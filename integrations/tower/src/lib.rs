#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod queued;
mod ready;
mod route;

pub use queued::{Queued, QueuedFuture};
pub use ready::{Ready, ReadyLayer};
pub use route::QueueLayer;

/// The error of the services here: the inner one's, or the queue's.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
