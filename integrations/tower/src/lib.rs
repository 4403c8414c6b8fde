#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod future;
mod layer;
mod queued;
mod ready;

pub use future::QueuedFuture;
pub use layer::QueueLayer;
pub use queued::Queued;
pub use ready::{Ready, ReadyLayer};

/// The error of the services here: the inner one's, or the queue's.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
