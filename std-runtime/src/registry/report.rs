//! [`RegistryReport`]: what the stop of a registry came to.

use std::fmt;

use crate::queue::StopReport;

/// What the stop of a registry came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistryReport<K = String> {
    /// What it came to for each queue that there was, by its key. In no order.
    pub queues: Vec<(K, StopReport)>,
}

impl<K> RegistryReport<K> {
    /// All queues together.
    #[must_use]
    pub fn total(&self) -> StopReport {
        let mut total = StopReport::default();
        for (_, report) in &self.queues {
            total.released += report.released;
            total.abandoned += report.abandoned;
            total.under_way += report.under_way;
        }
        total
    }
}

impl<K> fmt::Display for RegistryReport<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StopReport {
            released,
            abandoned,
            under_way,
        } = self.total();
        let queues = self.queues.len();
        write!(
            f,
            "{queues} queues stopped: {released} released, {abandoned} abandoned, {under_way} calls under way"
        )
    }
}
