//! The modes: what stands between a thread and its call. A new one is a line of [`Mode`] and a [`Pace`].

use std::sync::Arc;
use std::time::Duration;

use apiqueue::{ApiQueue, Builder, Stop, Turn};
use clap::ValueEnum;

use crate::adaptive;
use crate::client::{Failure, Service};
use crate::fleet::Fleet;
use crate::interrupt::End;
use crate::options::{OTHER_SERVICES, Options};

/// How the scanner behaves. In every mode a call that was throttled is tried again after a backoff, as in every SDK.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Calls at once, and backs off when throttled
    Retry,
    /// Delays every call to every service by the same time, as a network conditioner does
    Latency,
    /// Puts EC2 calls through a queue
    Queue,
    /// The same with a rate that is not known: it starts four times too high, and follows the answers
    Adaptive,
}

/// What a mode does around the scanner's calls.
pub(crate) trait Pace: Sync {
    /// Waits until a call to `service` may be made, and gives its turn, if it needs one. Returns early when the end has come.
    fn before(&self, service: Service) -> Result<Option<Turn<'static>>, Failure>;

    /// How many calls wait in line.
    fn depth(&self) -> usize {
        0
    }

    /// The end has come: wakes everybody up who waits.
    fn stop(&self) {}
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Latency => "latency",
            Self::Queue => "queue",
            Self::Adaptive => "adaptive",
        }
    }

    pub(crate) fn pace(self, options: &Options, end: &Arc<End>) -> Result<Box<dyn Pace>, Failure> {
        Ok(match self {
            Self::Retry => Box::new(AtOnce),
            Self::Latency => Box::new(Delayed {
                delay: options.delay(),
                end: end.clone(),
            }),
            Self::Queue => match &options.fleet {
                Some(url) => Box::new(Fleet::new(url, options, end)?),
                None => queued(queue(options), options, end)?,
            },
            Self::Adaptive => queued(adaptive::queue(options)?, options, end)?,
        })
    }

    /// How long the scan takes in seconds when calls take no time.
    pub(crate) fn ideal(self, options: &Options) -> f64 {
        let calls_after = |first: u32| f64::from(options.calls.saturating_sub(first));
        match self {
            Self::Retry | Self::Adaptive => calls_after(options.bucket) / options.refill(),
            Self::Latency => {
                let calls = calls_after(0) * (1 + OTHER_SERVICES.len()) as f64;
                calls * options.delay().as_secs_f64() / f64::from(options.threads)
            }
            Self::Queue => calls_after(options.burst()) / options.rate(),
        }
    }
}

fn queue(options: &Options) -> Builder {
    ApiQueue::builder()
        .every(Duration::from_secs_f64(options.rate().recip()))
        .burst(options.burst())
}

fn queued(builder: Builder, options: &Options, end: &Arc<End>) -> Result<Box<dyn Pace>, Failure> {
    let builder = builder.capacity(options.threads.into()).name("ec2");
    Ok(Box::new(Queued {
        ec2: builder.start()?,
        end: end.clone(),
    }))
}

struct AtOnce;

impl Pace for AtOnce {
    fn before(&self, _: Service) -> Result<Option<Turn<'static>>, Failure> {
        Ok(None)
    }
}

struct Delayed {
    delay: Duration,
    end: Arc<End>,
}

impl Pace for Delayed {
    fn before(&self, _: Service) -> Result<Option<Turn<'static>>, Failure> {
        self.end.sleep(self.delay);
        Ok(None)
    }
}

struct Queued {
    ec2: ApiQueue,
    end: Arc<End>,
}

impl Pace for Queued {
    fn before(&self, service: Service) -> Result<Option<Turn<'static>>, Failure> {
        pass(&self.ec2, service, &self.end)
    }

    fn depth(&self) -> usize {
        self.ec2.len()
    }

    fn stop(&self) {
        self.ec2.stop(Stop::Now);
    }
}

/// Lets a call to EC2 wait its turn in `queue`.
pub(crate) fn pass(
    queue: &ApiQueue,
    service: Service,
    end: &End,
) -> Result<Option<Turn<'static>>, Failure> {
    if let Service::Other(_) = service {
        return Ok(None);
    }
    match queue.enqueue().map(|waiter| waiter.wait()) {
        Ok(Ok(turn)) => Ok(Some(turn)),
        // Closed, since the end has come.
        _ if end.is_raised() => Ok(None),
        Ok(Err(why)) => Err(why.into()),
        Err(why) => Err(why.into()),
    }
}
