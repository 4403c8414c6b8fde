//! What becomes of a state whose last calls may be forgotten.

use crate::calendar::{Free, MAX_MICROS, State};

/// Makes it a new one, which grants nothing before `grace` from `now`, microseconds: calls that are forgotten may have granted slots.
///
/// Hosts see it by another `born`: nothing that was granted before is taken back, and they do without what is not before the end of the
/// grace. The terms stay, and what is known to be granted stays so.
pub(super) fn wait_out(state: &mut State, now: u64, grace: u64) {
    // Also where the clock stands.
    state.born = now.max(state.born.saturating_add(1));
    // A longer grace of before is still to be waited out.
    state.quiet = now.saturating_add(grace.min(MAX_MICROS)).max(state.quiet);
    state.tat = state.tat.max(state.quiet);
    state.free = Free::default();
}
