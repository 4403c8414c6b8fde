//! `Rate`: how often.

use std::time::Duration;

use pyo3::prelude::*;

use crate::errors::config;
use crate::numbers::{number, span, whole};

/// How often: one of `per_second`, `every` (seconds) and `at_most` (so many calls in any window of so many seconds).
#[pyclass(frozen, eq, module = "apiqueue")]
#[derive(Clone, PartialEq)]
pub(crate) struct Rate {
    pub(crate) rate: apiqueue::Rate,
}

/// How many calls at most in any window of how long.
pub(crate) type Window<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// The rate that was said, if one was. Of the ways to say it there may be one.
pub(crate) fn said(
    per_second: Option<&Bound<'_, PyAny>>,
    every: Option<&Bound<'_, PyAny>>,
    at_most: Option<&Window<'_>>,
) -> PyResult<Option<apiqueue::Rate>> {
    let count = usize::from(per_second.is_some()) + usize::from(every.is_some());
    if count + usize::from(at_most.is_some()) > 1 {
        return Err(config(
            "per_second, every and at_most are one rate said in three ways: only one of them can be given",
        ));
    }
    let rate = match (per_second, every, at_most) {
        (Some(n), _, _) => {
            let said = number("per_second", n)?;
            // One call in two years to one a nanosecond.
            if !(1.4e-8..=1e9).contains(&said) {
                return Err(config(format_args!(
                    "per_second={} is not in 1.4e-8..=1e9",
                    n.repr()?
                )));
            }
            match said.fract() == 0.0 {
                true => apiqueue::Rate::per_second(said as u32),
                // Rounded up, so that the rate is never exceeded.
                false => apiqueue::Rate::every(Duration::from_nanos((1e9 / said).ceil() as u64)),
            }
        }
        (_, Some(every), _) => apiqueue::Rate::every(span("every", every, 1e-9)?),
        (_, _, Some((calls, period))) => {
            let calls = whole("at_most's calls", calls, 1, u32::MAX)?;
            apiqueue::Rate::at_most(calls, span("at_most's period", period, 1e-9)?)
        }
        _ => return Ok(None),
    };
    rate.map(Some).map_err(config)
}

pub(crate) fn with_burst(
    rate: apiqueue::Rate,
    burst: Option<&Bound<'_, PyAny>>,
    strict: bool,
) -> PyResult<apiqueue::Rate> {
    let rate = match burst {
        Some(burst) => rate
            .burst(whole("burst", burst, 1, u32::MAX)?)
            .map_err(config)?,
        None => rate,
    };
    Ok(if strict { rate.strict() } else { rate })
}

/// What `set_rate` was told: as strict as the rate before, and with its burst unless another is given.
pub(crate) fn changed(
    per_second: Option<&Bound<'_, PyAny>>,
    every: Option<&Bound<'_, PyAny>>,
    burst: Option<&Bound<'_, PyAny>>,
    before: impl FnOnce() -> PyResult<Option<apiqueue::Rate>>,
) -> PyResult<apiqueue::Rate> {
    let rate = said(per_second, every, None)?
        .ok_or_else(|| config("set_rate needs per_second= or every="))?;
    let before = before()?;
    match (burst, before) {
        (None, Some(before)) => with_terms_of(rate, before),
        _ => with_burst(rate, burst, before.is_some_and(|before| before.is_strict())),
    }
}

/// With the burst of the rate before, and as strict.
pub(crate) fn with_terms_of(
    rate: apiqueue::Rate,
    before: apiqueue::Rate,
) -> PyResult<apiqueue::Rate> {
    let burst = u32::try_from(before.burst_size()).unwrap_or(u32::MAX);
    let rate = rate.burst(burst).map_err(config)?;
    Ok(if before.is_strict() {
        rate.strict()
    } else {
        rate
    })
}

#[pymethods]
impl Rate {
    #[new]
    #[pyo3(signature = (*, per_second=None, every=None, at_most=None, burst=None, strict=false))]
    fn new(
        per_second: Option<&Bound<'_, PyAny>>,
        every: Option<&Bound<'_, PyAny>>,
        at_most: Option<Window<'_>>,
        burst: Option<&Bound<'_, PyAny>>,
        strict: bool,
    ) -> PyResult<Self> {
        let rate = said(per_second, every, at_most.as_ref())?
            .ok_or_else(|| config("a rate needs per_second=, every= or at_most="))?;
        let rate = with_burst(rate, burst, strict)?;
        Ok(Self { rate })
    }

    /// From one release to the next, in seconds.
    #[getter]
    fn every(&self) -> f64 {
        self.rate.interval().as_secs_f64()
    }

    /// How many may go at once after a pause.
    #[getter]
    fn burst(&self) -> usize {
        self.rate.burst_size()
    }

    /// Whether two releases are never closer than the interval.
    #[getter]
    fn strict(&self) -> bool {
        self.rate.is_strict()
    }

    fn __repr__(&self) -> String {
        format!("<Rate {}>", self.rate)
    }
}
