//! `Account`: limits that several queues share.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::{config, not_copied};
use crate::exit::generation;
use crate::numbers::span;
use crate::rate::changed;
use crate::settings::Arguments;

/// Limits that several queues share, beside those of their own: `ApiQueue(…, within=account)`.
///
/// Account(*, per_second=None, every=None, at_most=None, burst=None, strict=False, limits=(), at_once=None, within=None, part=None,
/// priority=None, aging=None, catch_up=None, name="")
///
/// `part` says how much of the outer account this one gets beside others, and `priority`, 0 to 7, who goes first there. A forked child
/// has an account of its own, with the same limits.
#[pyclass(frozen, weakref, module = "apiqueue")]
pub(crate) struct Account {
    settings: Settings,
    state: Mutex<State>,
}

struct Settings {
    name: String,
    limits: Vec<apiqueue::Rate>,
    at_once: Option<u32>,
    within: Option<Py<Account>>,
    part: Option<u32>,
    priority: Option<u8>,
    aging: Option<Duration>,
    catch_up: Option<Duration>,
}

struct State {
    live: Option<apiqueue::Account>,
    generation: u64,
    /// What its first limit was set to.
    rate: Option<apiqueue::Rate>,
}

impl Settings {
    fn parse<'py>(py: Python<'py>, given: Option<&Bound<'py, PyDict>>) -> PyResult<Self> {
        let all = Arguments::new(py, given)?;
        let strict = all.flag("strict")?.unwrap_or(false);
        let own = all.rate_and_burst(None, strict)?;
        let settings = Self {
            name: all.text("name")?.unwrap_or_default(),
            limits: own.into_iter().chain(all.rates("limits")?).collect(),
            at_once: all.whole("at_once", 1, u32::MAX)?,
            within: account_of(&all)?,
            part: all.whole("part", 1, u32::MAX)?,
            priority: all.whole("priority", 0, 7)?.map(|priority| priority as u8),
            aging: all.span("aging")?,
            catch_up: all.span("catch_up")?,
        };
        all.end()?;
        Ok(settings)
    }

    fn start(&self) -> PyResult<apiqueue::Account> {
        let mut builder = apiqueue::Account::builder().name(self.name.clone());
        for limit in &self.limits {
            builder = builder.limit(*limit);
        }
        if let Some(calls) = self.at_once {
            builder = builder.at_once(calls as usize);
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
        if let Some(aging) = self.aging {
            builder = builder.aging(aging);
        }
        if let Some(catch_up) = self.catch_up {
            builder = builder.catch_up(catch_up);
        }
        builder.start().map_err(config)
    }
}

/// `within=`, of a queue or an account.
pub(crate) fn account_of(all: &Arguments<'_>) -> PyResult<Option<Py<Account>>> {
    let Some(value) = all.take("within")? else {
        return Ok(None);
    };
    let account = value.cast_into::<Account>().map_err(|why| {
        PyTypeError::new_err(format!("within={:?} may be an Account", why.into_inner()))
    })?;
    Ok(Some(account.unbind()))
}

impl Account {
    fn state(&self) -> MutexGuard<'_, State> {
        // Held for a look, or to start it; never while anything waits.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account of this process.
    pub(crate) fn live(&self) -> PyResult<apiqueue::Account> {
        let mut state = self.state();
        if state.generation != generation() {
            // The parent's, with its locks as they were at the fork: not even dropped.
            mem::forget(state.live.take());
            state.generation = generation();
        }
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        let live = self.settings.start()?;
        if let Some(rate) = state.rate {
            live.set_rate(0, rate).map_err(config)?;
        }
        state.live = Some(live.clone());
        Ok(live)
    }
}

#[pymethods]
impl Account {
    #[new]
    #[pyo3(signature = (**settings))]
    fn new(py: Python<'_>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let account = Self {
            settings: Settings::parse(py, settings)?,
            state: Mutex::new(State {
                live: None,
                generation: generation(),
                rate: None,
            }),
        };
        // What can't be is told now.
        account.live()?;
        Ok(account)
    }

    /// What it is called.
    #[getter]
    fn name(&self) -> &str {
        &self.settings.name
    }

    /// Sets its first limit, from now on, also for those in line.
    #[pyo3(signature = (*, per_second=None, every=None, burst=None))]
    fn set_rate(
        &self,
        per_second: Option<&Bound<'_, PyAny>>,
        every: Option<&Bound<'_, PyAny>>,
        burst: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let first = self.settings.limits.first().copied();
        let rate = changed(per_second, every, burst, || Ok(first))?;
        self.live()?.set_rate(0, rate).map_err(config)?;
        self.state().rate = Some(rate);
        Ok(())
    }

    /// Releases nobody of any of its queues for `seconds`. Only extends a hold.
    fn hold_for(&self, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        let time = span("seconds", seconds, 0.0)?;
        self.live()?.hold_for(time).map_err(config)
    }

    /// Ends a hold of the account; those of its queues go on.
    fn resume(&self) -> PyResult<()> {
        self.live()?.resume();
        Ok(())
    }

    /// It and what is inside it, as text: a tree of what is in line, what was released, and what binds where.
    fn __str__(&self) -> PyResult<String> {
        Ok(self.live()?.to_string())
    }

    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(not_copied("an Account"))
    }

    fn __repr__(&self) -> String {
        format!("<Account {:?}>", self.settings.name)
    }
}
