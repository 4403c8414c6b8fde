//! [`TokioClock`]: tokio's time as a clock, for tests in which it is paused.

use apiqueue_core::Clock;
use tokio::time::Instant;

/// The time of the tokio runtime that it is read on, in nanoseconds since it was made: where that is paused, a queue of this clock with
/// a driver by [`TokioTimer::of_tokio_time`](crate::TokioTimer::of_tokio_time) takes no real time, and timeouts around its waits fire
/// when they should.
///
/// For tasks of one runtime. Elsewhere, as on a thread that is not the runtime's, it reads the system's time, which is another one than
/// a paused runtime's. The timeout of a [drain](crate::Stop::Drain) goes by the system's in any case.
///
/// ```
/// use apiqueue::{ApiQueue, TokioClock, TokioTimer};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // #[tokio::test(start_paused = true)]
/// let queue = ApiQueue::builder().per_second(1).clock(Arc::new(TokioClock::new()));
/// let (queue, driver) = queue.start_with_task(TokioTimer::of_tokio_time()?)?;
/// tokio::spawn(driver);
///
/// let begun = tokio::time::Instant::now();
/// for _ in 0..61 {
///     queue.turn().await?;
/// }
/// assert_eq!(begun.elapsed().as_secs(), 60);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    /// One that reads zero now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    type Tick = u64;

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
