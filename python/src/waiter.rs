//! `Waiter`: a place in line.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use apiqueue::core::EnqueueError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::bell::Bell;
use crate::errors::{closed, enqueue, not_copied};
use crate::exit::generation;
use crate::numbers;
use crate::port::Port;
use crate::steps::{Steps, now_millis};
use crate::turn::Turn;
use crate::wait::Wait;

/// A place in line: look at `waiting` now and then, block in `wait`, or `await` it. To drop it, or to `cancel` it, leaves the line and
/// costs nobody a turn.
#[pyclass(frozen, module = "apiqueue", weakref)]
pub(crate) struct Waiter {
    state: Mutex<State>,
    /// The number of the task that awaits it; 0 for none.
    task: AtomicU64,
    generation: u64,
    bell: Arc<Bell>,
    steps: Steps,
    /// Epoch milliseconds.
    timeout: f64,
}

enum State {
    Waits(Wait),
    /// A thread waits with it.
    Away,
    /// Its turn has come, and is under way as long as this is there.
    Released(Py<Turn>),
    Closed,
    Left,
}

impl Waiter {
    pub(crate) fn new(
        py: Python<'_>,
        mut wait: Wait,
        steps: Steps,
        timeout: f64,
    ) -> PyResult<Self> {
        let bell = Arc::<Bell>::default();
        let state = if wait.is_waiting() {
            match wait.poll(&bell.waker()) {
                Poll::Pending => State::Waits(wait),
                Poll::Ready(Err(EnqueueError::Closed)) => State::Closed,
                Poll::Ready(Err(why)) => return Err(enqueue(why)),
                Poll::Ready(Ok(turn)) => State::Released(Py::new(py, Turn::of(turn))?),
            }
        } else {
            State::Waits(wait)
        };
        if !matches!(&state, State::Waits(wait) if wait.is_waiting()) {
            bell.replace();
        }
        Ok(Self {
            state: Mutex::new(state),
            task: AtomicU64::new(0),
            generation: generation(),
            bell,
            steps,
            timeout,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Held for a look, never while anything waits.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_inherited(&self) -> bool {
        self.generation != generation()
    }

    fn released(&self, py: Python<'_>, turn: apiqueue::Turn<'static>) -> PyResult<Py<Turn>> {
        if self.steps.is_on() {
            self.steps
                .add(self.bell.age().unwrap_or_else(|| turn.age()));
        }
        let turn = Py::new(py, Turn::of(turn))?;
        *self.state() = State::Released(turn.clone_ref(py));
        Ok(turn)
    }

    /// There will be no turn.
    fn has_failed(&self, why: EnqueueError) -> PyErr {
        *self.state() = State::Closed;
        enqueue(why)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.is_inherited() {
            // In a forked child the line is the parent's, with its locks as they were at the fork.
            mem::forget(mem::replace(&mut *self.state(), State::Left));
        }
    }
}

#[pymethods]
impl Waiter {
    /// Whether its turn is still to come.
    ///
    /// Raises `Closed` when it will not come any more, as the queue was stopped: nobody is to make the call then.
    #[getter]
    fn waiting(&self, py: Python<'_>) -> PyResult<bool> {
        if self.is_inherited() {
            return Err(closed());
        }
        if !self.bell.has_rung() {
            return Ok(true);
        }
        let mut state = self.state();
        let turn = match &mut *state {
            State::Waits(wait) if wait.is_waiting() => return Ok(true),
            State::Waits(wait) => wait.look(),
            State::Away => return Ok(true),
            State::Released(_) | State::Left => return Ok(false),
            State::Closed => return Err(closed()),
        };
        if !matches!(turn, Ok(None)) {
            *state = State::Away;
        }
        drop(state);
        match turn {
            Ok(None) => Ok(true),
            // Taken, and not only seen: the permit of one that nobody has taken goes to the next.
            Ok(Some(turn)) => self.released(py, turn).map(|_| false),
            Err(why) => Err(self.has_failed(why)),
        }
    }

    /// The turn: blocks this thread until it has come, for `timeout` seconds at most. It keeps its place when the time is over.
    ///
    /// Raises `Timeout`, and `Closed` when the queue is stopped first.
    #[pyo3(signature = (timeout=None))]
    pub(crate) fn wait(
        &self,
        py: Python<'_>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Turn>> {
        let timeout = numbers::timeout(timeout)?;
        if self.is_inherited() {
            return Err(closed());
        }
        let mut wait = {
            let mut state = self.state();
            if self.task.load(Ordering::Relaxed) != 0 {
                return Err(PyRuntimeError::new_err("a task awaits this waiter"));
            }
            self.bell.replace();
            match mem::replace(&mut *state, State::Away) {
                State::Waits(wait) => wait,
                before => {
                    let answer = match &before {
                        State::Released(turn) => Ok(turn.clone_ref(py)),
                        State::Closed => Err(closed()),
                        State::Left => Err(PyRuntimeError::new_err("the waiter has left the line")),
                        _ => Err(PyRuntimeError::new_err(
                            "another thread waits with this waiter",
                        )),
                    };
                    *state = before;
                    return answer;
                }
            }
        };
        match wait.block(py, timeout) {
            Ok(turn) => self.released(py, turn),
            Err(why) => {
                *self.state() = match why.is_instance_of::<crate::errors::Closed>(py) {
                    true => State::Closed,
                    false => State::Waits(wait),
                };
                Err(why)
            }
        }
    }

    /// The turn, if it has come; None while it has not.
    fn _ready(&self, py: Python<'_>) -> PyResult<Option<Py<Turn>>> {
        match self.waiting(py)? {
            true => Ok(None),
            false => match &*self.state() {
                State::Released(turn) => Ok(Some(turn.clone_ref(py))),
                _ => Ok(None),
            },
        }
    }

    /// The turn, if it has come; None while it has not. Then `number` is left at `port` when there is something to see.
    fn _poll(&self, py: Python<'_>, port: &Port, number: u64) -> PyResult<Option<Py<Turn>>> {
        if self.is_inherited() {
            return Err(closed());
        }
        let mut state = self.state();
        let before = self.task.swap(number, Ordering::Relaxed);
        if before != 0 && before != number {
            self.task.store(before, Ordering::Relaxed);
            return Err(PyRuntimeError::new_err("another task awaits this waiter"));
        }
        self.bell.replace();
        let turn = match &mut *state {
            State::Waits(wait) => wait.poll(&port.waker(number)),
            State::Released(turn) => return Ok(Some(turn.clone_ref(py))),
            State::Closed => return Err(closed()),
            State::Left => return Err(PyRuntimeError::new_err("the waiter has left the line")),
            State::Away => {
                let why = "another thread waits with this waiter";
                return Err(PyRuntimeError::new_err(why));
            }
        };
        if turn.is_ready() {
            *state = State::Away;
        }
        drop(state);
        match turn {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(turn)) => self.released(py, turn).map(Some),
            Poll::Ready(Err(why)) => Err(self.has_failed(why)),
        }
    }

    /// The task with this number awaits it no more.
    fn _leave(&self, number: u64) {
        let _ = self
            .task
            .compare_exchange(number, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Leaves the line. A turn that has come is over.
    pub(crate) fn cancel(&self) {
        let mut state = self.state();
        self.bell.replace();
        let before = match &*state {
            State::Waits(_) | State::Released(_) => mem::replace(&mut *state, State::Left),
            _ => return,
        };
        drop(state);
        match before {
            State::Released(turn) => drop(turn.get().take()),
            State::Waits(wait) if self.is_inherited() => mem::forget(wait),
            _ => {}
        }
    }

    /// How many are ahead, 0 for the next one; None when it does not wait any more.
    #[getter]
    fn position(&self) -> Option<usize> {
        match &*self.state() {
            State::Waits(Wait::Line(waiter)) => waiter.position(),
            _ => None,
        }
    }

    /// In how many seconds its turn comes, at the present rate and if nobody ahead leaves; None where that can't be told.
    #[getter]
    fn estimate(&self) -> Option<f64> {
        match &*self.state() {
            State::Waits(Wait::Line(waiter)) => {
                let at = waiter.estimate()?;
                let now = std::time::Instant::now();
                Some(at.saturating_duration_since(now).as_secs_f64())
            }
            _ => None,
        }
    }

    /// When whoever polls it may give up, in milliseconds since 1970: five times as long as its place in line takes.
    #[getter]
    fn timeout(&self) -> f64 {
        self.timeout
    }

    /// True, for those who set it.
    #[getter]
    fn registered(&self) -> bool {
        !matches!(*self.state(), State::Left)
    }

    /// False leaves the line.
    #[setter]
    fn set_registered(&self, registered: bool) {
        if !registered {
            self.cancel();
        }
    }

    /// Milliseconds since 1970.
    #[staticmethod]
    fn now() -> u64 {
        now_millis()
    }

    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(not_copied("a Waiter"))
    }

    fn __repr__(&self) -> &'static str {
        match &*self.state() {
            State::Waits(wait) if wait.is_waiting() => "<Waiter, waiting>",
            State::Waits(_) | State::Released(_) => "<Waiter, released>",
            State::Away => "<Waiter, waiting in a thread>",
            State::Closed => "<Waiter, closed>",
            State::Left => "<Waiter, has left>",
        }
    }
}
