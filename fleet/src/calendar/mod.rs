//! [`Calendar`]: what a backend keeps of one limit, as a plain value, and what each call does to it.
//!
//! Every backend does exactly this, whatever it is written in. All numbers are whole microseconds; `now` is the reading of
//! the backend's own clock at the call.
//!
//! ```text
//! at each call, first:
//!   no state:            born = last = now; quiet = tat = now + grace; interval and epoch as the caller knows them;
//!                        hold = now + the hold it knows of, if there is one; nothing free, nobody seen
//!   now < last:          the clock stepped back: tat, quiet and hold go back by as much; nothing is free, nobody seen; raised and tuned
//!   last = now
//!   the caller's epoch is higher:   retune to its interval; hold = now + the hold it knows of, or none; epoch = its epoch
//!   free slots before now are gone
//!
//! reserve(want, spacing, after, horizon, burst, gathered):
//!   seen     = those whose time is not before now, and the host until now + window
//!   from     = max(now, quiet, hold, now + after)
//!   until    = now + horizon
//!   where after = 0:  first = max(tat, hold, quiet, now - (burst - 1) * interval);
//!            up to gathered of the slots from first on that are before now, an interval apart; tat = behind the last of these;
//!            want = 0 if there are more of them, else less by these
//!   granted: up to want of the free slots in from ..= until, and then of those from max(tat, now, quiet, hold) on, an interval apart;
//!            where the spacing is more than that, after each slot: from = max(from + spacing, slot + spacing - interval + 1);
//!            slots that are passed over become free
//!   tat      = behind the last of these
//! give_back(born, epoch, slots): where born is that of the state, and epoch >= tuned:
//!                  slots from max(now, quiet) on are free again, and tat goes back where it can
//! hold(span):        hold = max(hold, now + span); raised if that is more than it was
//! resume:            hold = 0; raised if there was one
//! retune(interval):  if it is another: tat = max(tat - interval, 0) + new interval; nothing is free; raised and tuned
//! tuned:             tuned = epoch: slots of before have other names or another grid
//! raised:            epoch = max(epoch + 1, now)
//! ```
//!
//! `tat` is the last slot granted plus the interval, so that a retune takes effect right after the last slot granted by the
//! old terms. While the clock stands behind where it was, no time passes for the schedule: slots come later, and none twice.
//!
//! A change's epoch begins at the clock, so that of two changes of which a state knows only one, the later one wins.

mod free;
mod seen;
mod state;

use std::time::Duration;

pub use free::{Free, MAX_RUNS};
pub use seen::Seen;
pub use state::State;

use crate::backend::{Action, Call, LimitState, Reply, SeenHost};

/// The longest span that a calendar reckons with, about 35 years: sums of it and of a clock's reading are whole numbers in
/// the 53 bits that Lua has for them.
pub const MAX_MICROS: u64 = 1 << 50;

/// Whole microseconds of `duration`, rounded up, at most [`MAX_MICROS`].
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1000)).map_or(MAX_MICROS, |us| us.min(MAX_MICROS))
}

/// What a backend keeps of one limit: empty until the first call. For those who write a [`Backend`](crate::Backend) of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// None until the first call.
    pub state: Option<State>,
    /// Who has asked lately.
    pub seen: Seen,
}

impl Calendar {
    /// Carries out a call at `now`.
    pub fn apply(&mut self, now: u64, call: &Call) -> Reply {
        if self.state.is_none() {
            self.seen = Seen::default();
        }
        let state = self.state.get_or_insert_with(|| State::new(now, call));
        if now < state.last {
            self.seen = Seen::default();
            state.step_back(now);
        }
        state.last = now;
        state.free.keep_from(now);
        state.adopt(now, call.known);
        let mut reply = Reply::default();
        match &call.action {
            Action::Reserve {
                want,
                spacing,
                after,
                horizon,
                burst,
                gathered,
            } => {
                self.seen.keep_from(now);
                let until = now.saturating_add(call.window.min(MAX_MICROS));
                self.seen.ask(call.host, &call.label, until);
                let from = state.opens(now).max(now.saturating_add(*after));
                let until = now.saturating_add(*horizon);
                let past = match after {
                    0 => state.gather(now, *burst, *gathered),
                    _ => None,
                };
                let (granted, want) = match past {
                    // More have gathered than were asked for.
                    Some((slots, true)) => (vec![slots], 0),
                    Some((slots, false)) => (vec![slots], want.saturating_sub(slots.count)),
                    None => (Vec::new(), *want),
                };
                reply.slots = state.grant(granted, now, from..=until, want, *spacing);
                if reply.slots.is_empty() {
                    let start = state.tat.max(from);
                    reply.next = state.free.first(from).map_or(start, |free| free.min(start));
                }
            }
            Action::GiveBack { born, epoch, slots }
                if *born == state.born && *epoch >= state.tuned =>
            {
                let back = slots.iter().rev().map(|slots| state.take_back(now, *slots));
                reply.taken_back = back.fold(0, u32::saturating_add);
            }
            Action::GiveBack { .. } => {}
            Action::Hold(span) => {
                let until = now.saturating_add((*span).min(MAX_MICROS));
                state.set_hold(now, until.max(state.hold));
            }
            Action::Resume => state.set_hold(now, 0),
            Action::Retune(interval) => {
                if state.retune((*interval).clamp(1, MAX_MICROS)) {
                    state.raise(now);
                    state.tuned = state.epoch;
                }
            }
        }
        Reply {
            now,
            born: state.born,
            learning_until: state.quiet,
            terms: state.terms(now),
            hosts: u32::try_from(self.seen.len()).unwrap_or(u32::MAX),
            ..reply
        }
    }

    /// What an operator sees at `now`; none before the first call.
    #[must_use]
    pub fn look(&self, now: u64) -> Option<LimitState> {
        let state = self.state.as_ref()?;
        let start = state.tat.max(state.hold);
        // Those who have gone are forgotten by the next call only.
        let there = self.seen.iter().filter(|(_, _, until)| *until >= now);
        let hosts = there.map(|(host, label, until)| SeenHost {
            host,
            label: label.to_owned(),
            counts_for: until.saturating_sub(now),
        });
        Some(LimitState {
            terms: state.terms(now),
            next: start.saturating_sub(now),
            learning: state.quiet.saturating_sub(now),
            hosts: hosts.collect(),
        })
    }
}
