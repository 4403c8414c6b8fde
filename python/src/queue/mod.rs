//! `ApiQueue`: a line of waiters, released one by one.

mod line;
mod live;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::time::Duration;

use apiqueue::{Stop, TryAcquireError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use self::live::Live;
use crate::block::stopped;
use crate::errors::{closed, config, enqueue, made_twice, not_copied, not_made};
use crate::numbers::{self, millis, span, whole};
use crate::pending::PendingTurn;
use crate::rate::{changed, with_terms_of};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::stats::{Stats, StopReport};
use crate::steps::{Steps, now_millis};
use crate::turn::Turn;
use crate::wait::{Wait, begun};
use crate::waiter::Waiter;

pub(crate) use self::line::Line;

/// How long a soft stop may take unless that is said: as long as it takes.
pub(crate) const DRAIN: Duration = Duration::from_secs(1 << 25);

/// A line of waiters, released one by one at a steady rate.
///
/// ApiQueue(rate_millis=None, *, per_second=None, every=None, at_most=None, burst=None, strict=None, limits=(), at_once=None, adaptive=False,
/// within=None, part=None, priority=None, share=None, name="", capacity=4096, catch_up=None, long_wait=None, start=False)
///
/// The rate is one of `rate_millis` (milliseconds from one to the next, never closer), `per_second`, `every` (seconds) and `at_most` (so many calls in
/// any window of so many seconds); `burst` is how many may go at once after a pause, and with `strict` no two are closer than the interval.
/// `limits` are further `Rate`s that have to allow a call. At most `at_once` calls are under way. With `adaptive=True` the rate is found
/// by what `turn.ok()` and `turn.throttled()` tell. `within` is an `Account`, of which `part` is this queue's part beside others, and `priority`, 0 to 7, says who
/// goes first.
///
/// `share` is for processes that are to have one rate together, all of which say the same: a name, which is that of a file in this user's state
/// directory; the absolute path of such a file; or `redis://host/#name`, for several machines. A limit that nobody knows yet begins after a second at most.
///
/// `capacity` is how many may be in line. For `catch_up` seconds at most lateness is made up, and waits from `long_wait` seconds on are counted
/// as long. Nobody goes before `start()`, a `turn()` or `with`; or at once with `start=True`.
///
/// In a forked child it starts anew, with nobody in line.
#[pyclass(frozen, subclass, dict, weakref, module = "apiqueue")]
pub(crate) struct ApiQueue {
    /// Since `__init__`, so that subclasses may have their own.
    live: OnceLock<Live>,
    steps: Steps,
}

impl ApiQueue {
    pub(crate) fn keyed(registry: Py<Registry>, key: String, queue: apiqueue::ApiQueue) -> Self {
        Self {
            live: OnceLock::from(Live::keyed(registry, key, queue)),
            steps: Steps::default(),
        }
    }

    fn live(&self) -> PyResult<&Live> {
        self.live.get().ok_or_else(|| not_made("ApiQueue"))
    }

    pub(crate) fn begin(&self, py: Python<'_>, weight: usize) -> PyResult<Wait> {
        begun(Wait::begin(&self.live()?.running(py)?, weight))
    }

    /// What waits, as an object.
    pub(crate) fn waiter(&self, py: Python<'_>, wait: Wait, timeout: f64) -> PyResult<Waiter> {
        Waiter::new(py, wait, self.steps.clone(), timeout)
    }

    pub(crate) fn released(&self, turn: apiqueue::Turn<'static>) -> Turn {
        if self.steps.is_on() {
            self.steps.add(turn.age());
        }
        Turn::of(turn)
    }
}

#[pymethods]
impl ApiQueue {
    #[new]
    #[pyo3(signature = (*_given, **_settings))]
    fn new(_given: &Bound<'_, PyTuple>, _settings: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            live: OnceLock::new(),
            steps: Steps::default(),
        }
    }

    #[pyo3(signature = (rate_millis=None, **settings))]
    fn __init__(
        &self,
        py: Python<'_>,
        rate_millis: Option<&Bound<'_, PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let settings = Settings::parse(py, rate_millis, settings)?;
        let is_started = settings.is_started;
        let live = Live::own(settings)?;
        self.live.set(live).map_err(|_| made_twice("ApiQueue"))?;
        if is_started {
            self.live()?.start(py)?;
        }
        Ok(())
    }

    /// Begins to release waiters: those that are in line already in their order, with the whole burst. Also after a stop.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        self.live()?.start(py)
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
        let Some((live, was_paused)) = self.live()?.stop() else {
            return Ok(apiqueue::StopReport::default().into());
        };
        let how = match soft_stop {
            true => Stop::Drain { timeout },
            false => Stop::Now,
        };
        let stop = async {
            let mut stop = pin!(live.stop_async(how));
            let begun = poll_fn(|context| Poll::Ready(stop.as_mut().poll(context))).await;
            if was_paused {
                // One that was never started releases those in line, too, and they count.
                live.resume();
            }
            match begun {
                Poll::Ready(report) => report,
                Poll::Pending => stop.await,
            }
        };
        Ok(stopped(py, stop)?.into())
    }

    /// Takes a place in line. One that costs `weight` permits can't cost more than the burst.
    ///
    /// Raises `Full` when there is no place, and `Closed`.
    #[pyo3(signature = (weight=None))]
    fn enqueue(&self, py: Python<'_>, weight: Option<&Bound<'_, PyAny>>) -> PyResult<Waiter> {
        let live = self.live()?.now(py)?;
        let wait = Wait::now(&live, weight_of(weight)?).map_err(enqueue)?;
        let line = live.len().max(1) as f64 * live.rate().interval().as_secs_f64() * 1e3;
        let timeout = now_millis() as f64 + 5.0 * line;
        self.waiter(py, wait, timeout)
    }

    /// Takes a place in line if the turn would come within `longest` seconds, as far as can be told.
    ///
    /// Raises `Timeout` where it would come later, `Full` and `Closed`.
    fn enqueue_within(&self, py: Python<'_>, longest: &Bound<'_, PyAny>) -> PyResult<Waiter> {
        use apiqueue::RefusedError::{Enqueue, TooLate};

        let longest = span("longest", longest, 0.0)?;
        match self.live()?.running(py)?.enqueue_within(longest) {
            Ok(waiter) => self.waiter(
                py,
                Wait::Line(waiter),
                now_millis() as f64 + longest.as_secs_f64() * 1e3,
            ),
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
        match self.live()?.running(py)?.try_acquire_owned() {
            Ok(turn) => Ok(Some(self.released(turn))),
            Err(TryAcquireError::Closed) => Err(closed()),
            Err(_) => Ok(None),
        }
    }

    /// Releases nobody for `seconds`, those in line included: what a server asks for with `Retry-After`. Only extends a hold.
    fn hold_for(&self, py: Python<'_>, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        let time = span("seconds", seconds, 0.0)?;
        self.live()?.hold(py, time)
    }

    /// Ends a hold. Starts the queue, too.
    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        self.live()?.resume(py)
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
        let rate = changed(per_second, every, burst, || self.live()?.rate(py).map(Some))?;
        self.live()?.go_by(py, rate)
    }

    /// Releases one each `rate` milliseconds from now on, and starts the queue if that was not done.
    fn reset_rate(&self, py: Python<'_>, rate: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set_rate_millis(py, rate)?;
        self.start(py)
    }

    /// From one release to the next, in milliseconds.
    #[getter]
    fn rate_millis(&self, py: Python<'_>) -> PyResult<f64> {
        Ok(self.live()?.rate(py)?.interval().as_nanos() as f64 / 1e6)
    }

    #[setter]
    fn set_rate_millis(&self, py: Python<'_>, rate: &Bound<'_, PyAny>) -> PyResult<()> {
        let rate = apiqueue::Rate::every(millis("rate_millis", rate)?).map_err(config)?;
        let rate = with_terms_of(rate, self.live()?.rate(py)?)?;
        self.live()?.go_by(py, rate)
    }

    /// Releases each second.
    #[getter]
    fn per_second(&self, py: Python<'_>) -> PyResult<f64> {
        Ok(1.0 / self.live()?.rate(py)?.interval().as_secs_f64())
    }

    /// Uses up `permits` more.
    fn charge(&self, py: Python<'_>, permits: &Bound<'_, PyAny>) -> PyResult<()> {
        let permits = whole("permits", permits, 0, u32::MAX)?;
        self.live()?
            .now(py)?
            .charge(permits as usize)
            .map_err(config)
    }

    /// Puts `permits` back.
    fn refund(&self, py: Python<'_>, permits: &Bound<'_, PyAny>) -> PyResult<()> {
        let permits = whole("permits", permits, 0, u32::MAX)?;
        self.live()?.now(py)?.refund(permits as usize);
        Ok(())
    }

    /// What it has done so far.
    fn stats(&self, py: Python<'_>) -> PyResult<Stats> {
        Ok(self.live()?.even_stopped(py)?.stats().into())
    }

    /// What it is called.
    #[getter]
    fn name(&self) -> PyResult<&str> {
        Ok(self.live()?.name())
    }

    /// The class of what `enqueue` gives.
    #[classattr]
    #[pyo3(name = "Waiter")]
    fn waiter_class(py: Python<'_>) -> Bound<'_, pyo3::types::PyType> {
        py.get_type::<Waiter>()
    }

    /// A queue is one of this process.
    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(not_copied("an ApiQueue"))
    }

    /// A registry may have its queues among its attributes: such a circle is collected.
    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(self.live.get().and_then(Live::registry))
    }

    /// Whether it was stopped, and not started since.
    #[getter]
    fn closed(&self) -> PyResult<bool> {
        Ok(self.live()?.is_stopped())
    }

    /// How many are in line.
    fn __len__(&self) -> PyResult<usize> {
        Ok(self.live()?.len())
    }

    /// A queue where nobody waits is a queue.
    fn __bool__(&self) -> bool {
        true
    }

    /// The same as `len`.
    #[getter]
    fn queued(&self) -> PyResult<usize> {
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
        self.steps.is_on()
    }

    #[setter]
    fn set_debug(&self, is_on: bool) {
        self.steps.set_on(is_on);
    }

    /// When waiters were released while `debug` was on, in milliseconds since 1970. One counts when its waiter has looked.
    #[getter(steps)]
    fn all_steps(&self) -> Vec<u64> {
        self.steps.all()
    }

    /// Milliseconds since 1970.
    #[staticmethod]
    fn now() -> u64 {
        now_millis()
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().live()?.start(slf.py())?;
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
        let Some(live) = self.live.get() else {
            return "<ApiQueue, not made yet>".to_owned();
        };
        let state = if live.is_stopped() { ", stopped" } else { "" };
        match live.rate(py) {
            Ok(rate) => format!(
                "<ApiQueue {:?}: {rate}, {} in line{state}>",
                live.name(),
                live.len()
            ),
            Err(_) => format!("<ApiQueue {:?}{state}>", live.name()),
        }
    }
}

fn weight_of(weight: Option<&Bound<'_, PyAny>>) -> PyResult<usize> {
    match weight {
        None => Ok(1),
        Some(weight) => Ok(whole("weight", weight, 1, 65_535)? as usize),
    }
}
