//! `PendingTurn`: what `queue.turn()` gives, for `with`, `async with`, `await` and `.wait()`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};

use crate::errors::not_copied;
use crate::queue::ApiQueue;
use crate::turn::Turn;
use crate::waiter::Waiter;

/// A turn that is still to be waited for: by `with`, `async with`, `await` or `.wait()`. It takes its place in line when that begins, and
/// leaves it if that is given up.
#[pyclass(frozen, module = "apiqueue")]
pub(crate) struct PendingTurn {
    queue: Py<ApiQueue>,
    weight: usize,
    /// None for ever.
    timeout: Option<Duration>,
    entered: Mutex<Entered>,
}

/// The turns of a `with`, the latest last.
#[derive(Default)]
struct Entered {
    first: Option<Py<Turn>>,
    /// Where the same object was entered again before it was left.
    more: Vec<Py<Turn>>,
}

impl PendingTurn {
    pub(crate) fn new(queue: Py<ApiQueue>, weight: usize, timeout: Option<Duration>) -> Self {
        Self {
            queue,
            weight,
            timeout,
            entered: Mutex::default(),
        }
    }

    fn entered(&self) -> MutexGuard<'_, Entered> {
        // Held for a moment, never while anything waits.
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) {
        let turn = {
            let mut entered = self.entered();
            entered.more.pop().or_else(|| entered.first.take())
        };
        if let Some(turn) = turn {
            drop(turn.get().take());
        }
    }
}

#[pymethods]
impl PendingTurn {
    /// The turn: blocks this thread until it has come.
    ///
    /// Raises `Timeout`, and `Closed` when the queue is stopped first.
    fn wait(&self, py: Python<'_>) -> PyResult<Turn> {
        let mut wait = self.queue.get().begin(py, self.weight)?;
        let turn = wait.block(py, self.timeout)?;
        Ok(self.queue.get().released(turn))
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<Turn>> {
        let turn = Py::new(py, self.wait(py)?)?;
        self._entered(turn.clone_ref(py));
        Ok(turn)
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, _exc: &Bound<'_, PyTuple>) {
        self.ended();
    }

    /// Takes a place in line.
    fn _place(&self, py: Python<'_>) -> PyResult<Waiter> {
        let queue = self.queue.get();
        queue.waiter(py, queue.begin(py, self.weight)?, 0.0)
    }

    /// For how many seconds to wait at most.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        self.timeout.map(|timeout| timeout.as_secs_f64())
    }

    /// The turn that the end of an `async with` ends.
    fn _entered(&self, turn: Py<Turn>) {
        let mut entered = self.entered();
        match &entered.first {
            None => entered.first = Some(turn),
            Some(_) => entered.more.push(turn),
        }
    }

    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(not_copied("a PendingTurn"))
    }

    /// A queue may have this among its attributes: such a circle is collected. What was entered holds nothing.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.queue)
    }

    /// The end of an `async with`.
    fn _ended(&self) {
        self.ended();
    }

    fn __repr__(&self) -> &'static str {
        "<PendingTurn: use it with `with`, `async with`, `await` or `.wait()`>"
    }
}
