//! Numbers from Python, checked: what can't be is named with what can.

use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyFloat, PyInt};

use crate::errors::config;

/// The longest time: about 2 years, as of the queue.
const LONGEST: f64 = (1u64 << 56) as f64 / 1e9;

/// A number that is no bool.
pub(crate) fn number(what: &str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    let is_number = value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyInt>();
    if value.is_instance_of::<PyBool>() || !is_number {
        let is = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "{what}={} is of type {is}: it may be an int or a float",
            value.repr()?
        )));
    }
    // An int too large for a float is out of any range.
    Ok(value.extract().unwrap_or(f64::INFINITY))
}

/// A span of time in seconds, or a `timedelta`: from `least` on.
pub(crate) fn span(what: &str, value: &Bound<'_, PyAny>, least: f64) -> PyResult<Duration> {
    let seconds = match value.is_instance_of::<PyDelta>() {
        true => value.call_method0("total_seconds")?.extract()?,
        false => number(what, value)?,
    };
    in_range(what, value, seconds, least, "s", 1e9)
}

/// A span of time in milliseconds, from a nanosecond on.
pub(crate) fn millis(what: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let millis = number(what, value)?;
    in_range(what, value, millis, 1e-6, "ms", 1e6)
}

/// In a unit of so many nanoseconds.
fn in_range(
    what: &str,
    said: &Bound<'_, PyAny>,
    time: f64,
    least: f64,
    unit: &str,
    nanos: f64,
) -> PyResult<Duration> {
    let most = LONGEST * 1e9 / nanos;
    if !(least..=most).contains(&time) {
        return Err(config(format_args!(
            "{what}={} is not in {least:e}..={most:e} {unit}",
            said.repr()?
        )));
    }
    // To the nanosecond, of which 0.01 s are not a whole number in binary.
    Ok(Duration::from_nanos((time * nanos).round() as u64))
}

/// How long to wait: None for ever, and so for anything longer than the longest time. At once for 0 and less.
pub(crate) fn timeout(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let Some(value) = value else {
        return Ok(None);
    };
    let seconds = match value.is_instance_of::<PyDelta>() {
        true => value.call_method0("total_seconds")?.extract()?,
        false => number("timeout", value)?,
    };
    if seconds.is_nan() {
        return Err(config("timeout=nan is no time: it may be None or seconds"));
    }
    Ok((seconds <= LONGEST).then(|| Duration::from_secs_f64(seconds.max(0.0))))
}

/// A whole number in a range.
pub(crate) fn whole(what: &str, value: &Bound<'_, PyAny>, least: u32, most: u32) -> PyResult<u32> {
    let said = number(what, value)?;
    if said.fract() != 0.0 || !(f64::from(least)..=f64::from(most)).contains(&said) {
        return Err(config(format_args!(
            "{what}={} is no whole number in {least}..={most}",
            value.repr()?
        )));
    }
    Ok(said as u32)
}
