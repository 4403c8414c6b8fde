//! The mode `adaptive`: a queue whose rate follows the server, from a start that is wrong.

use std::time::Duration;

use apiqueue::core::{Bounds, Constants, Cubic};
use apiqueue::{ApiQueue, Builder, Rate};

use crate::client::Failure;
use crate::options::Options;

/// The first rate is so many times the account's refill.
const WRONG: f64 = 4.0;

pub(crate) fn queue(options: &Options) -> Result<Builder, Failure> {
    let rate = |per_second: f64| Rate::every(Duration::from_secs_f64(per_second.recip()));
    let start = rate(options.refill() * WRONG)?;
    // The controller's second is one of EC2's time, as all else here is.
    let second = (1e9 / options.scale()).round() as u64;
    let slowest = rate(options.refill() / 100.0)?;
    let fastest = rate(options.refill() * 100.0)?;
    let bounds = Bounds::new(slowest.into(), fastest.into(), second)?;
    let controller = Cubic::new(bounds, start.into(), Constants::CALM)?;
    Ok(ApiQueue::builder().adaptive(controller))
}
