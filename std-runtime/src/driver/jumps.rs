//! Mock clocks that go on by themselves: how the driver sleeps for queues that are paced by one.

use std::sync::Arc;
use std::time::Duration;

use apiqueue_core::Clock;

use crate::clock::{Jump, left};
use crate::driver::Entry;

/// How long the driver waits for callers who are on their way, where several queues go by one clock.
const GRACE: Duration = Duration::from_micros(100);

/// To what each queue's mock is to go on.
#[derive(Debug, Default)]
pub(super) struct Jumps(Vec<(Arc<Entry>, Jump)>);

impl Jumps {
    /// Sets that of `entry`, in place of the one before.
    pub(super) fn set(&mut self, entry: &Arc<Entry>, jump: Option<Jump>) {
        if jump.is_some() || !self.0.is_empty() {
            self.0.retain(|(other, _)| !Arc::ptr_eq(other, entry));
            self.0.extend(jump.map(|jump| (Arc::clone(entry), jump)));
        }
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// How long the driver is to wait for callers who may be on their way.
    pub(super) fn grace(&self) -> Duration {
        if self.0.len() > 1 {
            GRACE
        } else {
            Duration::ZERO
        }
    }

    /// Moves a clock on to the earliest of what its queues wait for, and says whose that was.
    pub(super) fn make_first(&mut self) -> Option<Arc<Entry>> {
        let clock = Arc::clone(&self.0.first()?.1.clock);
        let now = clock.now();
        let of_it = self.0.iter().enumerate();
        let of_it = of_it.filter(|(_, (_, jump))| Arc::ptr_eq(&jump.clock, &clock));
        let (index, _) = of_it.min_by_key(|(_, (_, jump))| left(jump.at, now))?;
        let (entry, jump) = self.0.swap_remove(index);
        jump.make();
        Some(entry)
    }
}
