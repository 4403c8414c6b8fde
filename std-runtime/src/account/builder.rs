//! Setting up accounts.

use std::fmt;
use std::sync::Arc;

use apiqueue_core::Clock;

use super::{Account, Scheduler};
use crate::clock::Timebase;
use crate::rate::Rate;

/// Sets up an [`Account`].
#[derive(Clone, Default)]
#[must_use = "nothing is started before `start`"]
pub struct AccountBuilder {
    limits: Vec<Rate>,
    manual: bool,
    clock: Option<Arc<dyn Clock<Tick = u64> + Send + Sync>>,
}

impl AccountBuilder {
    /// A limit on the releases of all queues together. Each call adds one; none at all is no error.
    pub fn limit(mut self, rate: Rate) -> Self {
        self.limits.push(rate);
        self
    }

    /// Leaves the driving to [`Account::advance`]: after each enqueue and when that says. No thread is started.
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// Paces by a clock of your own, as [`Builder::clock`](crate::Builder::clock) does.
    pub fn clock(mut self, clock: Arc<impl Clock<Tick = u64> + Send + Sync + 'static>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The account. It has no thread of its own: the driver's starts with its first queue.
    pub fn start(self) -> Account {
        let clock = Timebase::new(self.clock);
        Account {
            scheduler: Arc::new(Scheduler::new(clock, self.manual, &self.limits)),
        }
    }
}

impl fmt::Debug for AccountBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountBuilder")
            .field("limits", &self.limits)
            .field("manual", &self.manual)
            .finish_non_exhaustive()
    }
}
