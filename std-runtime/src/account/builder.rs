//! Setting up accounts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apiqueue_core::Clock;

use super::Account;
use super::node::Node;
use super::tree::Terms;
use crate::clock::Timebase;
use crate::error::StartError;
use crate::rate::{CATCH_UP, Rate, checked_catch_up};

/// The highest priority.
const HIGHEST: u8 = 7;
/// How long a priority may be passed over, unless told.
const AGING: Duration = Duration::from_secs(1);

/// Sets up an [`Account`].
#[derive(Clone, Default)]
#[must_use = "nothing is started before `start`"]
pub struct AccountBuilder {
    name: String,
    limits: Vec<Rate>,
    at_once: Option<usize>,
    parent: Option<Account>,
    share: Option<u32>,
    priority: Option<u8>,
    aging: Option<Duration>,
    catch_up: Option<Duration>,
    manual: bool,
    clock: Option<Arc<dyn Clock<Tick = u64> + Send + Sync>>,
}

impl AccountBuilder {
    /// What the account is called where it is [shown](crate::AccountStats). Empty by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A limit on the releases of all queues together. Each call adds one; none at all is no error.
    pub fn limit(mut self, rate: Rate) -> Self {
        self.limits.push(rate);
        self
    }

    /// At most `calls` of all queues together are under way at once, as [`Builder::at_once`](crate::Builder::at_once) has it for
    /// one.
    pub fn at_once(mut self, calls: usize) -> Self {
        self.at_once = Some(calls);
        self
    }

    /// Counts on the limits of `account`, too, and goes by its clock and its driver: a region of an account, a customer of a service.
    /// Up to 64 inside each other.
    pub fn within(mut self, account: &Account) -> Self {
        self.parent = Some(account.clone());
        self
    }

    /// How much of the outer account's limits this gets beside others that could go (default 1), as
    /// [`Builder::share`](crate::Builder::share) has it for a queue.
    pub fn share(mut self, share: u32) -> Self {
        self.share = Some(share);
        self
    }

    /// Goes before what has a lower priority in the outer account, 0 to 7 (default 0), as
    /// [`Builder::priority`](crate::Builder::priority) has it for a queue.
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// How long somebody inside it who could go may be passed over for one of a higher priority (default 1 s): after that, and after
    /// three releases of others, whichever takes longer, the next release is his priority's.
    pub fn aging(mut self, longest: Duration) -> Self {
        self.aging = Some(longest);
        self
    }

    /// For how long its limits make up lateness, 10 ms unless told, as [`Builder::catch_up`](crate::Builder::catch_up) has it for a
    /// queue, but that what is late goes at once.
    pub fn catch_up(mut self, longest: Duration) -> Self {
        self.catch_up = Some(longest);
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
    ///
    /// # Errors
    /// [`StartError`], which names what can't be, and what can.
    pub fn start(self) -> Result<Account, StartError> {
        self.check()?;
        let longest = self.catch_up.unwrap_or(CATCH_UP);
        let catch_up = checked_catch_up(longest)?;
        let limits = self.limits.iter();
        let limits: Vec<Rate> = limits
            .map(|rate| rate.within_its_window(longest))
            .collect::<Result<_, _>>()
            .map_err(StartError::Rate)?;
        let terms = Terms {
            name: &self.name,
            limits: &limits,
            at_once: self.at_once,
            share: self.share.unwrap_or(1),
            priority: self.priority.unwrap_or(0),
            aging: u64::try_from(self.aging.unwrap_or(AGING).as_nanos()).unwrap_or(u64::MAX),
            catch_up,
        };
        let node = match &self.parent {
            Some(parent) => Node::inside(&parent.node, &terms)?,
            None => {
                let clock = Timebase::new(self.clock.clone());
                if clock.is_broken() {
                    return Err(StartError::Clock);
                }
                Node::root(clock, self.manual, &terms)
            }
        };
        Ok(Account {
            node: Arc::new(node),
        })
    }

    fn check(&self) -> Result<(), StartError> {
        let is_within = self.parent.is_some();
        check_calls(self.at_once)?;
        check_share(self.share, is_within)?;
        let one = "within";
        for (is_so, other) in [(self.manual, "manual"), (self.clock.is_some(), "clock")] {
            if is_within && is_so {
                return Err(StartError::Conflict { one, other });
            }
        }
        check_priority(self.priority, is_within)
    }
}

/// How many calls may be under way.
pub(crate) fn check_calls(at_once: Option<usize>) -> Result<(), StartError> {
    match at_once {
        Some(at_once @ 0) => Err(StartError::AtOnce { at_once }),
        _ => Ok(()),
    }
}

/// Of whoever is within an account, or not.
pub(crate) fn check_share(share: Option<u32>, is_within: bool) -> Result<(), StartError> {
    match share {
        Some(share @ 0) => Err(StartError::Share { share }),
        Some(_) if !is_within => Err(StartError::Needs {
            one: "share",
            other: "within",
        }),
        _ => Ok(()),
    }
}

/// Of whoever is within an account, or not.
pub(crate) fn check_priority(priority: Option<u8>, is_within: bool) -> Result<(), StartError> {
    match priority {
        Some(priority) if priority > HIGHEST => Err(StartError::Priority {
            priority,
            max: HIGHEST,
        }),
        Some(_) if !is_within => Err(StartError::Needs {
            one: "priority",
            other: "within",
        }),
        _ => Ok(()),
    }
}

impl fmt::Debug for AccountBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountBuilder")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .field("at_once", &self.at_once)
            .field("within", &self.parent)
            .field("share", &self.share)
            .field("priority", &self.priority)
            .field("aging", &self.aging)
            .field("manual", &self.manual)
            .finish_non_exhaustive()
    }
}
