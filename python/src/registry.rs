//! `Registry`: queues by key.

use std::mem;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use apiqueue::{Limit, StartError, Stop};
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::block::stopped;
use crate::errors::{config, made_twice, not_copied, not_made};
use crate::exit::generation;
use crate::limits::Limits;
use crate::numbers;
use crate::queue::{ApiQueue, DRAIN};
use crate::share::{Opened, Share};
use crate::stats::{Stats, StopReport};

/// Queues by key, such as `ec2/eu-west-1/DescribeInstances`, each with the limit that `limits` says, made when first asked for.
///
/// `limits` is `"aws"`, the path or the text of a TOML file, or a `Limits`. With `share` processes that say the same have one rate for each key: see `ApiQueue`.
/// A forked child has queues of its own.
#[pyclass(frozen, subclass, weakref, module = "apiqueue")]
pub(crate) struct Registry {
    /// Since `__init__`, so that subclasses may have their own.
    made: OnceLock<Made>,
}

struct Made {
    limits: Limits,
    share: Option<Share>,
    state: Mutex<State>,
}

struct State {
    live: Option<Live>,
    generation: u64,
    is_stopped: bool,
}

#[derive(Clone)]
struct Live {
    registry: apiqueue::Registry,
    /// What has no place on a shared schedule: keys within an account.
    alone: Option<apiqueue::Registry>,
}

impl Made {
    fn state(&self) -> MutexGuard<'_, State> {
        // Held for a look, or to start it; never while anything waits.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> PyResult<Live> {
        let mut state = self.state();
        if state.generation != generation() {
            // The parent's, with its locks as they were at the fork: not even dropped.
            mem::forget(state.live.take());
            state.generation = generation();
        }
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        let limits = self.limits.live()?;
        let live = match &self.share {
            None => Live {
                registry: apiqueue::Registry::from(limits),
                alone: None,
            },
            Some(share) => {
                let opened = share.open("")?;
                Live {
                    registry: shared(limits.clone(), opened),
                    alone: Some(apiqueue::Registry::from(limits)),
                }
            }
        };
        if state.is_stopped {
            live.registry.stop(Stop::Now);
        }
        state.live = Some(live.clone());
        Ok(live)
    }
}

impl Registry {
    fn made(&self) -> PyResult<&Made> {
        self.made.get().ok_or_else(|| not_made("Registry"))
    }

    pub(crate) fn live_queue(
        &self,
        py: Python<'_>,
        key: &str,
    ) -> PyResult<Option<apiqueue::ApiQueue>> {
        let live = self.made()?.live()?;
        match (live.registry.queue(key), &live.alone) {
            (Err(StartError::Conflict { .. }), Some(alone)) => {
                let is_new = !alone.queues().iter().any(|(known, _)| known == key);
                let queue = alone.queue(key).map_err(config)?;
                if is_new {
                    let why = format!(
                        "the limit of {key:?} is within an account, or of several rates, and is not shared: it is that of this process"
                    );
                    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &c_string(why)?, 1)?;
                }
                Ok(queue)
            }
            (queue, _) => queue.map_err(config),
        }
    }
}

fn c_string(text: String) -> PyResult<std::ffi::CString> {
    Ok(std::ffi::CString::new(text.replace('\0', ""))?)
}

fn shared(limits: apiqueue::Limits, opened: Opened) -> apiqueue::Registry {
    apiqueue::Registry::new(move |key: &String| match limits.of(key) {
        Limit::Queue(builder) => Limit::Queue(builder.shared(opened.of_key(key))),
        Limit::None => Limit::None,
    })
}

#[pymethods]
impl Registry {
    #[new]
    #[pyo3(signature = (*_given, **_settings))]
    fn new(_given: &Bound<'_, PyTuple>, _settings: Option<&Bound<'_, PyDict>>) -> Self {
        let made = OnceLock::new();
        Self { made }
    }

    #[pyo3(signature = (limits, share=None))]
    fn __init__(&self, limits: &Bound<'_, PyAny>, share: Option<&str>) -> PyResult<()> {
        let made = Made {
            limits: Limits::of(limits)?,
            share: share.map(Share::parse).transpose()?,
            state: Mutex::new(State {
                live: None,
                generation: generation(),
                is_stopped: false,
            }),
        };
        // What can't be is told now.
        made.live()?;
        self.made.set(made).map_err(|_| made_twice("Registry"))
    }

    /// The queue of `key`; None where the key is not limited. It is started already.
    fn queue(slf: &Bound<'_, Self>, key: &str) -> PyResult<Option<ApiQueue>> {
        let queue = slf.get().live_queue(slf.py(), key)?;
        Ok(queue.map(|live| ApiQueue::keyed(slf.clone().unbind(), key.to_owned(), live)))
    }

    /// Stops all queues for good: now, or softly, as `ApiQueue.stop` does. All have the same `timeout`.
    #[pyo3(signature = (soft_stop=false, timeout=None))]
    fn stop(
        &self,
        py: Python<'_>,
        soft_stop: bool,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<StopReport> {
        let timeout = numbers::timeout(timeout)?.unwrap_or(DRAIN);
        let made = self.made()?;
        let live = made.live()?;
        made.state().is_stopped = true;
        let how = match soft_stop {
            true => Stop::Drain { timeout },
            false => Stop::Now,
        };
        let (registry, alone) = (live.registry, live.alone);
        let total = stopped(py, async move {
            let mut total = registry.stop_async(how).await.total();
            if let Some(alone) = alone {
                let more = alone.stop_async(how).await.total();
                total.released += more.released;
                total.abandoned += more.abandoned;
                total.under_way += more.under_way;
            }
            total
        })?;
        Ok(total.into())
    }

    /// What each of its queues has done so far, by key.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let live = self.made()?.live()?;
        let all = PyDict::new(py);
        for registry in [Some(live.registry), live.alone].into_iter().flatten() {
            for (key, queue) in registry.queues() {
                all.set_item(key, Stats::from(queue.stats()))?;
            }
        }
        Ok(all)
    }

    /// How many keys were asked for.
    fn __len__(&self) -> PyResult<usize> {
        Ok(self.made()?.live()?.registry.len())
    }

    /// Also one that nobody has asked yet is a registry.
    fn __bool__(&self) -> bool {
        true
    }

    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(not_copied("a Registry"))
    }

    fn __repr__(&self) -> String {
        let Some(Made { limits, share, .. }) = self.made.get() else {
            return "<Registry, not made yet>".to_owned();
        };
        let share = share
            .as_ref()
            .map(|share| format!(", shared as {:?}", share.said()));
        format!(
            "<Registry of {}{}>",
            limits.__repr__(),
            share.unwrap_or_default()
        )
    }
}
