//! `Line`: `queue.queue`.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::ApiQueue;

/// Those in line of a queue, for those who ask as they would a `queue.Queue`.
#[pyclass(frozen, module = "apiqueue._apiqueue")]
pub(crate) struct Line {
    pub(super) queue: Py<ApiQueue>,
}

#[pymethods]
impl Line {
    /// Whether nobody is in line.
    fn empty(&self) -> PyResult<bool> {
        Ok(self.qsize()? == 0)
    }

    /// How many are in line.
    fn qsize(&self) -> PyResult<usize> {
        self.queue.get().__len__()
    }

    /// A queue may have this among its attributes: such a circle is collected.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.queue)
    }
}
