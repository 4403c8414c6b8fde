//! `Limits` and `Registry`: limits by key, and a queue for each key that was asked for.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apiqueue::{Limit, Stop};
use pyo3::prelude::*;

use crate::errors::{closed, config};
use crate::exit::{generation, without_gil};
use crate::numbers;
use crate::queue::ApiQueue;
use crate::share::Share;
use crate::stats::{Stats, StopReport};

/// Limits by key, such as `ec2/eu-west-1/describe`: `Limits.aws()`, those that AWS publishes, or `Limits.from_toml(path)`.
#[pyclass(frozen, module = "apiqueue")]
pub(crate) struct Limits {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Aws,
    /// A file's text, and where it is from.
    Toml(Arc<str>, String),
    /// A file's text over others.
    Over(Arc<Source>, Arc<str>, String),
}

impl Source {
    /// A clone of limits shares its accounts, so that each process makes its own.
    fn limits(&self) -> Result<apiqueue::Limits, String> {
        match self {
            Self::Aws => Ok(apiqueue::Limits::aws()),
            Self::Toml(text, path) => {
                apiqueue::Limits::from_toml(text).map_err(|why| format!("{path}: {why}"))
            }
            Self::Over(beneath, text, path) => {
                let beneath = beneath.limits()?;
                beneath.overridden(text).map_err(|why| format!("{path}: {why}"))
            }
        }
    }
}

fn read(path: PathBuf) -> PyResult<(Arc<str>, String)> {
    let said = path.display().to_string();
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|why| config(format_args!("limits of {said:?}: {why}")))?;
    Ok((text.into(), said))
}

fn checked(source: Source) -> PyResult<Limits> {
    source.limits().map_err(config)?;
    Ok(Limits { source })
}

#[pymethods]
impl Limits {
    /// Those that AWS publishes: of EC2 by operation, of other services by account and region.
    #[staticmethod]
    fn aws() -> Self {
        let source = Source::Aws;
        Self { source }
    }

    /// Those of a file. Raises `ConfigError` with the line that can't be.
    #[staticmethod]
    fn from_toml(path: PathBuf) -> PyResult<Self> {
        let (text, said) = read(path)?;
        checked(Source::Toml(text, said))
    }

    /// Those of a text.
    #[staticmethod]
    fn from_toml_text(text: &str) -> PyResult<Self> {
        checked(Source::Toml(text.into(), "the text".to_owned()))
    }

    /// These, with those of a file over them.
    fn overridden(&self, path: PathBuf) -> PyResult<Self> {
        let (text, said) = read(path)?;
        checked(Source::Over(Arc::new(self.source.clone()), text, said))
    }

    fn __repr__(&self) -> String {
        match &self.source {
            Source::Aws => "<Limits of AWS>".to_owned(),
            Source::Toml(_, path) | Source::Over(_, _, path) => format!("<Limits of {path:?}>"),
        }
    }
}

/// A queue for each key that is asked for, by the limit that it has.
#[pyclass(frozen, module = "apiqueue", weakref)]
pub(crate) struct Registry {
    source: Source,
    share: Option<Share>,
    state: Mutex<State>,
}

struct State {
    live: Option<apiqueue::Registry>,
    generation: u64,
    is_stopped: bool,
}

impl Registry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That of this process: in a forked child one is made anew.
    fn live(&self) -> PyResult<apiqueue::Registry> {
        let mut state = self.state();
        if state.generation != generation() {
            state.live = None;
            state.generation = generation();
        }
        if state.is_stopped {
            return Err(closed());
        }
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        let limits = self.source.limits().map_err(config)?;
        let live = match &self.share {
            None => apiqueue::Registry::from(limits),
            Some(share) => {
                let opened = share.open("limits")?;
                apiqueue::Registry::new(move |key: &String| match limits.of(key) {
                    Limit::Queue(builder) => Limit::Queue(builder.shared(opened.of_key(key))),
                    none => none,
                })
            }
        };
        state.live = Some(live.clone());
        Ok(live)
    }

    pub(crate) fn live_queue(
        &self,
        _py: Python<'_>,
        key: &str,
    ) -> PyResult<Option<apiqueue::ApiQueue>> {
        self.live()?.queue(key).map_err(config)
    }
}

#[pymethods]
impl Registry {
    /// By these limits. With `share`, a name, a path or the URL of a Redis, the limits are those of all processes that say the same.
    #[new]
    #[pyo3(signature = (limits, *, share=None))]
    fn new(limits: &Bound<'_, PyAny>, share: Option<String>) -> PyResult<Self> {
        let source = match limits.cast::<Limits>() {
            Ok(limits) => limits.get().source.clone(),
            Err(_) => Limits::from_toml(limits.extract()?)?.source,
        };
        let state = State {
            live: None,
            generation: generation(),
            is_stopped: false,
        };
        let registry = Self {
            source,
            share: share.map(|share| Share::parse(&share)).transpose()?,
            state: Mutex::new(state),
        };
        registry.live()?;
        Ok(registry)
    }

    /// The queue of a key; None where it is not limited.
    fn queue(slf: &Bound<'_, Self>, key: &str) -> PyResult<Option<ApiQueue>> {
        let live = slf.get().live_queue(slf.py(), key)?;
        Ok(live.map(|live| ApiQueue::keyed(slf.clone().unbind(), key.to_owned(), live)))
    }

    /// What each queue has done, by its key.
    fn stats(&self) -> PyResult<std::collections::BTreeMap<String, Stats>> {
        let queues = self.live()?.queues().into_iter();
        Ok(queues.map(|(key, queue)| (key, queue.stats().into())).collect())
    }

    /// Stops all queues: now, or softly, for `timeout` seconds at most.
    #[pyo3(signature = (soft_stop=false, timeout=None))]
    fn stop(
        &self,
        py: Python<'_>,
        soft_stop: bool,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<StopReport> {
        let timeout = numbers::timeout(timeout)?.unwrap_or(Duration::from_secs(1 << 25));
        let live = {
            let mut state = self.state();
            state.is_stopped = true;
            let is_own = state.generation == generation();
            state.live.take().filter(|_| is_own)
        };
        let Some(live) = live else {
            return Ok(apiqueue::StopReport::default().into());
        };
        let how = match soft_stop {
            true => Stop::Drain { timeout },
            false => Stop::Now,
        };
        Ok(without_gil(py, || live.stop(how)).total().into())
    }

    fn __repr__(&self) -> String {
        match &self.share {
            Some(share) => format!("<Registry of {:?}, shared as {:?}>", self.source, share.said()),
            None => format!("<Registry of {:?}>", self.source),
        }
    }
}
