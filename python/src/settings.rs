//! [`Settings`]: what a queue is started from, as often as it is.

use std::time::Duration;

use apiqueue::{ApiQueue, Builder};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::account::{Account, account_of};
use crate::errors::config;
use crate::numbers::{millis, span, whole};
use crate::rate::{Rate, Window, said, with_burst};
use crate::share::Share;

/// How many places a line has unless that is said: 96 KB.
const CAPACITY: u32 = 4_096;
const MOST_CAPACITY: u32 = 1 << 24;

pub(crate) struct Settings {
    /// None where the rate is to be found, or only others limit it.
    pub(crate) rate: Option<apiqueue::Rate>,
    pub(crate) name: String,
    /// Whether it releases waiters from the beginning on.
    pub(crate) is_started: bool,
    limits: Vec<apiqueue::Rate>,
    adaptive: bool,
    capacity: u32,
    at_once: Option<u32>,
    within: Option<Py<Account>>,
    part: Option<u32>,
    priority: Option<u8>,
    share: Option<Share>,
    catch_up: Option<Duration>,
    long_wait: Option<Duration>,
}

/// Arguments by name, each of which is taken once.
pub(crate) struct Arguments<'py> {
    left: Bound<'py, PyDict>,
}

impl<'py> Arguments<'py> {
    pub(crate) fn new(py: Python<'py>, given: Option<&Bound<'py, PyDict>>) -> PyResult<Self> {
        let left = match given {
            Some(given) => given.copy()?,
            None => PyDict::new(py),
        };
        Ok(Self { left })
    }

    /// None where it was not given, or is None.
    pub(crate) fn take(&self, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let value = self.left.get_item(name)?;
        if value.is_some() {
            self.left.del_item(name)?;
        }
        Ok(value.filter(|value| !value.is_none()))
    }

    pub(crate) fn whole(&self, name: &str, least: u32, most: u32) -> PyResult<Option<u32>> {
        let value = self.take(name)?;
        value
            .map(|value| whole(name, &value, least, most))
            .transpose()
    }

    pub(crate) fn span(&self, name: &str) -> PyResult<Option<Duration>> {
        let value = self.take(name)?;
        value.map(|value| span(name, &value, 0.0)).transpose()
    }

    pub(crate) fn text(&self, name: &str) -> PyResult<Option<String>> {
        let value = self.take(name)?;
        value
            .map(|value| {
                let text = value.extract();
                text.map_err(|_| PyTypeError::new_err(format!("{name}={value:?} may be a str")))
            })
            .transpose()
    }

    pub(crate) fn flag(&self, name: &str) -> PyResult<Option<bool>> {
        self.take(name)?.map(|value| value.is_truthy()).transpose()
    }

    /// `limits=`, as rates.
    pub(crate) fn rates(&self, name: &str) -> PyResult<Vec<apiqueue::Rate>> {
        let Some(limits) = self.take(name)? else {
            return Ok(Vec::new());
        };
        if !limits.is_instance_of::<PyList>() && !limits.is_instance_of::<PyTuple>() {
            return Err(PyTypeError::new_err(format!(
                "{name}={limits:?} may be a list of Rate"
            )));
        }
        let rates = limits.try_iter()?.map(|limit| {
            let limit = limit?;
            let rate = limit.cast::<Rate>().map(|rate| rate.get().rate);
            rate.map_err(|_| PyTypeError::new_err(format!("{name}: {limit:?} may be a Rate")))
        });
        rates.collect()
    }

    /// The same with the burst that was said, which is that of a rate.
    pub(crate) fn rate_and_burst(
        &self,
        millis_apart: Option<&Bound<'py, PyAny>>,
        strict: bool,
    ) -> PyResult<Option<apiqueue::Rate>> {
        let burst = self.take("burst")?;
        match self.rate(millis_apart)? {
            Some(rate) => with_burst(rate, burst.as_ref(), strict).map(Some),
            None if burst.is_some() => Err(config("burst= is that of a rate: say which one")),
            None => Ok(None),
        }
    }

    /// The rate that was said, in one of its ways.
    fn rate(&self, millis_apart: Option<&Bound<'py, PyAny>>) -> PyResult<Option<apiqueue::Rate>> {
        let at_most = match self.take("at_most")? {
            None => None,
            Some(value) => {
                let pair = value.extract::<Window<'_>>();
                Some(pair.map_err(|_| {
                    PyTypeError::new_err(format!(
                        "at_most={value:?} may be a pair: calls, and seconds"
                    ))
                })?)
            }
        };
        let (per_second, every) = (self.take("per_second")?, self.take("every")?);
        let rate = said(per_second.as_ref(), every.as_ref(), at_most.as_ref())?;
        let Some(millis_apart) = millis_apart else {
            return Ok(rate);
        };
        if rate.is_some() {
            return Err(config(
                "rate_millis is a rate already: no other can be given beside it",
            ));
        }
        let interval = millis("rate_millis", millis_apart)?;
        apiqueue::Rate::every(interval).map(Some).map_err(config)
    }

    /// Whatever is left nobody knows.
    pub(crate) fn end(self) -> PyResult<()> {
        match self.left.keys().iter().next() {
            Some(name) => Err(PyTypeError::new_err(format!("there is no argument {name}"))),
            None => Ok(()),
        }
    }
}

impl Settings {
    pub(crate) fn parse<'py>(
        py: Python<'py>,
        rate_millis: Option<&Bound<'py, PyAny>>,
        given: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let all = Arguments::new(py, given)?;
        let share = all
            .text("share")?
            .map(|share| Share::parse(&share))
            .transpose()?;
        let strict = all.flag("strict")?;
        // What the rate in milliseconds was for: no two closer than that.
        let strict = strict.unwrap_or(rate_millis.is_some() && share.is_none());
        let settings = Self {
            rate: all.rate_and_burst(rate_millis, strict)?,
            name: all.text("name")?.unwrap_or_default(),
            is_started: all.flag("start")?.unwrap_or(false),
            limits: all.rates("limits")?,
            adaptive: all.flag("adaptive")?.unwrap_or(false),
            capacity: all.whole("capacity", 1, MOST_CAPACITY)?.unwrap_or(CAPACITY),
            at_once: all.whole("at_once", 1, u32::MAX)?,
            within: account_of(&all)?,
            part: all.whole("part", 1, u32::MAX)?,
            priority: all.whole("priority", 0, 7)?.map(|priority| priority as u8),
            share,
            catch_up: all.span("catch_up")?,
            long_wait: all.span("long_wait")?,
        };
        all.end()?;
        let has_limit = settings.rate.is_some() || settings.adaptive || !settings.limits.is_empty();
        if !has_limit && settings.within.is_none() && settings.at_once.is_none() {
            return Err(config(
                "a queue needs a rate: rate_millis, per_second=, every= or at_most=, or limits=, within=, at_once= or adaptive=True",
            ));
        }
        Ok(settings)
    }

    /// A new queue of these, which may be paused at first.
    pub(crate) fn start(&self, is_paused: bool) -> PyResult<ApiQueue> {
        let mut builder: Builder = ApiQueue::builder();
        if is_paused {
            builder = builder.paused();
        }
        builder = builder
            .name(self.name.clone())
            .capacity(self.capacity as usize);
        builder = match self.rate {
            Some(rate) => builder.rate(rate),
            None if self.adaptive => builder.adaptive(apiqueue::core::Cubic::default()),
            // Only what else there is limits it.
            None => builder.rate(apiqueue::Rate::unlimited()),
        };
        for limit in &self.limits {
            builder = builder.limit(*limit);
        }
        if let Some(account) = &self.within {
            builder = builder.within(&account.get().live()?);
        }
        if let Some(part) = self.part {
            builder = builder.share(part);
        }
        if let Some(priority) = self.priority {
            builder = builder.priority(priority);
        }
        if let Some(calls) = self.at_once {
            builder = builder.at_once(calls as usize);
        }
        if let Some(catch_up) = self.catch_up {
            builder = builder.catch_up(catch_up);
        }
        if let Some(long_wait) = self.long_wait {
            builder = builder.long_wait(long_wait);
        }
        if let Some(share) = &self.share {
            builder = builder.shared(share.open(&self.name)?.limit()?);
        }
        builder.start().map_err(config)
    }
}
