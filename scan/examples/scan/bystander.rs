//! Somebody else on the account: an auto-scaling group, which calls now and then and takes a throttled call as a failure.

use std::time::{Duration, Instant};

use apiqueue_scan::limits;

use crate::client::{Answer, Client, Failure, Service};
use crate::interrupt::End;
use crate::options::Options;

/// The part of an action's refill that the group makes use of.
const SHARE: f64 = 0.05;

/// Calls, and how many of them failed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Calls {
    pub(crate) made: usize,
    pub(crate) failed: usize,
}

/// What the group saw.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    /// `DescribeSnapshots`: the bucket that the scanner takes from.
    pub(crate) describe: Calls,
    /// `RunInstances`: a bucket that the scanner does not touch.
    pub(crate) launch: Calls,
}

/// One kind of call and its schedule.
struct Habit {
    service: Service,
    /// The mean time from call to call.
    interval: Duration,
    due: Instant,
    calls: Calls,
}

/// Calls until the end is raised.
///
/// # Errors
/// The first call that was not answered, or with another status than 200, 429 or 503. It raises the end.
pub(crate) fn run(options: &Options, client: &Client, end: &End) -> Result<Seen, Failure> {
    let launches = limits::of("RunInstances", false, limits::SCANNED).refill * options.scale();
    let mut habits = [
        Habit::new("DescribeSnapshots", options.refill()),
        Habit::new("RunInstances", launches),
    ];
    while let Some(habit) = habits.iter_mut().min_by_key(|habit| habit.due) {
        if end.sleep(habit.due.saturating_duration_since(Instant::now())) {
            break;
        }
        match habit.call(client) {
            Err(_) if end.is_raised() => break,
            answered => answered.inspect_err(|_| end.raise())?,
        }
    }
    let [describe, launch] = habits.map(|habit| habit.calls);
    Ok(Seen { describe, launch })
}

impl Habit {
    fn new(action: &'static str, refill: f64) -> Self {
        let interval = Duration::from_secs_f64((refill * SHARE).recip());
        Self {
            service: Service::Ec2(action),
            interval,
            due: Instant::now() + interval / 2,
            calls: Calls::default(),
        }
    }

    fn call(&mut self, client: &Client) -> Result<(), Failure> {
        let answer = client.call(self.service)?;
        self.calls.made += 1;
        self.calls.failed += usize::from(answer == Answer::Throttled);
        // Evenly spaced calls would be in step with the refill, and fail all or never. Late ones are not made up for: that
        // would be a burst.
        let interval = self.interval.mul_f64(0.5 + fastrand::f64());
        self.due = (self.due + interval).max(Instant::now());
        Ok(())
    }
}
