//! What becomes of a state whose last calls may be forgotten.

use crate::calendar::{Free, MAX_MICROS, State};

/// Makes it a new one, which grants nothing before `grace` from `now`, microseconds: calls that are forgotten may have granted slots.
///
/// Hosts are told so by another `born`: they give nothing back that was granted before, and do without what is not before the end of
/// the grace. The terms stay, and what was granted as far as it is known, too.
pub(super) fn wait_out(state: &mut State, now: u64, grace: u64) {
    // Also where the clock stands.
    state.born = now.max(state.born.saturating_add(1));
    // A longer grace of before is still to be waited out.
    state.quiet = now.saturating_add(grace.min(MAX_MICROS)).max(state.quiet);
    state.tat = state.tat.max(state.quiet);
    state.tuned = state.epoch;
    state.free = Free::default();
}
