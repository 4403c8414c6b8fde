//! `Account`: limits that several queues share.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::config;
use crate::exit::generation;
use crate::numbers::span;
use crate::settings::Arguments;

/// Limits that several queues share, each started with `within=` this: `per_second`, `every` or `at_most`, and `limits`, of which each
/// has to allow a call; `at_once` calls under way; and within another account, `part` and `priority` there.
///
/// Account(*, per_second=None, every=None, at_most=None, burst=None, limits=(), at_once=None, name="", within=None, part=None, priority=None)
#[pyclass(frozen, module = "apiqueue", weakref)]
pub(crate) struct Account {
    limits: Vec<apiqueue::Rate>,
    at_once: Option<u32>,
    name: String,
    within: Option<Py<Account>>,
    part: Option<u32>,
    priority: Option<u8>,
    /// That of this process, by its generation.
    live: Mutex<Option<(u64, apiqueue::Account)>>,
}

impl Account {
    /// In a forked child one is started anew.
    pub(crate) fn live(&self, py: Python<'_>) -> PyResult<apiqueue::Account> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((generation_of, account)) = &*live
            && *generation_of == generation()
        {
            return Ok(account.clone());
        }
        let mut builder = apiqueue::Account::builder().name(self.name.clone());
        for limit in &self.limits {
            builder = builder.limit(*limit);
        }
        if let Some(calls) = self.at_once {
            builder = builder.at_once(calls as usize);
        }
        if let Some(account) = &self.within {
            builder = builder.within(&account.get().live(py)?);
        }
        if let Some(part) = self.part {
            builder = builder.share(part);
        }
        if let Some(priority) = self.priority {
            builder = builder.priority(priority);
        }
        let account = builder.start().map_err(config)?;
        *live = Some((generation(), account.clone()));
        Ok(account)
    }
}

#[pymethods]
impl Account {
    #[new]
    #[pyo3(signature = (**settings))]
    fn new(py: Python<'_>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let all = Arguments::new(py, settings)?;
        let within = match all.take("within")? {
            None => None,
            Some(value) => Some(value.cast_into::<Self>().map_err(|why| {
                PyTypeError::new_err(format!("within={:?} may be an Account", why.into_inner()))
            })?),
        };
        let burst = all.take("burst")?;
        let mut limits = all.rates("limits")?;
        match all.rate(None)? {
            Some(rate) => limits.insert(0, crate::rate::with_burst(rate, burst.as_ref(), false)?),
            None if burst.is_some() => return Err(config("burst= is that of a rate: say which one")),
            None => {}
        }
        let account = Self {
            limits,
            at_once: all.whole("at_once", 1, u32::MAX)?,
            name: all.text("name")?.unwrap_or_default(),
            within: within.map(Bound::unbind),
            part: all.whole("part", 1, u32::MAX)?,
            priority: all.whole("priority", 0, 7)?.map(|priority| priority as u8),
            live: Mutex::new(None),
        };
        all.end()?;
        // What can't be started is told now.
        account.live(py)?;
        Ok(account)
    }

    /// Releases nobody of its queues for `seconds`. Only extends a hold.
    fn hold_for(&self, py: Python<'_>, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        let time = span("seconds", seconds, 0.0)?;
        self.live(py)?.hold_for(time).map_err(config)
    }

    /// Ends a hold.
    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py)?.resume();
        Ok(())
    }

    /// Its limits, what is within it, and what binds where.
    fn __str__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.live(py)?.to_string())
    }

    fn __repr__(&self) -> String {
        format!("<Account {:?}>", self.name)
    }
}
