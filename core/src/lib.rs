#![cfg_attr(not(any(loom, feature = "stepped")), no_std)]
//! A FIFO queue of waiters, released one by one at a configured rate by an abstract clock: lock-free, without an
//! allocator, without std.
//!
//! ```
//! use apiqueue_core::{ManualClock, Next, Queue, Rate};
//!
//! let clock = ManualClock::<u32>::new(0); // milliseconds, say
//! let queue: Queue<_, 16> = Queue::new(&clock, Rate::<u32>::every(100)?);
//!
//! let first = queue.enqueue()?;
//! let second = queue.enqueue()?;
//! assert!(first.is_waiting() && second.is_waiting());
//!
//! let advance = queue.advance(); // a driver does this: a thread, a timer interrupt, a scheduler
//! assert_eq!((advance.released, advance.next), (1, Next::At(100)));
//! assert!(!first.is_waiting()); // may make its call
//! assert!(second.is_waiting());
//!
//! clock.advance(100);
//! assert_eq!(queue.advance().released, 1);
//! assert!(!second.is_waiting());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

#[cfg(feature = "stepped")]
pub mod stepped;

mod advance;
mod atomic;
mod bell;
mod clock;
mod error;
#[cfg(all(feature = "embedded-hal", not(loom)))]
mod hal;
#[cfg(feature = "heapless")]
mod history;
mod manual;
#[cfg(feature = "heapless")]
mod named;
mod pace;
mod queue;
mod rate;
mod ring;
mod schedule;
mod slot;
mod storage;
mod tail;
mod turn;
mod waiter;

pub use advance::{Advance, Next};
pub use clock::{Clock, Tick, Word, WordOf};
pub use error::{CapacityError, Closed, EnqueueError, HoldError, TryAcquireError};
#[cfg(all(feature = "embedded-hal", not(loom)))]
pub use hal::DelayDriver;
#[cfg(feature = "heapless")]
pub use history::{History, Steps};
pub use manual::ManualClock;
#[cfg(feature = "heapless")]
pub use named::{Named, NamedFull};
pub use queue::{Queue, QueueOver};
pub use rate::{Rate, RateError};
pub use schedule::{Due, Schedule};
pub use slot::{Slot, Status};
pub use storage::{Inline, slots};
pub use waiter::{Line, Waiter};
