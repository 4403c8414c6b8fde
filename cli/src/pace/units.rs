//! Rates and spans of time as people write them.

use std::time::Duration;

use apiqueue::Rate;

/// The shortest interval: a million a second.
const SHORTEST: Duration = Duration::from_micros(1);
/// The longest interval, hold and timeout.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

const UNITS: [(&str, f64); 14] = [
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("sec", 1.0),
    ("second", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("minute", 60.0),
    ("h", 3600.0),
    ("hour", 3600.0),
    ("d", 86400.0),
    ("day", 86400.0),
    ("days", 86400.0),
];

/// `10/s`, `100/min`, `0.5/h`, or `every 100ms`.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let malformed =
        || "say COUNT/UNIT, such as 10/s, 100/min or 5/h, or \"every DURATION\"".to_owned();
    if let Some(span) = text.strip_prefix("every ") {
        return every(span.trim());
    }
    let (count, unit) = text.split_once('/').ok_or_else(malformed)?;
    let seconds = unit_seconds(unit.trim()).ok_or_else(malformed)?;
    let count = number(count.trim()).ok_or_else(malformed)?;
    // Rounded up, so that the rate is never exceeded. What the division adds to a whole number of nanoseconds is none.
    let nanos = seconds * 1e9 / count;
    let interval = match nanos.is_finite() && nanos < u64::MAX as f64 {
        true => Duration::from_nanos((nanos * (1.0 - 1e-15)).ceil() as u64),
        false => Duration::MAX,
    };
    within_range(interval)
}

/// The interval of a rate: `100ms`, `1.5s`, `2min`.
pub(crate) fn every(text: &str) -> Result<Rate, String> {
    within_range(span(text)?)
}

fn within_range(interval: Duration) -> Result<Rate, String> {
    if !(SHORTEST..=LONGEST).contains(&interval) {
        return Err("a rate is from 1000000/s down to one in 365 days".to_owned());
    }
    Rate::every(interval).map_err(|why| why.to_string())
}

/// A span of time that is not zero: `100ms`, `1.5s`, `2min`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let span = span(text)?;
    if span.is_zero() || span > LONGEST {
        return Err("it is from 1us to 365 days".to_owned());
    }
    Ok(span)
}

/// Too long a one is the longest that there is.
fn span(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let count = text.strip_suffix(unit).and_then(number);
    let parts = count.zip(unit_seconds(unit.trim()));
    let (count, seconds) = parts.ok_or_else(|| {
        "say a number with its unit: us, ms, s, min, h or d, such as 100ms or 1.5s".to_owned()
    })?;
    let nanos = (count * seconds * 1e9).round();
    Ok(match nanos < u64::MAX as f64 {
        true => Duration::from_nanos(nanos as u64),
        false => Duration::MAX,
    })
}

fn unit_seconds(unit: &str) -> Option<f64> {
    let known = UNITS.iter().find(|(name, _)| *name == unit);
    known.map(|(_, seconds)| *seconds)
}

/// Digits, with at most one point: no sign, no exponent, no word.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn rates_are_intervals() {
        let ns = |text| rate(text).unwrap().interval().as_nanos();
        assert_eq!(ns("10/s"), 100_000_000);
        assert_eq!(ns("10/sec"), 100_000_000);
        assert_eq!(ns("100/min"), 600_000_000);
        assert_eq!(ns("0.5/s"), 2_000_000_000);
        assert_eq!(ns("1/d"), 86_400_000_000_000);
        assert_eq!(ns("every 100ms"), 100_000_000);
        assert_eq!(ns("every 1.5s"), 1_500_000_000);
        assert_eq!(ns("1000000/s"), 1_000);
    }

    /// Never faster than was said, and no slower than a nanosecond rounds.
    #[test]
    fn an_interval_is_rounded_up() {
        assert_eq!(rate("3/s").unwrap().interval().as_nanos(), 333_333_334);
        for per_second in 1..=100_000_u32 {
            let text = format!("{per_second}/s");
            let ours = rate(&text).unwrap();
            assert_eq!(ours, Rate::per_second(per_second).unwrap(), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        let bad = [
            "",
            "10",
            "0/s",
            "-1/s",
            "NaN/s",
            "inf/s",
            "1e3/s",
            "1100000/s",
            "99999999999999999999999/s",
            "1/y",
            "/s",
            "10/",
            "10/0s",
            ".",
            "./s",
            "1.2.3/s",
            "every",
            "every ",
            "every 0ms",
            "every 10",
            "every -1s",
            "every 366d",
            "0.0000000001/d",
            "10/s/s",
            "+5/s",
            "100ms",
        ];
        for text in bad {
            assert!(rate(text).is_err(), "{text:?} is {:?}", rate(text));
        }
    }

    #[test]
    fn spans_have_units() {
        assert_eq!(duration("250us").unwrap(), Duration::from_micros(250));
        assert_eq!(duration("2h").unwrap(), Duration::from_secs(7200));
        for text in [
            "",
            "5",
            "s",
            "0s",
            "-5s",
            "1e3s",
            "NaNs",
            "5 parsecs",
            "400d",
            "9999999999999999999d",
        ] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }
}
