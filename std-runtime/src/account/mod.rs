//! [`Account`]: limits that several queues share, and queues of several limits.

mod builder;
mod plan;
mod scheduler;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apiqueue_core::Word;

use crate::advance::{Advance, Next};
use crate::error::{HoldError, LimitError};
use crate::rate::{MAX_SPAN, Rate};

pub use builder::AccountBuilder;
pub(crate) use scheduler::{Membership, Scheduler};

/// What several queues share: limits on all their releases together, as of a whole account beside those of its actions.
///
/// ```
/// use apiqueue::{Account, ApiQueue, Rate};
///
/// // 20 a second for the whole account, and 100,000 a day.
/// let ec2 = Account::builder()
///     .limit(Rate::per_second(20)?)
///     .limit(Rate::every(std::time::Duration::from_millis(864))?.burst(10_000)?)
///     .start();
/// let describe = ApiQueue::builder().name("describe").within(&ec2).start()?; // bound by the account's limits alone
/// let run = ApiQueue::builder().name("run").per_second(2).within(&ec2).share(3).start()?;
///
/// describe.wait_turn()?;
/// run.wait_turn()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Its queues are [`ApiQueue`](crate::ApiQueue)s like any other, with a line of their own. A release happens when all of a queue's
/// limits and all of the account's allow it, and counts on all of them; never on some. One queue of several limits needs no
/// account: [`Builder::limit`](crate::Builder::limit).
///
/// # Fairness
/// Within a queue first in, first out. Between queues that could go, each gets its [`share`](crate::Builder::share) of the
/// account's limits, with the weight of its calls counted, and what one does not use goes to the others; none starves. Formula
/// and bound are in the source, `account/plan.rs`.
///
/// # What it costs
/// The driver's thread looks at every queue of the account for each release: meant for dozens of queues, not for thousands. A
/// call always waits for that thread, be its permit free or not. Queues without an account pay nothing.
///
/// A handle: clones mean the same account. Its queues keep it.
#[derive(Clone)]
pub struct Account {
    pub(crate) scheduler: Arc<Scheduler>,
}

impl Account {
    /// Sets up an account.
    pub fn builder() -> AccountBuilder {
        AccountBuilder::default()
    }

    /// Sets the account's limit number `index`, from 0 in the order in which the builder was given them; at once and for
    /// those in line too.
    ///
    /// # Errors
    /// [`LimitError`] when there are not so many.
    pub fn set_rate(&self, index: usize, rate: Rate) -> Result<(), LimitError> {
        self.scheduler.set_shared(index, rate)
    }

    /// Releases nobody of any of its queues for `duration`. Only extends a hold.
    ///
    /// # Errors
    /// [`HoldError`] when it is longer than 2 years.
    pub fn hold_for(&self, duration: Duration) -> Result<(), HoldError> {
        let ticks = u64::try_from(duration.as_nanos())
            .ok()
            .filter(|&ticks| ticks <= <u64 as Word>::MAX_SPAN)
            .ok_or(HoldError {
                duration,
                max: MAX_SPAN,
            })?;
        self.scheduler.hold(None, ticks);
        Ok(())
    }

    /// Ends a hold of the account now; those of its queues go on.
    pub fn resume(&self) {
        self.scheduler.resume(None);
    }

    /// Releases those that are due in all its queues, and says when to call again: how a
    /// [`manual`](AccountBuilder::manual) account is driven.
    pub fn advance(&self) -> Advance {
        let (released, next) = self.scheduler.advance();
        let next = match next {
            apiqueue_core::Next::At(at) => {
                apiqueue_core::Next::At(self.scheduler.clock.in_system_time(at))
            }
            other => other,
        };
        Advance {
            released,
            next: Next::of(next),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}
