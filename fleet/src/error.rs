//! [`FleetError`]: why a queue could not be started.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use apiqueue::{RateError, StartError};

/// Why a [`FleetQueue`](crate::FleetQueue) could not be started. Each message names the value and the allowed range.
#[derive(Debug)]
#[non_exhaustive]
pub enum FleetError {
    /// The name is empty, too long, or has a brace or control character in it.
    Name {
        /// The name given.
        name: String,
    },
    /// No rate was given.
    NoRate,
    /// The rate can't be.
    Rate(RateError),
    /// The rate has a burst: a fleet's releases are evenly spaced.
    Burst {
        /// The burst asked for.
        burst: usize,
    },
    /// A span of time is too short or too long.
    Span {
        /// Which.
        what: &'static str,
        /// The span given.
        span: Duration,
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// The largest lease is 0 or too large.
    MaxLease {
        /// The number given.
        max_lease: u32,
        /// The largest.
        max: u32,
    },
    /// The line could not be set up.
    Line(StartError),
    /// The system refused the driver's thread.
    Thread(io::Error),
}

/// The longest name, in bytes.
pub(crate) const MAX_NAME: usize = 200;

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "the name {name:?} is not of 1..={MAX_NAME} bytes without braces and control characters"
            ),
            Self::NoRate => f.write_str("a queue needs a rate: every, per_second or rate"),
            Self::Rate(why) => why.fmt(f),
            Self::Burst { burst } => write!(f, "a burst of {burst} is not in 1..=1 for a fleet"),
            Self::Span {
                what,
                span,
                min,
                max,
            } => write!(f, "a {what} of {span:?} is not in {min:?}..={max:?}"),
            Self::MaxLease { max_lease, max } => {
                write!(f, "a largest lease of {max_lease} is not in 1..={max}")
            }
            Self::Line(why) => why.fmt(f),
            Self::Thread(why) => write!(f, "the driver's thread could not be started: {why}"),
        }
    }
}

impl Error for FleetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rate(why) => Some(why),
            Self::Line(why) => Some(why),
            Self::Thread(why) => Some(why),
            _ => None,
        }
    }
}
