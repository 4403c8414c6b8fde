//! How all queues of a registry end.

use std::hash::Hash;
use std::sync::Arc;

use super::Registry;
use super::report::RegistryReport;
use crate::line::Line;
use crate::queue::{Stop, StopReport, stop_all, stop_all_async};

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Registry<K> {
    /// Ends all queues, for good and for all handles of the registry: [`Stop::Now`] returns at once, [`Stop::Drain`] blocks until all
    /// lines are empty or the time is over, which is the same time for all. Queues driven by hand are driven meanwhile.
    ///
    /// From the call on nobody new gets in: no queue admits anybody while another one drains, and a key that is asked for later has a
    /// queue that is stopped, which says [`Closed`](crate::Closed) to each. Keys without a limit stay without. Stopping a stopped
    /// registry is harmless, and [`Stop::Now`] cuts short a drain that is going on elsewhere.
    ///
    /// ```
    /// use apiqueue::{Limit, Limits, Rate, Registry, Stop};
    /// use std::time::Duration;
    ///
    /// let registry = Registry::from(Limits::new(Limit::rate(Rate::per_second(100)?)));
    /// let queue = registry.queue("ec2")?.ok_or("not limited")?;
    /// let waiters = [queue.enqueue()?, queue.enqueue()?];
    /// let report = registry.stop(Stop::Drain { timeout: Duration::from_secs(60) });
    /// assert!(waiters.iter().all(|waiter| !waiter.is_waiting()));
    /// assert_eq!(report.total().abandoned, 0);
    /// println!("{report}"); // 1 queues stopped: 1 released, …
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(&self, how: Stop) -> RegistryReport<K> {
        let (keys, lines) = self.begin_stop();
        report(keys, stop_all(&lines, how))
    }

    /// [`stop`](Self::stop) for async code: blocks no thread. With [`Stop::Drain`], whoever drives queues by hand must go on doing so.
    ///
    /// # Cancel safety
    /// The stop begins with the first poll. Dropping the future later loses the report and nothing else: a drain goes on
    /// and ends with its timeout.
    pub async fn stop_async(&self, how: Stop) -> RegistryReport<K> {
        let (keys, lines) = self.begin_stop();
        report(keys, stop_all_async(&lines, how).await)
    }

    /// Whether [`stop`](Self::stop) was called, on this handle or another.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.is_stopped()
    }

    fn begin_stop(&self) -> (Vec<K>, Vec<Arc<Line>>) {
        // First: who adds a key after the look at all keys sees it.
        self.shared.set_stopped();
        let queues = self.queues().into_iter();
        queues
            .map(|(key, queue)| (key, Arc::clone(queue.line())))
            .unzip()
    }
}

fn report<K>(keys: Vec<K>, reports: Vec<StopReport>) -> RegistryReport<K> {
    RegistryReport {
        queues: keys.into_iter().zip(reports).collect(),
    }
}
