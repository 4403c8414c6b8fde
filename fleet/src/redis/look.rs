//! What an operator sees of a limit, by commands that change nothing.

use redis::{Cmd, Value, from_redis_value};

use super::script::Keys;
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

/// None where the answers are not of these commands, `Some(None)` where the server knows nothing of the limit.
pub(super) fn state(answers: &[Value]) -> Option<Option<LimitState>> {
    let [time, state, seen] = answers else {
        return None;
    };
    let (seconds, micros): (u64, u64) = from_redis_value(time.clone()).ok()?;
    let now = seconds.checked_mul(1_000_000)?.checked_add(micros)?;
    let state: Vec<Option<u64>> = from_redis_value(state.clone()).ok()?;
    let seen: Vec<(String, u64)> = from_redis_value(seen.clone()).ok()?;
    let &[
        Some(quiet),
        Some(tat),
        Some(interval),
        Some(epoch),
        Some(hold),
    ] = state.as_slice()
    else {
        return Some(None);
    };
    let hosts = seen.into_iter().map(|(member, at)| {
        let (host, label) = member.split_once(' ').unwrap_or((&member, ""));
        Some(SeenHost {
            host: host.parse().ok()?,
            label: label.to_owned(),
            age: now.saturating_sub(at),
        })
    });
    Some(Some(LimitState {
        terms: Terms {
            interval,
            hold: hold.saturating_sub(now),
            epoch,
        },
        next: tat.max(hold).saturating_sub(now),
        learning: quiet.saturating_sub(now),
        hosts: hosts.collect::<Option<_>>()?,
    }))
}
