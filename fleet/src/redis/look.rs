//! What an operator sees of a limit, by commands that change nothing.

use redis::{Cmd, Value, from_redis_value};

use super::keys::Keys;
use crate::backend::{LimitState, SeenHost, Terms};

/// One after the other: the clock, the state, and who has asked.
pub(super) fn commands(keys: &Keys) -> [Cmd; 3] {
    let mut state = redis::cmd("HMGET");
    state.arg(&keys.state);
    state.arg(&["quiet", "tat", "interval", "epoch", "hold"]);
    let mut seen = redis::cmd("ZRANGEBYSCORE");
    seen.arg(&keys.seen).arg(0).arg("+inf").arg("WITHSCORES");
    [redis::cmd("TIME"), state, seen]
}

/// What the clock reads.
pub(super) fn now(time: &Value) -> Option<u64> {
    let (seconds, micros): (u64, u64) = from_redis_value(time.clone()).ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

/// What is stored.
pub(super) fn fields(state: &Value) -> Option<Vec<Option<u64>>> {
    from_redis_value(state.clone()).ok()
}

/// Who has asked, and until when each counts.
pub(super) fn members(seen: &Value) -> Option<Vec<(String, u64)>> {
    from_redis_value(seen.clone()).ok()
}

/// None where the server knows nothing of the limit.
pub(super) fn state(
    now: u64,
    fields: &[Option<u64>],
    seen: Vec<(String, u64)>,
) -> Option<LimitState> {
    let &[
        Some(quiet),
        Some(tat),
        Some(interval),
        Some(epoch),
        Some(hold),
    ] = fields
    else {
        return None;
    };
    let host = |(member, until): (String, u64)| {
        let (host, label) = member.split_once(' ').unwrap_or((&member, ""));
        Some(SeenHost {
            host: host.parse().ok()?,
            label: label.to_owned(),
            counts_for: until.saturating_sub(now),
        })
    };
    Some(LimitState {
        terms: Terms {
            interval,
            hold: hold.saturating_sub(now),
            epoch,
        },
        next: tat.max(hold).saturating_sub(now),
        learning: quiet.saturating_sub(now),
        hosts: seen.into_iter().filter_map(host).collect(),
    })
}
