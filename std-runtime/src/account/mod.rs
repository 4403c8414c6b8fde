//! [`Account`]: limits that several queues share, and queues of several limits.

mod builder;
mod member;
mod node;
mod scheduler;
mod stats;
mod tree;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apiqueue_core::Word;

use crate::advance::{Advance, Next};
use crate::error::{HoldError, LimitError};
use crate::line::nested::{What, unless_nested};
use crate::rate::{MAX_SPAN, Rate};

pub use builder::AccountBuilder;
pub(crate) use builder::{check_calls, check_priority, check_share};
pub(crate) use member::Membership;
pub(crate) use node::Node;
pub(crate) use scheduler::Scheduler;
pub use stats::AccountStats;
pub use tree::Bound;
pub(crate) use tree::Terms;

/// What several queues share: limits on all their releases together, as of a whole account beside those of its actions.
///
/// ```
/// use apiqueue::{Account, ApiQueue, Rate};
///
/// // 20 a second for the whole account, and 100,000 a day.
/// let ec2 = Account::builder()
///     .limit(Rate::per_second(20)?)
///     .limit(Rate::every(std::time::Duration::from_millis(864))?.burst(10_000)?)
///     .start()?;
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
/// # Accounts inside accounts
/// An account may be [`within`](AccountBuilder::within) another, up to 64 of them: 20 a second for all, of which no region gets more than
/// 12, and no action there more than 5. A release counts on all limits on its way.
///
/// ```
/// use apiqueue::{Account, ApiQueue, Rate};
///
/// let aws = Account::builder().name("aws").limit(Rate::per_second(20)?).start()?;
/// let mut queues = Vec::new();
/// for region in ["eu-west-1", "us-east-1"] {
///     let inside = Account::builder().name(region).within(&aws).limit(Rate::per_second(12)?);
///     let region = inside.start()?;
///     for (class, rate, share) in [("describe", 10, 1), ("run", 2, 3), ("tags", 5, 1)] {
///         let queue = ApiQueue::builder().name(class).within(&region).per_second(rate).share(share);
///         queues.push(queue.start()?);
///     }
/// }
/// queues[0].wait_turn()?;
/// println!("{aws}"); // a tree: what is in line, what was released, and what binds where
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Or one service and many customers, each with 5 calls under way at most, of which those who pay may burst:
///
/// ```
/// use apiqueue::{Account, ApiQueue, Rate};
///
/// let service = Account::builder().limit(Rate::per_second(500)?).at_once(200).start()?;
/// let mut customers = Vec::new();
/// for customer in 0..1_000 {
///     let pays = customer % 10 == 0;
///     let rate = Rate::per_second(10)?.burst(if pays { 50 } else { 1 })?;
///     let queue = ApiQueue::builder().rate(rate).at_once(5).capacity(64);
///     customers.push(queue.within(&service).share(if pays { 4 } else { 1 }).start()?);
/// }
/// for queue in &customers[..20] {
///     queue.wait_turn()?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Fairness
/// Within a queue first in, first out. Between those inside an account that could go, each gets its
/// [`share`](crate::Builder::share) of the account's limits, with the weight of its calls counted, and what one does not use goes to
/// the others; none starves. Formula and bound are in the source, `account/tree/mod.rs`.
///
/// # Priority
/// Those of a higher [`priority`](crate::Builder::priority) go first, where both could go. A lower one that was passed over for as long
/// as the account's [`aging`](AccountBuilder::aging), 1 s unless told, and by three releases at least, goes next, so that nobody
/// starves. A call that must wait for several permits keeps its
/// place as the next one only against its own priority and lower ones.
///
/// # What it costs
/// A release costs the depth of the tree times the logarithm of how many are inside a node; a free permit is taken without a thread
/// switch, at about twice the cost of a plain queue's. An account that is driven [by hand](AccountBuilder::manual) looks at each of its queues. Queues without an account pay
/// nothing.
///
/// A forked child can't use the accounts of its parent: queues are not started within them, and changes change nothing.
///
/// A handle: clones mean the same account. Its queues keep it.
#[derive(Clone)]
pub struct Account {
    pub(crate) node: Arc<Node>,
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
        let count = self.node.limits;
        // It could be for another lateness, so it can be for this one.
        let rate = rate.within_its_window(self.node.catch_up).unwrap_or(rate);
        if index < count && self.node.scheduler.set_rate(self.node.id, index, rate) {
            self.node.scheduler.tell_lines(self.node.id);
            Ok(())
        } else {
            Err(LimitError { index, count })
        }
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
        self.node.scheduler.hold(self.node.id, ticks);
        Ok(())
    }

    /// Ends a hold of the account now; those of its queues go on.
    pub fn resume(&self) {
        self.node.scheduler.resume(self.node.id);
    }

    /// Releases those that are due in all its queues, and says when to call again (after an enqueue, and the end of a call where those
    /// are counted, too): how a [`manual`](AccountBuilder::manual) account is driven, and with it those that it is within and those within it.
    pub fn advance(&self) -> Advance {
        let scheduler = &self.node.scheduler;
        let (mut released, mut next) = (0, None);
        // Not from a waker that is called here: they would pile up.
        unless_nested(What::Advance, scheduler, || {
            let (more, then) = scheduler.advance_by_hand();
            released += more;
            next = Some(Next::of(then));
        });
        Advance {
            released,
            // The call that this one comes from within will look once more.
            next: next.unwrap_or_else(|| Next::At(Instant::now())),
        }
    }
}

impl Account {
    /// What it and all inside it look like now, and what binds where. Looks at each of them.
    #[must_use]
    pub fn stats(&self) -> AccountStats {
        self.node.scheduler.stats(self.node.id)
    }
}

/// Its [stats](Account::stats), as a tree.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}
