//! What a [`Builder`] comes to: everything checked, and where the permits come from.

use std::sync::Arc;
use std::time::Duration;

use apiqueue_core::Slot;

use crate::account::{self, Membership, Node, check_calls, check_priority, check_share};
use crate::clock::{QueueClock, Timebase};
use crate::error::StartError;
use crate::guarded::guarded;
use crate::line::controller::{Adaptive, Own};
use crate::line::{DrivenBy, Terms};
use crate::permits::{Given, Permits, Setup, Supply};
use crate::queue::{ApiQueue, Builder};
use crate::rate::{CATCH_UP, Rate, checked_catch_up};

/// The largest capacity: 2<sup>24</sup> places, 400 MB of them.
pub(crate) const MAX_CAPACITY: usize = 1 << 24;
/// Above that a thread that never sleeps is meant, and that is another design.
const MAX_SPIN: Duration = Duration::from_millis(10);

/// What a queue is made of, checked.
pub(crate) struct Parts {
    pub(crate) rate: Rate,
    pub(crate) clock: Timebase,
    pub(crate) slots: Box<[Slot]>,
    pub(crate) terms: Terms,
    /// Where it counts on limits of an account, or several of its own.
    pub(crate) member: Option<Arc<Membership>>,
    /// Whether that is limits that others may count on too.
    pub(crate) is_within: bool,
}

/// Who is to drive it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driving {
    AsBuilt,
    ByTask,
}

impl Builder {
    pub(crate) fn start_driven(self, driving: Driving) -> Result<ApiQueue, StartError> {
        ApiQueue::start(self.parts(driving)?)
    }

    fn parts(self, driving: Driving) -> Result<Parts, StartError> {
        self.check_together(driving)?;
        if self.spin > MAX_SPIN {
            return Err(StartError::Spin {
                spin: self.spin,
                max: MAX_SPIN,
            });
        }
        let catch_up = self.checked_catch_up()?;
        let controller = match &self.controller {
            Some(make) => Some(guarded(|| make()).ok_or(StartError::Controller)?),
            None => None,
        };
        let own = self.own_limits(controller.as_ref())?;
        let slots = slots(self.capacity)?;
        let clock = match &self.account {
            Some(account) => account.node.scheduler.clock.clone(),
            None => match &self.auto_advance {
                Some(clock) => Timebase::AutoAdvance(Arc::clone(clock)),
                None => Timebase::new(self.clock.clone()),
            },
        };
        if clock.is_broken() {
            return Err(StartError::Clock);
        }
        let Fed {
            rate,
            burst_within,
            supply,
            member,
        } = self.supply(&own, catch_up, &clock)?;
        let by_hand = match &self.account {
            Some(account) => account.node.scheduler.manual,
            None => self.manual || self.granted,
        };
        let driven_by = match driving {
            Driving::ByTask => DrivenBy::Task,
            Driving::AsBuilt if by_hand => DrivenBy::Hand,
            Driving::AsBuilt => DrivenBy::Thread,
        };
        let is_counted = member
            .as_ref()
            .is_some_and(|member| member.parent.counts_calls);
        // Counted here where the account has to know.
        let at_once = self.at_once.or(is_counted.then_some(usize::MAX));
        Ok(Parts {
            rate,
            clock: match &supply {
                Supply::Schedule => clock,
                Supply::Hand | Supply::Others(_) => Timebase::Standing(Box::new(clock)),
            },
            slots,
            member,
            is_within: self.account.is_some(),
            terms: Terms {
                name: self.name,
                spin: self.spin,
                driven_by,
                catch_up,
                supply,
                at_once,
                is_paused: self.paused,
                burst_within,
                long_wait: u64::try_from(self.long_wait.as_nanos()).unwrap_or(u64::MAX),
                controller: controller.map(Adaptive::new),
            },
        })
    }

    /// Of what can't be together, nothing is left out in silence.
    fn check_together(&self, driving: Driving) -> Result<(), StartError> {
        let by_task = driving == Driving::ByTask;
        let within = self.account.is_some();
        let several = !self.limits.is_empty();
        let adaptive = self.controller.is_some();
        let spins = !self.spin.is_zero();
        let advances = self.auto_advance.is_some();
        for (is_so, one, other) in [
            (self.granted && within, "granted", "within"),
            (self.granted && several, "granted", "limit"),
            (self.granted && adaptive, "granted", "adaptive"),
            (self.granted && self.source.is_some(), "granted", "shared"),
            (self.granted && by_task, "granted", "start_with_task"),
            (self.source.is_some() && within, "shared", "within"),
            (self.source.is_some() && several, "shared", "limit"),
            (self.source.is_some() && adaptive, "shared", "adaptive"),
            (adaptive && self.rate.is_some(), "adaptive", "a rate"),
            (adaptive && self.burst.is_some(), "adaptive", "burst"),
            (adaptive && self.strict, "adaptive", "strict"),
            (spins && self.manual, "spin", "manual"),
            (spins && self.granted, "spin", "granted"),
            (spins && by_task, "spin", "start_with_task"),
            (within && self.manual, "within", "manual"),
            (within && self.clock.is_some(), "within", "clock"),
            (within && advances, "within", "auto_advance"),
            (advances && self.manual, "auto_advance", "manual"),
            (advances && self.granted, "auto_advance", "granted"),
            (advances && self.clock.is_some(), "auto_advance", "clock"),
            (within && by_task, "within", "start_with_task"),
            (self.manual && by_task, "manual", "start_with_task"),
        ] {
            if is_so {
                return Err(StartError::Conflict { one, other });
            }
        }
        check_calls(self.at_once)?;
        check_share(self.share, within)?;
        check_priority(self.priority, within)
    }

    /// In nanoseconds.
    pub(crate) fn checked_catch_up(&self) -> Result<u64, StartError> {
        checked_catch_up(self.longest_catch_up())
    }

    fn longest_catch_up(&self) -> Duration {
        self.catch_up.unwrap_or(CATCH_UP)
    }

    /// The rate, where one is given, and the other limits.
    fn own_limits(&self, controller: Option<&Own>) -> Result<Vec<Rate>, StartError> {
        let rate = match controller {
            Some(controller) => {
                let rate = guarded(|| controller.rate()).ok_or(StartError::Controller)?;
                Some(rate.into())
            }
            None => self.rate.transpose()?,
        };
        let mut own = Vec::new();
        match rate {
            Some(rate) => own.push(self.trimmed(rate)?),
            None if self.burst.is_some() || self.strict => {
                return Err(StartError::NoRate);
            }
            None => {}
        }
        own.extend(&self.limits);
        let needs_none = self.granted || self.account.is_some() || self.at_once.is_some();
        if own.is_empty() && (!needs_none || self.source.is_some()) {
            return Err(StartError::NoRate);
        }
        let catch_up = self.longest_catch_up();
        own.into_iter()
            .map(|rate| rate.within_its_window(catch_up).map_err(StartError::Rate))
            .collect()
    }

    /// With the burst and strictness that were asked for.
    fn trimmed(&self, mut rate: Rate) -> Result<Rate, StartError> {
        if let Some(n) = self.burst {
            rate = rate.burst(n)?;
        }
        Ok(if self.strict { rate.strict() } else { rate })
    }

    /// Where the permits come from, and what the line is to know of the rate.
    fn supply(&self, own: &[Rate], catch_up: u64, clock: &Timebase) -> Result<Fed, StartError> {
        let unlimited = Rate::unlimited();
        let first = own.first().copied();
        if self.granted {
            return Ok(Fed::by(first.unwrap_or(unlimited), Supply::Hand));
        }
        if let Some(source) = &self.source {
            let rate = first.unwrap_or(unlimited);
            let setup = Setup {
                name: &self.name,
                rate,
                catch_up: self.catch_up.map(|_| catch_up),
                clock: QueueClock(clock.clone()),
            };
            let opened = guarded(|| source.open(&setup));
            let permits = opened
                .unwrap_or_else(|| Err("it panicked".into()))
                .map_err(StartError::Source)?;
            // What the source made of it, as by rounding.
            let rate = guarded(|| permits.rate()).flatten().unwrap_or(rate);
            return Ok(Fed::by(rate, others(permits, clock)));
        }
        let parent = match &self.account {
            Some(account) => {
                account.node.can_be_used()?;
                Arc::clone(&account.node)
            }
            None => match own {
                // What is paused must be told from what is held, which spends the burst.
                [rate] if self.at_once.is_none() && !self.paused => {
                    return Ok(Fed::by(*rate, Supply::Schedule));
                }
                _ => Arc::new(Node::of_one(clock.clone(), self.manual)),
            },
        };
        let (nominal, smallest_burst) = parent.told();
        let others_of_own = own.iter().skip(1).map(|rate| rate.burst_size()).min();
        let burst_within = others_of_own.unwrap_or(usize::MAX).min(smallest_burst);
        let rate = first.or(nominal).unwrap_or(unlimited);
        let terms = account::Terms {
            name: &self.name,
            limits: own,
            at_once: None,
            share: self.share.unwrap_or(1),
            priority: self.priority.unwrap_or(0),
            aging: 0,
            catch_up,
        };
        let member = Arc::new(Membership::join(&parent, &terms));
        Ok(Fed {
            rate: rate.with_burst_within(burst_within),
            burst_within,
            supply: others(Arc::clone(&member) as Arc<dyn Permits>, clock),
            member: Some(member),
        })
    }
}

/// Where a line's permits come from, and what follows.
struct Fed {
    rate: Rate,
    /// The smallest burst of the limits beside the rate.
    burst_within: usize,
    supply: Supply,
    member: Option<Arc<Membership>>,
}

impl Fed {
    fn by(rate: Rate, supply: Supply) -> Self {
        Self {
            rate,
            burst_within: usize::MAX,
            supply,
            member: None,
        }
    }
}

fn others(permits: Arc<dyn Permits>, clock: &Timebase) -> Supply {
    Supply::Others(Given {
        permits,
        clock: clock.clone(),
    })
}

fn slots(capacity: usize) -> Result<Box<[Slot]>, StartError> {
    if !(1..=MAX_CAPACITY).contains(&capacity) {
        return Err(StartError::Capacity {
            capacity,
            max: MAX_CAPACITY,
        });
    }
    let capacity = capacity.next_power_of_two();
    let mut slots = Vec::new();
    slots
        .try_reserve_exact(capacity)
        .map_err(|_| StartError::Memory { capacity })?;
    slots.resize_with(capacity, Slot::new);
    Ok(slots.into_boxed_slice())
}
