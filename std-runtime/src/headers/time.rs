//! Spans and times, in the notations that servers use.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// From here on a number of seconds is a time since the Unix epoch, of September 2001, and not a time from now, of 31 years.
const EPOCH_FROM: f64 = 1e9;
/// And from here on it counts milliseconds.
const MILLIS_FROM: f64 = 1e12;

/// Either of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    From(Duration),
    At(SystemTime),
}

/// Digits alone. So many that they are no u64 mean the largest.
pub(super) fn whole(value: &str) -> Option<u64> {
    let value = value.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| value.parse().unwrap_or(u64::MAX))
}

/// A number of seconds, with a fraction or not. One that is too large means for ever.
pub(super) fn seconds(value: &str) -> Option<Duration> {
    Some(Duration::try_from_secs_f64(decimal(value)?).unwrap_or(Duration::MAX))
}

/// A number of milliseconds. As above.
pub(super) fn millis(value: &str) -> Option<Duration> {
    let millis = decimal(value)?;
    Some(Duration::try_from_secs_f64(millis / 1e3).unwrap_or(Duration::MAX))
}

/// Digits, with a fraction or not. No sign, no exponent, no `NaN`.
pub(super) fn decimal(value: &str) -> Option<f64> {
    let is_decimal = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    value.bytes().all(is_decimal).then(|| value.parse().ok())?
}

/// A number, a date of HTTP, a time of RFC 3339, or a sum such as `6m0s`.
pub(super) fn when(value: &str) -> Option<When> {
    if let Some(seconds) = decimal(value) {
        let is_epoch = seconds >= EPOCH_FROM;
        let scale = if seconds >= MILLIS_FROM { 1e3 } else { 1.0 };
        let span = Duration::try_from_secs_f64(seconds / scale).ok()?;
        return match is_epoch {
            true => UNIX_EPOCH.checked_add(span).map(When::At),
            false => Some(When::From(span)),
        };
    }
    let date = httpdate::parse_http_date(value).ok();
    let time = date.or_else(|| rfc3339(value)).map(When::At);
    time.or_else(|| units(value).map(When::From))
}

/// Such as `2026-11-27T21:00:00Z`, or with an offset in place of the `Z`.
fn rfc3339(value: &str) -> Option<SystemTime> {
    if value.ends_with('Z') {
        return humantime::parse_rfc3339(value).ok();
    }
    let (local, offset) = value.split_at_checked(value.len().checked_sub(6)?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let part = |part: &str| part.parse::<u16>().ok().filter(|_| decimal(part).is_some());
    let (hours, minutes) = (part(hours)?, part(minutes)?);
    let offset_span = Duration::from_secs(3600 * u64::from(hours) + 60 * u64::from(minutes));
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    match offset.as_bytes().first()? {
        b'+' => local.checked_sub(offset_span),
        b'-' => local.checked_add(offset_span),
        _ => None,
    }
}

/// A sum such as `1h2m3.5s`, in d, h, m, s and ms, each at most once and in this order.
fn units(mut value: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut smallest = f64::INFINITY;
    while !value.is_empty() {
        let end = value.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = value.split_at_checked(end)?;
        let units = [("ms", 1e-3), ("d", 86_400.0), ("h", 3600.0)];
        let (unit, rest) = units
            .iter()
            .chain(&[("m", 60.0), ("s", 1.0)])
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
