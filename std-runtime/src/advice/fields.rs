//! The families of three fields: `…-Limit`, `…-Remaining`, `…-Reset`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;

use super::Allowance;

/// Of each: what stands before `limit`, `remaining` or `reset`, what stands after it, and whether calls are counted.
const FAMILIES: [(&str, &str, bool); 5] = [
    ("ratelimit-", "", true),
    ("x-ratelimit-", "", true),
    ("x-rate-limit-", "", true),
    ("x-ratelimit-", "-requests", true),
    ("x-ratelimit-", "-tokens", false),
];

/// From here on a number of seconds is a time since the Unix epoch, of September 2001, and not a time from now, of 31 years.
const EPOCH_FROM: f64 = 1e9;
/// And from here on it counts milliseconds.
const MILLIS_FROM: f64 = 1e12;

pub(super) fn allowances(
    headers: &HeaderMap,
    now: SystemTime,
) -> impl Iterator<Item = Allowance> + '_ {
    FAMILIES.iter().map(move |(before, after, of_calls)| {
        let field = |name| headers.get(format!("{before}{name}{after}"))?.to_str().ok();
        Allowance {
            remaining: field("remaining").and_then(whole),
            reset: field("reset").and_then(|value| reset(value.trim(), now)),
            policy: None,
            of_calls: *of_calls,
        }
    })
}

/// The digits that a value begins with, as of `100, 100;w=60`.
fn whole(value: &str) -> Option<u64> {
    let value = value.trim();
    let end = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    let rest = value.get(end..)?;
    let whole = value.get(..end)?.parse().ok()?;
    rest.starts_with([',', ';', ' '])
        .then_some(whole)
        .or(rest.is_empty().then_some(whole))
}

/// How long from now.
fn reset(value: &str, now: SystemTime) -> Option<Duration> {
    if value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        let seconds: f64 = value.parse().ok()?;
        if seconds < EPOCH_FROM {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let since_epoch = if seconds < MILLIS_FROM {
            seconds
        } else {
            seconds / 1e3
        };
        let at = UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(since_epoch).ok()?)?;
        return Some(at.duration_since(now).unwrap_or_default());
    }
    if let Ok(date) = httpdate::parse_http_date(value) {
        return Some(date.duration_since(now).unwrap_or_default());
    }
    units(value)
}

/// A sum such as `1h2m3.5s`, in h, m, s and ms, each at most once and in this order.
fn units(mut value: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut smallest = f64::INFINITY;
    while !value.is_empty() {
        let end = value.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = value.split_at_checked(end)?;
        let (unit, rest) = [("ms", 1e-3), ("h", 3600.0), ("m", 60.0), ("s", 1.0)]
            .iter()
            .find_map(|&(name, seconds)| Some((seconds, rest.strip_prefix(name)?)))?;
        if unit >= smallest {
            return None;
        }
        smallest = unit;
        let part = number.parse::<f64>().ok()? * unit;
        sum = sum.checked_add(Duration::try_from_secs_f64(part).ok()?)?;
        value = rest;
    }
    smallest.is_finite().then_some(sum)
}
