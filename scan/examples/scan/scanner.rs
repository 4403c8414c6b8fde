//! The scanner: threads that list snapshots, each item a call to EC2 and some to other services, and an SDK's retries.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::client::{Answer, Client, Failure, Service};
use crate::interrupt::End;
use crate::modes::Pace;
use crate::options::{OTHER_SERVICES, Options};
use crate::tally::Tally;

/// The most that an SDK waits before its first retry, and before any, in seconds of EC2's time.
const BACKOFF: (f64, f64) = (1.0, 20.0);

/// A scan, seen by all of its threads.
pub(crate) struct Scanner<'a> {
    pub(crate) options: &'a Options,
    pub(crate) client: &'a Client,
    pub(crate) pace: &'a dyn Pace,
    pub(crate) tally: &'a Tally,
    pub(crate) end: &'a End,
}

impl Scanner<'_> {
    /// Scans, until all items are done or the end is raised.
    ///
    /// # Errors
    /// The first failure of a call. The others stop at their next.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..usize::from(self.options.threads))
                .map(|number| {
                    let next = &next;
                    scope.spawn(move || self.work(number, next).inspect_err(|_| self.end.raise()))
                })
                .collect();
            let ends = threads.into_iter().map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err("a thread of the scanner panicked".into()))
            });
            // Waits for all of them, and keeps the first failure.
            ends.fold(Ok(()), Result::and)
        })
    }

    fn work(&self, number: usize, next: &AtomicUsize) -> Result<(), Failure> {
        let services: Vec<_> = [Service::Ec2("DescribeSnapshots")]
            .into_iter()
            .chain(OTHER_SERVICES.map(Service::Other))
            .collect();
        while next.fetch_add(1, Ordering::Relaxed) < self.options.calls as usize {
            // Each thread begins an item with another service, as threads that are not in step do.
            for turn in 0..services.len() {
                let service = services[(number + turn) % services.len()];
                if !self.call_until_done(service)? {
                    return Ok(());
                }
            }
            self.tally.item_done();
        }
        Ok(())
    }

    /// Tries a call until it is not throttled. False when the end came first.
    fn call_until_done(&self, service: Service) -> Result<bool, Failure> {
        for attempt in 0.. {
            let turn = self.pace.before(service)?;
            if self.end.is_raised() {
                break;
            }
            let answer = match self.client.call(service) {
                // Nobody asks any more how a last call went.
                Err(_) if self.end.is_raised() => break,
                answer => answer?,
            };
            if let Service::Ec2(_) = service {
                self.tally.answered(answer);
                match (turn, answer) {
                    (Some(turn), Answer::Done) => turn.ok(),
                    (Some(turn), Answer::Throttled) => turn.throttled(None),
                    (None, _) => {}
                }
            }
            if answer == Answer::Done {
                return Ok(true);
            }
            self.end.sleep(self.backoff(attempt));
        }
        Ok(false)
    }

    /// Exponential, with full jitter.
    fn backoff(&self, attempt: i32) -> Duration {
        let (first, most) = BACKOFF;
        let most = (first * 2_f64.powi(attempt)).min(most);
        Duration::from_secs_f64(most * fastrand::f64() / self.options.scale())
    }
}
