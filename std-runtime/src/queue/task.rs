//! Queues that a task of the user's runtime drives: [`Builder::start_with_task`].

use crate::driver::{DriverTask, Timer};
use crate::error::StartError;
use crate::queue::{ApiQueue, Builder, Driving};

impl Builder {
    /// [`start`](Self::start), but the driver is a future, to be spawned on a runtime of yours, and there is no thread for this
    /// queue. A release then needs no switch from a driver's thread to the runtime's. How late it comes is the timer's affair:
    /// tokio's own goes by milliseconds, `TokioTimer` (feature `tokio`) does not.
    ///
    /// Nothing is released before the future is polled first, but what is free at once. [`spin`](Self::spin) has no effect.
    ///
    /// ```
    /// # use apiqueue::Timer;
    /// # use std::{future::Future, io, pin::Pin, task::{Context, Poll}, time::Instant};
    /// # struct Smol(smol::Timer);
    /// # impl Timer for Smol {
    /// #     fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    /// #         self.0.set_at(at);
    /// #         Pin::new(&mut self.0).poll(cx).map(|_| Ok(()))
    /// #     }
    /// # }
    /// use apiqueue::ApiQueue;
    ///
    /// let timer = Smol(smol::Timer::never()); // as in the example of `Timer`
    /// let (ec2, driver) = ApiQueue::builder().per_second(1000).start_with_task(timer)?;
    /// smol::block_on(async {
    ///     let driver = smol::spawn(driver);
    ///     for _ in 0..3 {
    ///         ec2.turn().await?;
    ///     }
    ///     drop(ec2); // no handle and no waiter is left,
    ///     driver.await; // so the driver ends
    ///     Ok::<(), apiqueue::Closed>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`start`](Self::start), and [`StartError::Conflict`] for a queue that has another driver: one that is
    /// [`granted`](Self::granted), [`manual`](Self::manual), or [of an account](Self::within).
    pub fn start_with_task<T: Timer>(
        self,
        timer: T,
    ) -> Result<(ApiQueue, DriverTask<T>), StartError> {
        let queue = self.start_driven(Driving::ByTask)?;
        let driver = DriverTask::of(queue.line(), timer);
        Ok((queue, driver))
    }
}
