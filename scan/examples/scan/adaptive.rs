//! The mode `adaptive`: a queue whose rate follows the server, from a start that is wrong.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiqueue::core::{Bounds, Clock, Constants, Controller, Cubic, Outcome};
use apiqueue::{ApiQueue, MonotonicClock, Rate, Stop};

use crate::client::{Answer, Failure, Service};
use crate::interrupt::End;
use crate::modes::{Pace, pass};
use crate::options::Options;

/// The first rate is so many times the account's refill.
const WRONG: f64 = 4.0;

pub(crate) struct Adaptive {
    ec2: ApiQueue,
    controller: Mutex<Cubic<u64>>,
    end: Arc<End>,
}

impl Adaptive {
    pub(crate) fn new(options: &Options, end: &Arc<End>) -> Result<Self, Failure> {
        let rate = |per_second: f64| Rate::every(Duration::from_secs_f64(per_second.recip()));
        let start = rate(options.refill() * WRONG)?;
        // The controller's second is one of EC2's time, as all else here is.
        let second = (1e9 / options.scale()).round() as u64;
        let slowest = rate(options.refill() / 100.0)?;
        let fastest = rate(options.refill() * 100.0)?;
        let bounds = Bounds::new(slowest.into(), fastest.into(), second)?;
        Ok(Self {
            ec2: ApiQueue::builder()
                .rate(start)
                .capacity(options.threads.into())
                .name("ec2")
                .start()?,
            controller: Mutex::new(Cubic::new(bounds, start.into(), Constants::CALM)?),
            end: end.clone(),
        })
    }
}

impl Pace for Adaptive {
    fn before(&self, service: Service) -> Result<(), Failure> {
        pass(&self.ec2, service, &self.end)
    }

    fn after(&self, released: u64, answer: Answer) {
        let outcome = match answer {
            Answer::Done => Outcome::Ok,
            Answer::Throttled => Outcome::Throttled,
        };
        let mut controller = self
            .controller
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.ec2
            .apply(controller.outcome(MonotonicClock.now(), released, outcome));
    }

    fn depth(&self) -> usize {
        self.ec2.len()
    }

    fn stop(&self) {
        self.ec2.stop(Stop::Now);
    }
}
