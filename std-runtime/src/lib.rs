//! Rate limiting for API clients: every call first joins a FIFO queue, and is released at a steady rate.
//!
//! Some API owners throttle a whole account without asking who is calling. A program of many threads that walks such
//! an API drains the account's bucket, and then others fail: a deployment, an auto-scaling group. Backing off after the
//! throttle comes too late for them. With one queue per service, the calls to it are spaced out before they are made,
//! and the threads stay parallel in everything else.
//!
//! ```
//! use apiqueue::{ApiQueue, Stop};
//! use std::time::Duration;
//!
//! let ec2 = ApiQueue::builder().every(Duration::from_millis(5)).start()?; // or .per_second(200)
//! std::thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| {
//!             ec2.enqueue()?.wait()?; // one each 5 ms gets past this line, in the order in which they came
//!             // make the call
//!             Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//!         });
//!     }
//! });
//! ec2.stop(Stop::Now);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which call do I use?
//! [`ApiQueue::enqueue`] gives a [`Waiter`], and its holder chooses how to wait:
//!
//! | | |
//! |---|---|
//! | [`waiter.try_wait()`](Waiter::try_wait) | ask now and then, do other work meanwhile |
//! | [`waiter.wait()`](Waiter::wait), [`waiter.wait_timeout(d)`](Waiter::wait_timeout) | block this thread |
//! | `waiter.await` | on any executor |
//!
//! All stand in the same line, and each gives a [`Turn`]: the call may be made. Dropping a waiter leaves the line, and costs nobody a
//! turn. After a stop nobody waits and nobody may go: who polls [`is_waiting`](Waiter::is_waiting) alone can't tell that from a release,
//! so it is for showing; the three above give a turn or say [`Closed`].
//!
//! | | |
//! |---|---|
//! | place and turn in one call, the quickest where a permit is free | [`wait_turn`](ApiQueue::wait_turn), [`wait_turn_timeout`](ApiQueue::wait_turn_timeout), [`turn`](ApiQueue::turn)`.await` |
//! | when the line is full | [`enqueue`](ApiQueue::enqueue) says so at once; [`enqueue_wait`](ApiQueue::enqueue_wait), [`enqueue_wait_timeout`](ApiQueue::enqueue_wait_timeout) and [`enqueue_async`](ApiQueue::enqueue_async) wait for a place, in order |
//! | now or not at all | [`try_acquire`](ApiQueue::try_acquire) |
//! | now or soon, or not at all | [`enqueue_within`](ApiQueue::enqueue_within) |
//! | the server said `Retry-After` | [`Turn::throttled`], [`hold_for`](ApiQueue::hold_for), [`resume`](ApiQueue::resume); with HTTP: `Route` (feature `http`) |
//! | it costs several permits | [`enqueue_weighted`](ApiQueue::enqueue_weighted), [`wait_turn_weighted`](ApiQueue::wait_turn_weighted), [`turn_weighted`](ApiQueue::turn_weighted); known only after the call: [`charge`](Turn::charge), [`refund`](Turn::refund) |
//! | nobody has told the limit | [`Builder::adaptive`], and [`Turn::ok`] or [`Turn::throttled`] after each call |
//! | the limit has changed | [`set_rate`](ApiQueue::set_rate), for those in line too |
//! | the call was not needed after all | [`Turn::give_back`] |
//! | so many in any window of time | [`Rate::at_most`] |
//! | several limits at once | [`Builder::limit`] |
//! | limits that several queues share | [`Account`], [`Builder::within`] |
//! | at most so many calls under way | [`Builder::at_once`] |
//! | permits come from elsewhere | [`Builder::granted`], [`grant`](ApiQueue::grant); a [`Source`] of your own, [`Builder::shared`] |
//! | the end | [`stop`](ApiQueue::stop), [`stop_async`](ApiQueue::stop_async) |
//! | how is it doing? | [`stats`](ApiQueue::stats) |
//! | who made me wait? | [`Turn::waited_for`], [`waited_behind`](Turn::waited_behind) and [`held`](Turn::held); [`Stats::latest_long_wait`], and a line in the log for waits longer than [`Builder::long_wait`] |
//!
//! # The driver
//! One background thread drives all queues of the process. It starts with the first queue, ends after the last, and
//! sleeps without a single wake-up while nothing is due. [`Builder::manual`] makes a queue that needs no thread, for a
//! scheduler or executor of your own; with [`Builder::clock`] it is how tests take no real time, as they do by
//! [`Builder::auto_advance`] where they block. [`Builder::start_with_task`]
//! gives a queue a driver of its own, as a task of the user's runtime.
//!
//! # What happens when
//! | | |
//! |---|---|
//! | the last handle is dropped with waiters in line | they hold the queue: each is released in its turn |
//! | the queue is stopped | see [`Stop`] |
//! | a waker panics | the driver goes on; that waiter counts as released |
//! | a thread panics with a waiter in hand | the waiter is dropped: it leaves the line |
//! | the driver's thread dies, or its task is dropped | its queues are closed: nobody hangs, nobody passes unpaced |
//! | the machine is suspended | the pause does not count on Linux: see [`MonotonicClock`] |
//! | a clock of yours jumps or stands | releases come later, never earlier: see [`Builder::clock`] |
//! | a clock of yours panics | its queue is closed: nobody hangs, nobody passes unpaced; other queues notice nothing |
//! | a source of permits panics | its queue is closed; other queues notice nothing |
//! | a controller panics | it is not asked again: the rate stays as it is |
//! | a recorder of `metrics` or a subscriber of `tracing` panics | what it was told is lost |
//! | the process forks | the child has the queues but not the driver: whoever would have to wait there is told [`Closed`]. A permit that is free in the child's copy is given out there once more, so two processes may then send at up to the rate each. The child can start queues of its own |
//!
//! # Features
//! None is on by default.
//!
//! | | |
//! |---|---|
//! | `tracing` | events of target `apiqueue`: long waits at `INFO`, at most one a second and queue, with what made them ([`Builder::long_wait`]); changes at `DEBUG`, each release at `TRACE`, survived panics at `ERROR` |
//! | `metrics` | `apiqueue_released_total`, `_cancelled_total`, `_refused_total`, `_wait_seconds`, `_interval_seconds`, and the gauges `_depth`, `_calls_under_way` and `_rate_per_second`, labelled `queue`; install the recorder before starting queues |
//! | `quanta` | `CycleClock`: the processor's cycle counter as a clock |
//! | `tokio` | `TokioTimer`: a driver as a task of tokio, to the system's precision; with `TokioClock` tests whose time is paused take none |
//! | `toml` | `Registry::from_toml`: limits of keys, and accounts that they share, from a file; `Limits::aws`: those that AWS publishes |
//! | `http` | `Route`: which queue a request goes through, and what its answer does to that queue. Parts of it: `Throttled`, how long to hold after an answer that throttles, by its status and its `Retry-After`; `Follow`, rates and holds by the `RateLimit` and `X-RateLimit-…` fields of every answer |
//! | `embedded-hal` | `StdDelay`: embedded-hal's `DelayNs`, blocking and async, over the operating system |
//!
//! The queue itself is [`apiqueue_core`], without std; what it promises is written there.
#![forbid(unsafe_code)]

mod account;
mod advance;
#[cfg(feature = "http")]
mod advice;
mod clock;
mod driver;
mod error;
mod forked;
mod guarded;
#[cfg(feature = "http")]
mod headers;
mod line;
mod permits;
mod queue;
mod rate;
mod registry;
#[cfg(feature = "http")]
mod route;
mod stats;
#[cfg(feature = "http")]
mod throttled;
mod wait;

pub use account::{Account, AccountBuilder, AccountStats, Bound};
pub use advance::{Advance, Next};
#[cfg(feature = "http")]
pub use advice::{Advice, Follow, FollowError};
pub use apiqueue_core::{self as core, ChargeError, Closed, EnqueueError};
#[cfg(feature = "quanta")]
pub use clock::CycleClock;
pub use clock::MonotonicClock;
#[cfg(feature = "embedded-hal")]
pub use clock::StdDelay;
#[cfg(feature = "tokio")]
pub use clock::TokioClock;
#[cfg(feature = "tokio")]
pub use driver::TokioTimer;
pub use driver::{DriverTask, Timer};
pub use error::{
    HoldError, LimitError, RateError, RefusedError, StartError, TryAcquireError, WaitError,
};
pub use line::waited_for::WaitedFor;
pub use permits::{Permits, QueueClock, Setup, Source, Waiters};
pub use queue::{ApiQueue, Builder, Stop, StopReport};
pub use rate::Rate;
#[cfg(feature = "toml")]
pub use registry::FileError;
pub use registry::{Limit, Limits, Registry, RegistryReport};
#[cfg(feature = "http")]
pub use route::Route;
pub use stats::{Intervals, LongWait, Stats, Waits};
#[cfg(feature = "http")]
pub use throttled::Throttled;
pub use wait::next_turn::NextTurn;
pub use wait::place::Enqueue;
pub use wait::turn::Turn;
pub use wait::waiter::Waiter;

/// The examples of the repository's front page, as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
