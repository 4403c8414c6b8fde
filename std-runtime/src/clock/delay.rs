//! [`StdDelay`]: embedded-hal's delays over the operating system.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::queue::ApiQueue;

/// embedded-hal's `DelayNs`, blocking and async, over the operating system: code that was written for a board, such as a
/// queue driven by [`DelayDriver`](apiqueue_core::DelayDriver), runs unchanged on the host.
///
/// The blocking one sleeps the thread, the async one is a hold of a queue of its own on the driver's thread, and needs no
/// executor in particular. Both take at least the time asked for, and as much longer as the system takes to wake a
/// thread. If the system refuses the driver's thread, the async one blocks.
///
/// ```
/// use apiqueue::StdDelay;
/// use embedded_hal::delay::DelayNs;
///
/// let start = std::time::Instant::now();
/// StdDelay::new().delay_ms(2);
/// assert!(start.elapsed().as_millis() >= 2);
/// ```
#[derive(Debug, Default)]
pub struct StdDelay {
    line: OnceLock<Option<ApiQueue>>,
}

impl StdDelay {
    /// A delay, which costs nothing until it is used.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            line: OnceLock::new(),
        }
    }

    async fn sleep(&self, time: Duration) {
        let line = self.line.get_or_init(|| {
            ApiQueue::builder()
                .every(Duration::from_nanos(1))
                .capacity(1)
                .name("delay")
                .start()
                .ok()
        });
        if let Some(line) = line {
            // A hold that an earlier call left, dropped in the middle, would outlast this one.
            line.resume();
            if line.hold_for(time).is_ok()
                && let Ok(waiter) = line.enqueue()
                && waiter.await.is_ok()
            {
                return;
            }
        }
        thread::sleep(time);
    }
}

impl embedded_hal::delay::DelayNs for StdDelay {
    fn delay_ns(&mut self, ns: u32) {
        thread::sleep(Duration::from_nanos(u64::from(ns)));
    }

    fn delay_us(&mut self, us: u32) {
        thread::sleep(Duration::from_micros(u64::from(us)));
    }

    fn delay_ms(&mut self, ms: u32) {
        thread::sleep(Duration::from_millis(u64::from(ms)));
    }
}

impl embedded_hal_async::delay::DelayNs for StdDelay {
    async fn delay_ns(&mut self, ns: u32) {
        self.sleep(Duration::from_nanos(u64::from(ns))).await;
    }

    async fn delay_us(&mut self, us: u32) {
        self.sleep(Duration::from_micros(u64::from(us))).await;
    }

    async fn delay_ms(&mut self, ms: u32) {
        self.sleep(Duration::from_millis(u64::from(ms))).await;
    }
}
