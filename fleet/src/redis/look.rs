//! What an operator sees of a limit, by commands that change nothing.

use redis::{Cmd, Value, from_redis_value};

use super::keys::Keys;
use crate::calendar::{Calendar, Free, Seen, State};

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

/// As much of the calendar as can be looked at; empty where the server knows nothing of the limit.
pub(super) fn calendar(fields: &[Option<u64>], seen: Vec<(String, u64)>) -> Calendar {
    let &[
        Some(quiet),
        Some(tat),
        Some(interval),
        Some(epoch),
        Some(hold),
    ] = fields
    else {
        return Calendar::default();
    };
    let mut calendar = Calendar {
        state: Some(State {
            born: 0,
            last: 0,
            quiet,
            tat,
            interval,
            epoch,
            tuned: 0,
            hold,
            low: 0,
            owed: 0,
            free: Free::default(),
        }),
        seen: Seen::default(),
    };
    for (member, until) in seen {
        let mut words = member.splitn(3, ' ');
        let priority = words.next().and_then(|word| word.parse().ok());
        let host = words.next().and_then(|word| word.parse().ok());
        if let (Some(priority), Some(host)) = (priority, host) {
            let label = words.next().unwrap_or_default();
            calendar.seen.ask(host, priority, &label.into(), until);
        }
    }
    calendar
}
