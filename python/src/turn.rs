//! `Turn`: the call may be made.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;

use crate::errors::{config, not_copied};
use crate::exit::generation;
use crate::numbers::{span, whole};

/// The call may be made. It is under way until the turn is over: by the end of a `with`, one of `ok`, `throttled`, `give_back` and `end`, or
/// when the object goes. Which counts where calls under way are limited; else a turn may be ignored.
#[pyclass(frozen, module = "apiqueue")]
pub(crate) struct Turn {
    turn: Mutex<Option<apiqueue::Turn<'static>>>,
    waited: f64,
    behind: usize,
    generation: u64,
}

impl Turn {
    pub(crate) fn of(turn: apiqueue::Turn<'static>) -> Self {
        Self {
            waited: turn.waited().as_secs_f64(),
            behind: turn.waited_behind(),
            turn: Mutex::new(Some(turn)),
            generation: generation(),
        }
    }

    fn turn(&self) -> MutexGuard<'_, Option<apiqueue::Turn<'static>>> {
        // Held for a moment, never while anything waits.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None where it is over; and in a forked child, where it is the parent's.
    pub(crate) fn take(&self) -> Option<apiqueue::Turn<'static>> {
        let turn = self.turn().take();
        if self.generation != generation() {
            mem::forget(turn);
            return None;
        }
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.take());
    }
}

#[pymethods]
impl Turn {
    /// How many seconds it waited in line.
    #[getter]
    fn waited(&self) -> f64 {
        self.waited
    }

    /// How many were ahead of it when it took its place.
    #[getter]
    fn waited_behind(&self) -> usize {
        self.behind
    }

    /// Whether it is over.
    #[getter]
    fn is_over(&self) -> bool {
        self.turn().is_none()
    }

    /// The server took the call, whatever it answered, and it is over. A queue whose rate is found learns from it.
    fn ok(&self) {
        if let Some(turn) = self.take() {
            turn.ok();
        }
    }

    /// The server refused the call for coming too often, and it is over. `retry_after` is for how many seconds it asks to stay
    /// away: the queue is held so long.
    #[pyo3(signature = (retry_after=None))]
    fn throttled(&self, retry_after: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let hold = retry_after
            .map(|time| span("retry_after", time, 0.0))
            .transpose()?;
        if let Some(turn) = self.take() {
            turn.throttled(hold);
        }
        Ok(())
    }

    /// The call will not be made after all: the next one goes early.
    fn give_back(&self) {
        if let Some(turn) = self.take() {
            turn.give_back();
        }
    }

    /// The call has cost `permits` more.
    fn charge(&self, permits: &Bound<'_, PyAny>) -> PyResult<()> {
        let permits = whole("permits", permits, 0, u32::MAX)?;
        match &*self.turn() {
            Some(turn) => turn.charge(permits as usize).map_err(config),
            None => Err(config("the turn is over: charge the queue")),
        }
    }

    /// The call has cost `permits` less.
    fn refund(&self, permits: &Bound<'_, PyAny>) -> PyResult<()> {
        let permits = whole("permits", permits, 0, u32::MAX)?;
        match &*self.turn() {
            Some(turn) => turn.refund(permits as usize),
            None => return Err(config("the turn is over: refund the queue")),
        }
        Ok(())
    }

    /// The call is over, and nothing is to be said of it.
    fn end(&self) {
        drop(self.take());
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, _exc: &Bound<'_, pyo3::types::PyTuple>) {
        self.end();
    }

    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(not_copied("a Turn"))
    }

    fn __repr__(&self) -> String {
        let state = if self.is_over() { "over" } else { "under way" };
        format!("<Turn, waited {} s, {state}>", self.waited)
    }
}
