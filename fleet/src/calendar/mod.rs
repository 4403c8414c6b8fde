//! [`Calendar`]: what a backend keeps of one limit, as a plain value, and what each call does to it.
//!
//! Every backend does exactly this, whatever it is written in. All numbers are whole microseconds; `now` is the reading of
//! the backend's own clock at the call.
//!
//! ```text
//! at each call, first:
//!   no state:            born = last = now; quiet = tat = now + grace; interval and epoch as the caller knows them;
//!                        hold = now + the hold it knows of, if there is one; nothing free, nobody seen
//!   now < last:          the clock stepped back: tat, quiet, hold, low and owed go back by as much; nothing is free, nobody seen; raised and tuned
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
//!   where n priorities above the caller's are seen:   near = now + min(250 ms, horizon / 2) / 2^min(n, 3)
//!            max(tat, quiet, hold) <= near: as above. Else only free slots up to near; and if there are none:
//!            as above, with from = max(from, low) and spacing = max(spacing, 10 * interval), and then
//!            low = max(low + 10 * interval * granted, the last of these); owed = 0
//!            none, and low <= now + horizon:   owed = now + 2 * horizon
//!   where none are seen and owed > now:     until = now + horizon - min(10 * interval, horizon / 4)
//! give_back(born, epoch, slots): where born is that of the state, and epoch >= tuned:
//!                  slots from max(now, quiet) on are free again, and tat goes back where it can
//! hold(span):        hold = max(hold, now + span); raised if that is more than it was
//! resume:            hold = 0; raised if there was one
//! retune(interval):  if it is another: tat = max(tat - interval, 0) + new interval; low = min(low, tat + 10 * new interval); nothing is free; raised and tuned
//! tuned:             tuned = epoch: slots of before have other names or another grid
//! raised:            epoch = max(epoch + 1, now)
//! ```
//!
//! `tat` is the last slot granted plus the interval, so that a retune takes effect right after the last slot granted by the
//! old terms. While the clock stands behind where it was, no time passes for the schedule: slots come later, and none twice.
//!
//! **Priorities.** Hosts of the highest priority that is seen book as far ahead as the horizon, the others at the last moment: so they get what
//! the important ones leave, all of it where these want nothing, and a busy important host finds the next slots free. What the important
//! ones can't keep from them is one slot in ten, for all of them together (`low`): while somebody waits for that (`owed`), they do not book as far ahead as he does.
//!
//! A change's epoch begins at the clock, so that of two changes of which a state knows only one, the later one wins.

mod behind;
mod free;
mod seen;
mod state;

use std::time::Duration;

pub(crate) use behind::{SPAN, own_slots, reach, span};
pub use free::{Free, MAX_RUNS};
pub use seen::{HIGHEST, Seen};
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
                let seen = &mut self.seen;
                seen.ask(call.host, call.priority, &call.label, until);
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
                let reach = reach(*horizon, self.seen.bands_above(call.priority));
                let left_out = state.left_out(now, *horizon);
                reply.slots = match reach {
                    None => state.grant(granted, now, from..=until - left_out, want, *spacing),
                    Some(reach) => {
                        let near = now.saturating_add(reach);
                        state.grant_behind(granted, now, from..=until, want, *spacing, near)
                    }
                };
                if reply.slots.is_empty() {
                    (reply.next, reply.later) = match reach {
                        None => (state.first(from), left_out),
                        Some(reach) => {
                            if want > 0 {
                                state.owe(now, *horizon);
                            }
                            state.first_behind(from, *horizon, reach)
                        }
                    };
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
            below: self.seen.below(call.priority),
            above: self.seen.bands_above(call.priority),
            kept_back: self.seen.kept_back(),
            ..reply
        }
    }

    /// What an operator sees at `now`; none before the first call.
    #[must_use]
    pub fn look(&self, now: u64) -> Option<LimitState> {
        let state = self.state.as_ref()?;
        let start = state.tat.max(state.hold);
        // Those who have gone are forgotten by the next call only.
        let there = self.seen.iter().filter(|(_, _, _, until)| *until >= now);
        let hosts = there.map(|(host, priority, label, until)| SeenHost {
            host,
            priority,
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
