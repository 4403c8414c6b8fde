//! `ApiQueue`: a line of waiters, released one by one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apiqueue::{Stop, TryAcquireError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::errors::{closed, config, enqueue};
use crate::exit::{generation, without_gil};
use crate::numbers::{self, millis, span, whole};
use crate::pending::PendingTurn;
use crate::rate::{said, with_burst};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::stats::{Stats, StopReport};
use crate::turn::Turn;
use crate::wait::{Wait, begun};
use crate::waiter::{Waiter, now_millis};

/// How long a soft stop may take unless that is said: as long as it takes.
pub(crate) const DRAIN: Duration = Duration::from_secs(1 << 25);

/// A line of waiters, released one by one at a steady rate.
///
/// ApiQueue(rate_millis=None, *, per_second=None, every=None, at_most=None, burst=None, strict=None, limits=(), at_once=None, adaptive=False,
/// within=None, part=None, priority=None, share=None, name="", capacity=4096, catch_up=None, long_wait=None)
#[pyclass(frozen, subclass, dict, weakref, module = "apiqueue")]
pub(crate) struct ApiQueue {
    origin: Origin,
    state: Mutex<State>,
    steps: Steps,
}

enum Origin {
    Own(Box<Settings>),
    /// Of a registry, by its key.
    Keyed(Py<Registry>, String),
}

struct State {
    live: Option<apiqueue::ApiQueue>,
    generation: u64,
    is_stopped: bool,
    /// It releases nobody before `start`.
    is_paused: bool,
    /// What the rate was set to.
    rate: Option<apiqueue::Rate>,
}

/// When waiters were released, in milliseconds since 1970, while `debug` is on.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    is_on: Arc<AtomicBool>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// Between one reading of both clocks and now only the one counts that never jumps.
    base: Option<(std::time::Instant, Duration)>,
    steps: Vec<u64>,
}

impl Steps {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One was released.
    pub(crate) fn add(&self, turn: &apiqueue::Turn<'_>) {
        // Ordering: Relaxed; whoever sets it is not waited for.
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let mut kept = self.kept();
        let (instant, epoch) = *kept.base.get_or_insert_with(|| {
            let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
            (std::time::Instant::now(), epoch.unwrap_or_default())
        });
        let at = (epoch + instant.elapsed()).saturating_sub(turn.age());
        // Rounded down: two that are whole milliseconds apart stay so.
        kept.steps
            .push(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
    }
}

impl ApiQueue {
    pub(crate) fn keyed(registry: Py<Registry>, key: String, live: apiqueue::ApiQueue) -> Self {
        let state = State {
            live: Some(live),
            generation: generation(),
            is_stopped: false,
            is_paused: false,
            rate: None,
        };
        Self {
            origin: Origin::Keyed(registry, key),
            state: Mutex::new(state),
            steps: Steps::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Held for a look, or to start a queue; never while anything waits.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue of this process, and whether it is paused. In a forked child one is started anew: the parent's is the parent's.
    fn live(&self, py: Python<'_>) -> PyResult<apiqueue::ApiQueue> {
        let mut state = self.state();
        if state.generation != generation() {
            // The parent's, with its locks as they were at the fork: not even dropped.
            std::mem::forget(state.live.take());
            state.generation = generation();
        }
        if state.is_stopped {
            return Err(closed());
        }
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        let live = match &self.origin {
            Origin::Own(settings) => settings.start()?,
            Origin::Keyed(registry, key) => match registry.get().live_queue(py, key)? {
                Some(live) => live,
                None => return Err(config(format_args!("{key:?} is not limited any more"))),
            },
        };
        if let Some(rate) = state.rate {
            live.set_rate(rate);
        }
        if !state.is_paused {
            live.resume();
        }
        state.live = Some(live.clone());
        Ok(live)
    }

    /// The same, and it releases waiters from now on.
    fn running(&self, py: Python<'_>) -> PyResult<apiqueue::ApiQueue> {
        let live = self.live(py)?;
        let mut state = self.state();
        if state.is_paused {
            state.is_paused = false;
            live.resume();
        }
        Ok(live)
    }

    pub(crate) fn begin(&self, py: Python<'_>, weight: usize) -> PyResult<Wait> {
        begun(Wait::begin(&self.running(py)?, weight))
    }

    pub(crate) fn steps(&self) -> Steps {
        self.steps.clone()
    }

    pub(crate) fn released(&self, turn: apiqueue::Turn<'static>) -> Turn {
        self.steps.add(&turn);
        Turn::of(turn)
    }

    fn go_by(&self, py: Python<'_>, rate: apiqueue::Rate) -> PyResult<()> {
        // One that is stopped begins at this rate.
        let live = match self.state().is_stopped {
            true => None,
            false => Some(self.live(py)?),
        };
        self.state().rate = Some(rate);
        if let Some(live) = live {
            live.set_rate(rate);
        }
        Ok(())
    }

    /// The rate, stopped or not.
    fn rate_now(&self, py: Python<'_>) -> PyResult<apiqueue::Rate> {
        let stopped = {
            let state = self.state();
            let own = match &self.origin {
                Origin::Own(settings) => settings.rate,
                Origin::Keyed(..) => None,
            };
            state.is_stopped.then_some(state.rate.or(own)).flatten()
        };
        match stopped {
            Some(rate) => Ok(rate),
            None => Ok(self.live(py)?.rate()),
        }
    }
}

#[pymethods]
impl ApiQueue {
    #[new]
    #[pyo3(signature = (rate_millis=None, **settings))]
    fn new(
        py: Python<'_>,
        rate_millis: Option<&Bound<'_, PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let state = State {
            live: None,
            generation: generation(),
            is_stopped: false,
            is_paused: true,
            rate: None,
        };
        let queue = Self {
            origin: Origin::Own(Box::new(Settings::parse(py, rate_millis, settings)?)),
            state: Mutex::new(state),
            steps: Steps::default(),
        };
        // What can't be started is told now.
        queue.live(py)?;
        Ok(queue)
    }

    /// Begins to release waiters: those that are in line already in their order, with the whole burst. Also after a stop.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        if matches!(self.origin, Origin::Own(_)) {
            let mut state = self.state();
            if state.is_stopped {
                state.is_stopped = false;
                state.live = None;
            }
        }
        self.running(py).map(drop)
    }

    /// Stops: now, or softly, when those in line have been released; for `timeout` seconds at most. Who is in line after that, and who comes
    /// later, gets `Closed`, until `start`. Blocks this thread as long as that takes, and says what came of it.
    #[pyo3(signature = (soft_stop=false, timeout=None))]
    fn stop(
        &self,
        py: Python<'_>,
        soft_stop: bool,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<StopReport> {
        let timeout = numbers::timeout(timeout)?.unwrap_or(DRAIN);
        let live = {
            let mut state = self.state();
            if state.generation != generation() {
                state.live = None;
                state.generation = generation();
            }
            state.is_stopped = true;
            state.is_paused = false;
            state.live.clone()
        };
        let Some(live) = live else {
            return Ok(apiqueue::StopReport::default().into());
        };
        let how = match soft_stop {
            true => {
                // One that was never started is to release those in line, too.
                live.resume();
                Stop::Drain { timeout }
            }
            false => Stop::Now,
        };
        Ok(without_gil(py, || live.stop(how)).into())
    }

    /// Takes a place in line. One that costs `weight` permits can't cost more than the burst.
    ///
    /// Raises `Full` when there is no place, and `Closed`.
    #[pyo3(signature = (weight=None))]
    fn enqueue(&self, py: Python<'_>, weight: Option<&Bound<'_, PyAny>>) -> PyResult<Waiter> {
        let live = self.live(py)?;
        let wait = Wait::now(&live, weight_of(weight)?).map_err(enqueue)?;
        let ahead = live.len() as f64;
        let each = live.rate().interval().as_secs_f64() * 1e3;
        let timeout = now_millis() as f64 + ahead.max(1.0) * 5.0 * each;
        Ok(Waiter::new(wait, self.steps(), timeout))
    }

    /// Takes a place in line if the turn would come within `longest` seconds, as far as can be told.
    ///
    /// Raises `Timeout` where it would come later, `Full` and `Closed`.
    fn enqueue_within(&self, py: Python<'_>, longest: &Bound<'_, PyAny>) -> PyResult<Waiter> {
        use apiqueue::RefusedError::{Enqueue, TooLate};

        let longest = span("longest", longest, 0.0)?;
        let waiter = self.running(py)?.enqueue_within(longest);
        match waiter {
            Ok(waiter) => Ok(Waiter::new(Wait::Line(waiter), self.steps(), 0.0)),
            Err(Enqueue(why)) => Err(enqueue(why)),
            Err(why @ TooLate { .. }) => Err(crate::errors::Timeout::new_err(why.to_string())),
            Err(why) => Err(config(why)),
        }
    }

    /// A turn that is still to be waited for: `with queue.turn():`, `async with queue.turn():`, `await queue.turn()` or
    /// `queue.turn().wait()`; for `timeout` seconds at most, and waits for a place, too. Starts the queue if that was not done.
    #[pyo3(signature = (weight=None, timeout=None))]
    fn turn(
        slf: &Bound<'_, Self>,
        weight: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PendingTurn> {
        let timeout = numbers::timeout(timeout)?;
        Ok(PendingTurn::new(
            slf.clone().unbind(),
            weight_of(weight)?,
            timeout,
        ))
    }

    /// The turn, if there is one now and nobody waits for it; else None.
    ///
    /// Raises `Closed`.
    fn try_turn(&self, py: Python<'_>) -> PyResult<Option<Turn>> {
        match self.running(py)?.try_acquire_owned() {
            Ok(turn) => Ok(Some(self.released(turn))),
            Err(TryAcquireError::Closed) => Err(closed()),
            Err(_) => Ok(None),
        }
    }

    /// Releases nobody for `seconds`, those in line included: what a server asks for with `Retry-After`. Only extends a hold.
    fn hold_for(&self, py: Python<'_>, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        let time = span("seconds", seconds, 0.0)?;
        self.live(py)?.hold_for(time).map_err(config)
    }

    /// Ends a hold. Starts the queue, too.
    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        let live = self.live(py)?;
        self.state().is_paused = false;
        live.resume();
        Ok(())
    }

    /// Goes by another rate from now on, those in line included. The burst stays, unless another is given.
    #[pyo3(signature = (*, per_second=None, every=None, burst=None))]
    fn set_rate(
        &self,
        py: Python<'_>,
        per_second: Option<&Bound<'_, PyAny>>,
        every: Option<&Bound<'_, PyAny>>,
        burst: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let rate = said(per_second, every, None)?
            .ok_or_else(|| config("set_rate needs per_second= or every="))?;
        let before = self.rate_now(py)?;
        let rate = match burst {
            Some(_) => with_burst(rate, burst, before.is_strict())?,
            None => with_terms_of(rate, before)?,
        };
        self.go_by(py, rate)
    }

    /// Releases one each `rate` milliseconds from now on, and starts the queue if that was not done.
    fn reset_rate(&self, py: Python<'_>, rate: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set_rate_millis(py, rate)?;
        self.start(py)
    }

    /// From one release to the next, in milliseconds.
    #[getter]
    fn rate_millis(&self, py: Python<'_>) -> PyResult<f64> {
        Ok(self.rate_now(py)?.interval().as_secs_f64() * 1e3)
    }

    #[setter]
    fn set_rate_millis(&self, py: Python<'_>, rate: &Bound<'_, PyAny>) -> PyResult<()> {
        let rate = apiqueue::Rate::every(millis("rate_millis", rate)?).map_err(config)?;
        let rate = with_terms_of(rate, self.rate_now(py)?)?;
        self.go_by(py, rate)
    }

    /// Releases each second.
    #[getter]
    fn per_second(&self, py: Python<'_>) -> PyResult<f64> {
        Ok(1.0 / self.rate_now(py)?.interval().as_secs_f64())
    }

    /// Uses up `permits` more.
    fn charge(&self, py: Python<'_>, permits: &Bound<'_, PyAny>) -> PyResult<()> {
        let permits = whole("permits", permits, 0, u32::MAX)?;
        self.live(py)?.charge(permits as usize).map_err(config)
    }

    /// Puts `permits` back.
    fn refund(&self, py: Python<'_>, permits: &Bound<'_, PyAny>) -> PyResult<()> {
        let permits = whole("permits", permits, 0, u32::MAX)?;
        self.live(py)?.refund(permits as usize);
        Ok(())
    }

    /// What it has done so far.
    fn stats(&self, py: Python<'_>) -> PyResult<Stats> {
        let stopped = {
            let state = self.state();
            state.is_stopped.then(|| state.live.clone()).flatten()
        };
        let live = match stopped {
            Some(live) => live,
            None => self.live(py)?,
        };
        Ok(live.stats().into())
    }

    /// What it is called.
    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<String> {
        match &self.origin {
            Origin::Own(settings) => Ok(settings.name.clone()),
            Origin::Keyed(..) => Ok(self.live(py)?.name().to_owned()),
        }
    }

    /// Whether it was stopped, and not started since.
    #[getter]
    fn closed(&self) -> bool {
        self.state().is_stopped
    }

    /// How many are in line.
    fn __len__(&self) -> usize {
        let state = self.state();
        let is_own = state.generation == generation();
        state
            .live
            .as_ref()
            .filter(|_| is_own)
            .map_or(0, |live| live.len())
    }

    /// A queue where nobody waits is a queue.
    fn __bool__(&self) -> bool {
        true
    }

    /// The same as `len`.
    #[getter]
    fn queued(&self) -> usize {
        self.__len__()
    }

    /// The line, with `empty()` and `qsize()`.
    #[getter]
    fn queue(slf: &Bound<'_, Self>) -> Line {
        let queue = slf.clone().unbind();
        Line { queue }
    }

    /// Whether `steps` are kept.
    #[getter]
    fn debug(&self) -> bool {
        self.steps.is_on.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_debug(&self, is_on: bool) {
        self.steps.is_on.store(is_on, Ordering::Relaxed);
    }

    /// When waiters were released while `debug` was on, in milliseconds since 1970. One counts when its waiter has looked.
    #[getter(steps)]
    fn all_steps(&self) -> Vec<u64> {
        let mut steps = self.steps.kept().steps.clone();
        steps.sort_unstable();
        steps
    }

    /// Milliseconds since 1970.
    #[staticmethod]
    fn now() -> u64 {
        now_millis()
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().start(slf.py())?;
        Ok(slf)
    }

    /// Stops: softly, or now where something was raised.
    #[pyo3(signature = (exc_type=None, *_exc))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: Option<&Bound<'_, PyAny>>,
        _exc: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        self.stop(py, exc_type.is_none(), None).map(drop)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let name = self.name(py).unwrap_or_default();
        let state = if self.closed() { ", stopped" } else { "" };
        match self.rate_now(py) {
            Ok(rate) => format!(
                "<ApiQueue {name:?}: {rate}, {} in line{state}>",
                self.__len__()
            ),
            Err(_) => format!("<ApiQueue {name:?}{state}>"),
        }
    }
}

/// With the burst of the rate before, and as strict.
fn with_terms_of(rate: apiqueue::Rate, before: apiqueue::Rate) -> PyResult<apiqueue::Rate> {
    let burst = u32::try_from(before.burst_size()).unwrap_or(u32::MAX);
    let rate = rate.burst(burst).map_err(config)?;
    Ok(if before.is_strict() {
        rate.strict()
    } else {
        rate
    })
}

fn weight_of(weight: Option<&Bound<'_, PyAny>>) -> PyResult<usize> {
    match weight {
        None => Ok(1),
        Some(weight) => Ok(whole("weight", weight, 1, 65_535)? as usize),
    }
}

/// Those in line of a queue, for those who ask as they would a `queue.Queue`.
#[pyclass(frozen, module = "apiqueue._apiqueue")]
pub(crate) struct Line {
    queue: Py<ApiQueue>,
}

#[pymethods]
impl Line {
    /// Whether nobody is in line.
    fn empty(&self) -> bool {
        self.qsize() == 0
    }

    /// How many are in line.
    fn qsize(&self) -> usize {
        self.queue.get().__len__()
    }
}
