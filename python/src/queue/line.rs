//! `Line`: `queue.queue`.

use pyo3::prelude::*;

use super::ApiQueue;

/// Those in line of a queue, for those who ask as they would a `queue.Queue`.
#[pyclass(frozen, module = "apiqueue._apiqueue")]
pub(crate) struct Line {
    pub(super) queue: Py<ApiQueue>,
}

#[pymethods]
impl Line {
    /// Whether nobody is in line.
    fn empty(&self) -> bool {
        self.qsize() == 0
    }

    /// How many are in line.
    fn qsize(&self) -> usize {
        self.queue.get().live.len()
    }
}
