//! [`FleetError`]: why a queue could not be started.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why a queue could not be started with a [`FleetLimit`](crate::FleetLimit): what
/// [`StartError::Source`](apiqueue::StartError::Source) has. Each message names the value and the allowed range.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetError {
    /// The name is empty, as the queue's is, too long, or has a brace or control character in it.
    Name {
        /// The name given.
        name: String,
    },
    /// Two limits of one queue have this name.
    Twice {
        /// The name given.
        name: String,
    },
    /// The rate is strict: a fleet's slots are used late, by the round trip at least.
    Strict,
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
    /// A number is too small or too large.
    Number {
        /// Which.
        what: &'static str,
        /// The number given.
        number: u32,
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// The host's name is empty, too long, or has a space or control character in it.
    HostName {
        /// The name given.
        name: String,
    },
}

/// The longest name, in bytes.
pub(crate) const MAX_NAME: usize = 200;

/// `number`, if it is in the range.
pub(crate) fn number(
    what: &'static str,
    number: u32,
    min: u32,
    max: u32,
) -> Result<u32, FleetError> {
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(FleetError::Number {
            what,
            number,
            min,
            max,
        })
    }
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "the name {name:?} is not of 1..={MAX_NAME} bytes without braces and control characters"
            ),
            Self::Twice { name } => write!(f, "the limit {name:?} is within one of the same name"),
            Self::Strict => f.write_str("a fleet's rate is never strict"),
            Self::Span {
                what,
                span,
                min,
                max,
            } => write!(f, "a {what} of {span:?} is not in {min:?}..={max:?}"),
            Self::Number {
                what,
                number,
                min,
                max,
            } => write!(f, "a {what} of {number} is not in {min}..={max}"),
            Self::HostName { name } => write!(
                f,
                "the host's name {name:?} is not of 1..={MAX_NAME} bytes without spaces and control characters"
            ),
        }
    }
}

impl Error for FleetError {}
