//! Permits that the user grants: [`Builder::granted`](crate::Builder::granted).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use apiqueue_core::{ChargeError, Next};

use super::Permits;
use crate::line::Line;
use crate::rate::Ticks;

#[derive(Debug, Default)]
pub(crate) struct Granted {
    returned: AtomicUsize,
}

/// Rate, hold and charges pace nothing here: that is the affair of whoever grants.
impl Permits for Granted {
    fn attach(&self, _: &Arc<Line>) {}

    fn give(&self, _: &Line) -> (usize, Next<u64>) {
        (0, Next::OnEnqueue)
    }

    fn give_others(&self) {}

    fn are_granted_by_hand(&self) -> bool {
        true
    }

    fn came_back(&self, permits: usize) {
        // Ordering: Relaxed; only a number, and the ring that follows has whoever grants look.
        self.returned.fetch_add(permits, Ordering::Relaxed);
    }

    fn take_returned(&self) -> usize {
        // Ordering: Relaxed; each counts once.
        self.returned.swap(0, Ordering::Relaxed)
    }

    fn set_rate(&self, _: Ticks) {}

    fn hold(&self, _: u64) {}

    fn resume(&self) {}

    fn charge(&self, _: usize) -> Result<(), ChargeError> {
        Ok(())
    }

    fn refund(&self, _: usize) {}

    fn under_way(&self) -> usize {
        0
    }

    fn ended(&self) {}
}
