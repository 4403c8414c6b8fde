#![allow(clippy::unwrap_used)]
use std::time::UNIX_EPOCH;

use super::*;

/// Noon of 23 November 2026, by the server's clock.
const NOON: u64 = 1_795_435_200;
const DATE_OF_NOON: (&str, &str) = ("date", "Mon, 23 Nov 2026 12:00:00 GMT");

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, value.parse().unwrap());
    }
    headers
}

/// What remains of calls, or of other things, and in how many milliseconds that is reset, of an answer of noon. The clock here is a day
/// behind.
fn left(fields: &[(&str, &str)]) -> Vec<(bool, Option<u64>, Option<u128>)> {
    let fields = map(&[fields, &[DATE_OF_NOON]].concat());
    let clock = UNIX_EPOCH + Duration::from_secs(NOON - 86_400);
    let allowances = Headers::new(&fields, clock).allowances().into_iter();
    let told = |left: Allowance| {
        let reset = left.reset.map(|reset| reset.as_millis());
        (left.of_calls, left.remaining, reset)
    };
    allowances.map(told).collect()
}

fn reset(value: &str) -> Option<u128> {
    left(&[("ratelimit-remaining", "5"), ("ratelimit-reset", value)])[0].2
}

#[test]
fn a_reset_is_read_in_every_notation_by_the_answer_s_own_date() {
    for (value, millis) in [
        ("30", 30_000),
        ("1.337", 1_337),
        ("1795435230", 30_000),
        ("1795435230.25", 30_250),
        ("1795435230250", 30_250),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30_000),
        ("2026-11-23T12:00:30Z", 30_000),
        ("2026-11-23T12:00:30.5Z", 30_500),
        ("2026-11-23T12:00:30+00:00", 30_000),
        ("2026-11-23T14:00:30+02:00", 30_000),
        ("2026-11-23T06:30:30-05:30", 30_000),
        ("6m0s", 360_000),
        ("1h2m3.5s", 3_723_500),
        ("1d2h", 93_600_000),
        ("20ms", 20),
    ] {
        assert_eq!(reset(value), Some(millis), "{value}");
    }
}

#[test]
fn what_is_reset_already_or_can_not_be_read_says_nothing() {
    for value in [
        "0",
        "0s",
        "1795435200",
        "1795430000",
        "Mon, 23 Nov 2026 11:59:59 GMT",
        "2026-11-23T12:00:00Z",
        "2026-11-23T13:00:00+01:00",
        "",
        "-1",
        "+1",
        "NaN",
        "inf",
        "1e9",
        "1.2.3",
        ".",
        "soon",
        "5s5m",
        "1h1d",
        "1d1d",
        "m",
        "2026-11-23T12:00:30",
        "2026-11-23",
        "2026-13-23T12:00:30Z",
        "2026-11-23T12:00:30+1",
        "+02:00",
        "aaaaaaaaaaaaaaaaaaaaaaaaaZ",
        "2026-11-23T12:00:30+-1:00",
        "2026-11-23T12:00:30*02:00",
        "0000-00-00T00:00:00Z",
        "99999-11-23T12:00:30Z",
    ] {
        assert_eq!(reset(value), None, "{value}");
    }
    let ages = "9".repeat(400);
    assert_eq!(reset(&ages), None);
}

#[test]
fn without_a_date_this_host_s_clock_counts() {
    let fields = map(&[
        ("x-ratelimit-remaining", "1"),
        ("x-ratelimit-reset", "1795435230"),
    ]);
    let clock = UNIX_EPOCH + Duration::from_secs(NOON + 10);
    let reset = Headers::new(&fields, clock).allowances()[0].reset;
    assert_eq!(reset, Some(Duration::from_secs(20)));
}

#[test]
fn what_a_cache_tells_remains_no_longer() {
    let fields = [
        ("x-ratelimit-remaining", "1"),
        ("x-ratelimit-reset", "60"),
        ("ratelimit", "\"a\";r=1;t=60"),
    ];
    assert_eq!(left(&fields).len(), 2);
    assert_eq!(left(&[&fields[..], &[("age", "1")]].concat()), []);
    assert_eq!(
        left(&[&fields[..], &[("age", "0")]].concat()).len(),
        2,
        "just validated"
    );
}

#[test]
fn every_vendor_s_fields_are_read() {
    let read = |fields| {
        let mut left = left(fields);
        left.retain(|left| left.2.is_some());
        left
    };
    // As their documentation has them, with times of that noon.
    let github = [
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", "4987"),
        ("x-ratelimit-used", "13"),
        ("x-ratelimit-resource", "core"),
        ("x-ratelimit-reset", "1795438800"),
    ];
    assert_eq!(read(&github), [(true, Some(4987), Some(3_600_000))]);
    let gitlab = [
        ("RateLimit-Limit", "60"),
        ("RateLimit-Name", "throttle_authenticated_api"),
        ("RateLimit-Observed", "27"),
        ("RateLimit-Remaining", "33"),
        ("RateLimit-Reset", "1795435260"),
        ("RateLimit-ResetTime", "Mon, 23 Nov 2026 12:01:00 GMT"),
    ];
    assert_eq!(read(&gitlab), [(true, Some(33), Some(60_000))]);
    let reddit = [
        ("X-Ratelimit-Used", "401"),
        ("X-Ratelimit-Remaining", "599.0"),
        ("X-Ratelimit-Reset", "254"),
    ];
    assert_eq!(read(&reddit), [(true, Some(599), Some(254_000))]);
    let discord = [
        ("X-RateLimit-Limit", "5"),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", "1795435299.123"),
        ("X-RateLimit-Reset-After", "1.337"),
        ("X-RateLimit-Bucket", "abcd1234"),
    ];
    assert_eq!(read(&discord), [(true, Some(0), Some(1_337))]);
    let linear = [
        ("X-RateLimit-Requests-Limit", "2500"),
        ("X-RateLimit-Requests-Remaining", "2499"),
        ("X-RateLimit-Requests-Reset", "1795435201440"),
        ("X-Complexity", "12"),
        ("X-RateLimit-Complexity-Limit", "3000000"),
        ("X-RateLimit-Complexity-Remaining", "2999988"),
        ("X-RateLimit-Complexity-Reset", "1795435205000"),
        ("X-RateLimit-Endpoint-Requests-Limit", "10"),
        ("X-RateLimit-Endpoint-Requests-Remaining", "3"),
        ("X-RateLimit-Endpoint-Requests-Reset", "1795435206000"),
    ];
    assert_eq!(
        read(&linear),
        [
            (true, Some(2499), Some(1_440)),
            (true, Some(3), Some(6_000)),
            (false, Some(2_999_988), Some(5_000)),
        ]
    );
    let openai = [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    assert_eq!(
        read(&openai),
        [
            (true, Some(59), Some(1_000)),
            (false, Some(149_984), Some(360_000))
        ]
    );
    let azure = [
        ("x-ratelimit-remaining-tokens", "-1"),
        ("x-ratelimit-reset-tokens", "0"),
    ];
    assert_eq!(left(&azure), [], "it does not know");
    let anthropic = [
        ("anthropic-ratelimit-requests-limit", "1000"),
        ("anthropic-ratelimit-requests-remaining", "999"),
        ("anthropic-ratelimit-requests-reset", "2026-11-23T12:00:01Z"),
        ("anthropic-ratelimit-tokens-remaining", "96000"),
        ("anthropic-ratelimit-tokens-reset", "2026-11-23T12:00:02Z"),
        ("anthropic-ratelimit-input-tokens-remaining", "80000"),
        (
            "anthropic-ratelimit-input-tokens-reset",
            "2026-11-23T12:00:03Z",
        ),
        ("anthropic-ratelimit-output-tokens-remaining", "16000"),
        (
            "anthropic-ratelimit-output-tokens-reset",
            "2026-11-23T12:00:04Z",
        ),
    ];
    assert_eq!(
        read(&anthropic),
        [
            (true, Some(999), Some(1_000)),
            (false, Some(96_000), Some(2_000)),
            (false, Some(80_000), Some(3_000)),
            (false, Some(16_000), Some(4_000)),
        ]
    );
}

#[test]
fn what_remains_is_a_number_or_nothing() {
    let remaining = |value| {
        let left = left(&[("x-ratelimit-remaining", value), ("x-ratelimit-reset", "5")]);
        left.first().and_then(|left| left.1)
    };
    for (value, count) in [
        ("7", 7),
        ("100, 100;w=60", 100),
        ("0.9", 0),
        (" 3 ", 3),
        ("18446744073709551615", u64::MAX),
    ] {
        assert_eq!(remaining(value), Some(count), "{value}");
    }
    for value in [
        "",
        "-1",
        "+1",
        "NaN",
        "1e3",
        "5x",
        "x",
        "1.2.3",
        ".",
        ".5",
        "18446744073709551616",
        ",",
        "\u{a0}1",
    ] {
        assert_eq!(remaining(value), None, "{value}");
    }
}
