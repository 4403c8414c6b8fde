//! [`Member`]: one queue of a limit. It runs a [`Host`], on behalf of whoever drives the queue.

mod calls;
mod chain;
mod line;
mod times;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiqueue::core::{Next, Word};
use apiqueue::{ChargeError, Permits, QueueClock, Rate, Waiters};

use crate::backend::Backend;
use crate::calendar::{MAX_MICROS, micros};
use crate::error::{FleetError, number};
use crate::guarded::{guarded, lock};
use crate::host::{Config, Host, News, Step};
use crate::members::{Counted, Members};
use crate::stats::FleetStats;
use crate::telemetry;
use crate::telling::Telling;
use calls::{Caller, Calls, Place, Taken};
pub(crate) use chain::Chain;
use line::Line;
use times::Times;

pub(crate) struct Member {
    times: Times,
    state: Mutex<State>,
    caller: Arc<Caller>,
    calls: Place,
    on_news: Option<Arc<Telling>>,
    #[cfg(feature = "metrics")]
    metrics: Option<crate::metrics::Metrics>,
    /// Where it is counted.
    members: Arc<Members>,
    /// Where this was made. A forked child releases nobody and calls nobody: its slots are the parent's.
    process: u32,
}

/// What changes, under one lock.
pub(crate) struct State {
    pub(crate) host: Host,
    /// So many of the next slots are used up without a release.
    debt: usize,
    /// So many slots have come for the first in line, who costs more.
    saved: usize,
}

/// How many slots may gather at most.
const MAX_BURST: u32 = 1 << 16;

/// The burst of a rate for a fleet.
pub(crate) fn checked_burst(rate: Rate) -> Result<u32, FleetError> {
    let burst = u32::try_from(rate.burst_size()).unwrap_or(u32::MAX);
    number("burst", burst, 1, MAX_BURST)
}

pub(crate) fn not_strict(rate: Rate) -> Result<(), FleetError> {
    match rate.is_strict() {
        true => Err(FleetError::Strict),
        false => Ok(()),
    }
}

/// How long a driver is put off that comes while another one is there, or that leaves no waker with a call. Microseconds.
const SOON: u64 = 1_000;

impl Member {
    pub(crate) fn new(
        limit: &str,
        config: Config,
        clock: QueueClock,
        backend: Arc<dyn Backend>,
        on_news: Option<Arc<Telling>>,
        members: Arc<Members>,
    ) -> Self {
        Self {
            times: Times::new(clock),
            state: Mutex::new(State {
                host: Host::new(config),
                debt: 0,
                saved: 0,
            }),
            caller: Arc::new(Caller {
                backend,
                limit: limit.to_owned(),
            }),
            calls: Mutex::new(Some(Calls::default())),
            on_news,
            #[cfg(feature = "metrics")]
            metrics: crate::metrics::Metrics::register(limit),
            members,
            process: std::process::id(),
        }
    }

    fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    fn is_held(&self) -> bool {
        let now = self.times.now();
        self.with_state(|state| now < state.host.held_until()) == Some(true)
    }

    /// None in a forked child. No user code may be called from `look`.
    pub(crate) fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> Option<T> {
        if self.is_forked() {
            return None;
        }
        lock(&self.state, self.process).map(|mut state| look(&mut state))
    }

    fn tell(&self, news: News) {
        // Subscribers are user code, too.
        guarded(|| telemetry::changed(&self.caller.limit, &news));
        if let Some(telling) = &self.on_news {
            telling.tell(news);
        }
    }

    #[cfg(feature = "metrics")]
    fn tell_metrics(&self) {
        use crate::metrics::Levels;

        let now = self.times.now();
        let levels = self.with_state(|state| Levels::of(&state.host, now));
        if let (Some(metrics), Some(levels)) = (&self.metrics, levels) {
            metrics.tell(&levels);
        }
    }

    /// Releases those for whom there are `count` slots. Says whether there were so many. What is too little for the first in line is kept for
    /// it.
    fn release(&self, line: &impl Line, count: usize) -> bool {
        let (mut left, mut saved) = (count, 0);
        while left > 0
            && let Some(weight) = line.first_weight()
        {
            if weight > left {
                (left, saved) = (0, left);
            } else if line.release_first() {
                left -= weight;
            } else {
                break;
            }
        }
        self.with_state(|state| {
            state.saved = saved;
            state.host.unused(left);
        });
        left == 0
    }

    fn serve(&self, line: &impl Line, calls: &mut Calls) -> Next<u64> {
        let is_over = line.are_over();
        // One reading, so that this ends.
        let now = self.times.now();
        // The places of a closed line, and of those who have left, may still be taken.
        let mut nobody = is_over;
        loop {
            calls.poll(self, line.waker());
            let returned = line.take_returned();
            let waiting = Waiting {
                count: if nobody { 0 } else { line.count() },
                weight: line.first_weight().unwrap_or(1),
                one_at_a_time: line.goes_one_at_a_time(),
            };
            let decided = self.with_state(|state| {
                state.host.came_back(now, returned);
                if is_over {
                    state.host.leave();
                    state.debt = 0;
                }
                state.decide(now, waiting)
            });
            let Some(Decided {
                step,
                release,
                has_left,
            }) = decided
            else {
                return end(is_over);
            };
            let has_news = step.news.is_some();
            if let Some(news) = step.news {
                self.tell(news);
            }
            if release > 0 && !self.release(line, release) {
                nobody = true;
            }
            if let Some((id, call)) = step.call {
                calls.begin(&self.caller, id, call);
                continue;
            }
            if step.grant > 0 || has_news {
                continue;
            }
            if has_left {
                return Next::Closed;
            }
            let mut wake = step.wake;
            if calls.are_under_way() && !line.has_waker() {
                wake = Some(wake.unwrap_or(u64::MAX).min(now + SOON));
            }
            return wake.map_or(Next::OnEnqueue, |at| Next::At(self.times.reading(at)));
        }
    }
}

/// What is left to do where there is nothing to give.
fn end(is_over: bool) -> Next<u64> {
    if is_over {
        Next::Closed
    } else {
        Next::OnEnqueue
    }
}

/// Who is in line.
struct Waiting {
    count: usize,
    /// What the first costs.
    weight: usize,
    /// Whether the first can go now, where there is never room for more than that one.
    one_at_a_time: Option<bool>,
}

struct Decided {
    step: Step,
    /// How many slots are for those in line.
    release: usize,
    has_left: bool,
}

impl State {
    fn decide(&mut self, now: u64, waiting: Waiting) -> Decided {
        let line = waiting.count;
        if line == 0 {
            self.saved = 0;
        }
        let more = match line {
            0 => 0,
            _ => waiting.weight.saturating_sub(1 + self.saved),
        };
        let wanted = line.saturating_add(more).saturating_add(self.debt);
        let room = match waiting.one_at_a_time {
            None => usize::MAX,
            Some(false) => 0,
            Some(true) => (waiting.weight.saturating_sub(self.saved)).saturating_add(self.debt),
        };
        let step = self.host.step_within(now, wanted, room);
        let paid = self.debt.min(step.grant);
        self.debt -= paid;
        let saved = match now < self.host.held_until() || waiting.one_at_a_time == Some(false) {
            true => 0,
            false => std::mem::take(&mut self.saved),
        };
        Decided {
            release: step.grant - paid + saved,
            has_left: self.host.has_left(),
            step,
        }
    }

    /// Takes a slot that is due, once the debt is paid.
    fn take_one(&mut self, now: u64) -> bool {
        while self.host.take_one(now) {
            match self.debt.checked_sub(1) {
                Some(rest) => self.debt = rest,
                None => return true,
            }
        }
        false
    }

    fn charge(&mut self, permits: usize) -> Result<(), ChargeError> {
        let interval = self.host.interval().saturating_mul(1_000).max(1);
        let most = usize::try_from(u64::MAX_SPAN / interval).unwrap_or(usize::MAX);
        let max = most.saturating_sub(self.debt);
        if permits > max {
            return Err(ChargeError { permits, max });
        }
        self.debt += permits;
        Ok(())
    }
}

impl Permits for Member {
    fn give(&self, waiters: &Waiters<'_>) -> Next<u64> {
        if self.is_forked() || self.times.are_over() {
            return end(waiters.are_over());
        }
        let Some(mut taken) = Taken::from(&self.calls, self.process) else {
            return Next::At(self.times.reading(self.times.now() + SOON));
        };
        let next = self.serve(waiters, &mut taken.calls);
        #[cfg(feature = "metrics")]
        self.tell_metrics();
        next
    }

    fn try_take(&self, returned: usize) -> Result<u64, Option<u64>> {
        let now = self.times.now();
        let next = self.with_state(|state| {
            state.host.came_back(now, returned);
            if state.take_one(now) {
                Ok(self.times.reading(now))
            } else {
                Err(state.host.next_slot())
            }
        });
        let next = next.unwrap_or(Err(None));
        next.map_err(|at| at.map(|at| self.times.reading(at)))
    }

    fn rate(&self) -> Option<Rate> {
        let (interval, burst) =
            self.with_state(|state| (state.host.interval(), state.host.burst()))?;
        let rate = Rate::every(Duration::from_micros(interval)).ok()?;
        rate.burst(burst).ok()
    }

    fn set_rate(&self, rate: Rate) {
        let burst = checked_burst(rate);
        self.with_state(|state| {
            state.host.set_burst(burst.clone().unwrap_or(MAX_BURST));
            state.host.retune(micros(rate.interval()));
        });
        if let Err(why) = burst.and_then(|_| not_strict(rate)) {
            self.tell(News::NotInFull(why));
        }
    }

    fn hold(&self, nanos: u64) {
        let until = self.times.arrival() + nanos.div_ceil(1_000).min(MAX_MICROS);
        self.with_state(|state| state.host.hold(until));
    }

    fn resume(&self) {
        self.with_state(|state| state.host.resume());
    }

    fn charge(&self, permits: usize) -> Result<(), ChargeError> {
        self.with_state(|state| state.charge(permits))
            .unwrap_or(Ok(()))
    }

    fn refund(&self, permits: usize) {
        self.with_state(|state| state.debt = state.debt.saturating_sub(permits));
    }

    fn estimate(&self, ahead: usize) -> Option<u64> {
        let now = self.times.now();
        let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
        let at = self.with_state(|state| {
            let debt = u64::try_from(state.debt).unwrap_or(u64::MAX);
            state.host.estimate(now, ahead.saturating_add(debt))
        });
        at.flatten().map(|at| self.times.reading(at))
    }

    fn is_rested(&self) -> bool {
        self.with_state(|state| state.debt == 0 && state.host.is_idle()) == Some(true)
    }
}

impl Counted for Member {
    fn add_to(&self, stats: &mut FleetStats) {
        let now = self.times.now();
        self.with_state(|state| stats.add(&state.host, now));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if !self.is_forked() {
            let now = self.times.now();
            let state = self.state.get_mut();
            let host = &state
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .host;
            self.members.has_gone(host, now);
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("limit", &self.caller.limit)
            .field("backend", &self.caller.backend)
            .finish_non_exhaustive()
    }
}
