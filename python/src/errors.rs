//! The exceptions, which are Python classes, and what becomes one.

use std::fmt::Display;

use apiqueue::core::EnqueueError;
use pyo3::PyErr;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};

pyo3::import_exception!(apiqueue._errors, Closed);
pyo3::import_exception!(apiqueue._errors, Full);
pyo3::import_exception!(apiqueue._errors, Timeout);
pyo3::import_exception!(apiqueue._errors, ConfigError);

/// What was given can't be.
pub(crate) fn config(why: impl Display) -> PyErr {
    ConfigError::new_err(why.to_string())
}

pub(crate) fn closed() -> PyErr {
    Closed::new_err("the queue is closed")
}

pub(crate) fn enqueue(why: EnqueueError) -> PyErr {
    match why {
        EnqueueError::Closed => closed(),
        EnqueueError::Full { .. } => Full::new_err(why.to_string()),
        why => config(why),
    }
}

/// For those who would pickle or copy what lives in one process.
pub(crate) fn not_copied(what: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "{what} can't be copied or pickled: it lives in this process. Make one in each process, and let them share a limit by share="
    ))
}

/// For those whose subclass has not called it.
pub(crate) fn not_made(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("{what}.__init__ was not called: a subclass has to"))
}

pub(crate) fn made_twice(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("{what}.__init__ was called already"))
}
