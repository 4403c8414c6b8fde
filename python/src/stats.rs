//! `Stats` and `StopReport`: what a queue has done.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

/// A queue at one moment. Times are seconds; None where there is nothing to tell yet.
#[pyclass(frozen, get_all, mapping, module = "apiqueue")]
pub(crate) struct Stats {
    name: String,
    depth: usize,
    capacity: usize,
    without_place: usize,
    under_way: usize,
    released: u64,
    cancelled: u64,
    refused: u64,
    given_back: u64,
    long_waits: u64,
    since_last_release: Option<f64>,
    interval_mean: Option<f64>,
    interval_deviation: Option<f64>,
    interval_p50: Option<f64>,
    interval_p99: Option<f64>,
    wait_p50: Option<f64>,
    wait_p99: Option<f64>,
    wait_max: Option<f64>,
    #[doc = "As text."]
    text: String,
}

impl From<apiqueue::Stats> for Stats {
    fn from(stats: apiqueue::Stats) -> Self {
        let intervals = stats.intervals.as_ref();
        let waits = stats.waits.as_ref();
        Self {
            text: stats.to_string(),
            depth: stats.depth,
            capacity: stats.capacity,
            without_place: stats.without_place,
            under_way: stats.under_way,
            released: stats.released,
            cancelled: stats.cancelled,
            refused: stats.refused,
            given_back: stats.given_back,
            long_waits: stats.long_waits,
            since_last_release: stats.since_last_release.map(|time| time.as_secs_f64()),
            interval_mean: intervals.map(|all| all.mean.as_secs_f64()),
            interval_deviation: intervals.map(|all| all.deviation.as_secs_f64()),
            interval_p50: intervals.map(|all| all.p50.as_secs_f64()),
            interval_p99: intervals.map(|all| all.p99.as_secs_f64()),
            wait_p50: waits.map(|all| all.p50.as_secs_f64()),
            wait_p99: waits.map(|all| all.p99.as_secs_f64()),
            wait_max: waits.map(|all| all.max.as_secs_f64()),
            name: stats.name,
        }
    }
}

/// What `Stats` has, in its order.
const NAMES: [&str; 18] = [
    "name",
    "depth",
    "capacity",
    "without_place",
    "under_way",
    "released",
    "cancelled",
    "refused",
    "given_back",
    "long_waits",
    "since_last_release",
    "interval_mean",
    "interval_deviation",
    "interval_p50",
    "interval_p99",
    "wait_p50",
    "wait_p99",
    "wait_max",
];

#[pymethods]
impl Stats {
    /// What it has, for `dict(stats)`.
    fn keys(&self) -> Vec<&'static str> {
        NAMES.to_vec()
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match NAMES.contains(&name) {
            true => slf.getattr(name),
            false => Err(PyKeyError::new_err(name.to_owned())),
        }
    }

    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        let (name, depth, released) = (&self.name, self.depth, self.released);
        format!("<Stats of {name:?}: {depth} in line, {released} released>")
    }
}

/// What a stop came to: how many were released after it began, how many were left in line, and how many calls were under way.
#[pyclass(frozen, get_all, module = "apiqueue")]
pub(crate) struct StopReport {
    released: usize,
    abandoned: usize,
    under_way: usize,
}

impl From<apiqueue::StopReport> for StopReport {
    fn from(report: apiqueue::StopReport) -> Self {
        Self {
            released: report.released,
            abandoned: report.abandoned,
            under_way: report.under_way,
        }
    }
}

#[pymethods]
impl StopReport {
    fn __repr__(&self) -> String {
        let Self {
            released,
            abandoned,
            under_way,
        } = self;
        format!("<StopReport: {released} released, {abandoned} abandoned, {under_way} under way>")
    }
}
