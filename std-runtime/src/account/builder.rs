//! Setting up accounts and their queues.

use std::fmt;
use std::sync::Arc;

use apiqueue_core::Clock;

use super::calls::CallQueue;
use super::{Account, Giver};
use crate::clock::{OwnClock, Timebase};
use crate::error::StartError;
use crate::queue::{ApiQueue, Builder};
use crate::rate::{Rate, Ticks};

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
        let clock = self.clock.map_or(Timebase::System, |clock| {
            Timebase::Own(OwnClock::new(clock))
        });
        Account {
            giver: Arc::new(Giver::new(clock, self.manual, &self.limits)),
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

/// Sets up a queue of an [`Account`].
#[derive(Clone, Debug)]
#[must_use = "nothing is started before `start`"]
pub struct MemberBuilder {
    giver: Arc<Giver>,
    own: Vec<Rate>,
    share: u32,
    queue: Builder,
}

impl MemberBuilder {
    pub(super) fn of(giver: &Arc<Giver>) -> Self {
        Self {
            giver: Arc::clone(giver),
            own: Vec::new(),
            share: 1,
            queue: ApiQueue::builder(),
        }
    }

    /// A limit of this queue alone, beside the account's. Each call adds one. The first is the one that
    /// [`ApiQueue::rate`] tells and [`ApiQueue::set_rate`] sets; without any, that is the account's first, and setting it
    /// gives the queue a limit of its own.
    pub fn limit(mut self, rate: Rate) -> Self {
        self.own.push(rate);
        self
    }

    /// How much of the account's limits this queue gets beside others that could go (default 1): with shares of 3 and 1, three
    /// permits of four.
    pub fn share(mut self, share: u32) -> Self {
        self.share = share;
        self
    }

    /// How many may be in line at once: [`Builder::capacity`](crate::Builder::capacity).
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.queue = self.queue.capacity(capacity);
        self
    }

    /// What the queue is called where it is shown.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.queue = self.queue.name(name);
        self
    }

    /// Starts the queue.
    ///
    /// # Errors
    /// [`StartError::Share`] when the share is 0, and those of [`Builder::start`](crate::Builder::start).
    pub fn start(self) -> Result<ApiQueue, StartError> {
        self.start_with(usize::MAX)
    }

    /// Starts the queue with a limit on the calls under way: at most `at_most` between a release and the end of its
    /// [`Call`](crate::Call). One line for both: a call that ends makes room for the first in it, as soon as the rates allow.
    ///
    /// # Errors
    /// [`StartError::AtMost`] when `at_most` is 0, and those of [`start`](Self::start).
    pub fn start_calls(self, at_most: usize) -> Result<CallQueue, StartError> {
        if at_most == 0 {
            return Err(StartError::AtMost { at_most });
        }
        self.start_with(at_most).map(CallQueue::new)
    }

    fn start_with(self, at_most: usize) -> Result<ApiQueue, StartError> {
        if self.share == 0 {
            return Err(StartError::Share { share: self.share });
        }
        // Nothing to wait for, but a hold needs a schedule.
        let unlimited = Rate::per_second(1_000_000_000)?.burst(u32::MAX)?;
        let smallest = self.own.iter().map(|rate| rate.burst_size()).min();
        let burst = smallest
            .unwrap_or(usize::MAX)
            .min(self.giver.smallest_burst);
        let nominal = self
            .own
            .first()
            .copied()
            .or(self.giver.nominal)
            .unwrap_or(unlimited);
        let own: Vec<Ticks> = if self.own.is_empty() {
            vec![unlimited.ticks()]
        } else {
            self.own.iter().map(|rate| rate.ticks()).collect()
        };
        let giver = self.giver;
        self.queue
            .rate(nominal.with_burst_within(burst))
            .start_member(|| giver.join(&own, self.share, at_most))
    }
}
