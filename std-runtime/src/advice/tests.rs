#![allow(clippy::unwrap_used)]
mod queues;
mod soup;

use super::*;

fn follow() -> Follow {
    let throttled = Throttled::default().cap(Duration::from_secs(600));
    let (slowest, fastest) = (Rate::every(Duration::from_secs(60)), Rate::per_second(100));
    Follow::new(slowest.unwrap(), fastest.unwrap(), throttled).unwrap()
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200)
}

fn of_status(status: u16, fields: &[(&str, &str)]) -> Advice {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, value.parse().unwrap());
    }
    let status = StatusCode::from_u16(status).unwrap();
    let advice = follow().at(status, &Headers::new(&headers, now()));
    // Looked at on its own.
    Advice {
        evenly: false,
        ..advice
    }
}

fn of(fields: &[(&str, &str)]) -> Advice {
    of_status(200, fields)
}

fn every(millis: u64) -> Advice {
    Advice {
        rate: Some(Rate::every(Duration::from_millis(millis)).unwrap()),
        ..Advice::default()
    }
}

fn hold(millis: u64) -> Advice {
    Advice {
        hold: Some(Duration::from_millis(millis)),
        ..Advice::default()
    }
}

#[test]
fn what_remains_is_spread_over_the_time_until_the_reset() {
    // As by GitHub and X, then seconds from now, OpenAI, and the IETF's drafts.
    assert_eq!(
        of(&[
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "60"),
            ("x-ratelimit-reset", "1795435230"),
        ]),
        every(500)
    );
    assert_eq!(
        of(&[
            ("x-rate-limit-remaining", "10"),
            ("x-rate-limit-reset", "1795435300")
        ]),
        every(10_000)
    );
    assert_eq!(
        of(&[("x-ratelimit-remaining", "60"), ("x-ratelimit-reset", "30")]),
        every(500)
    );
    assert_eq!(
        of(&[
            ("x-ratelimit-remaining-requests", "36"),
            ("x-ratelimit-reset-requests", "6m0s"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "20ms"),
        ]),
        every(10_000)
    );
    assert_eq!(of(&[("ratelimit", "\"default\";r=50;t=30")]), every(600));
    assert_eq!(
        of(&[
            ("ratelimit-limit", "100, 100;w=60"),
            ("ratelimit-remaining", "50"),
            ("ratelimit-reset", "30"),
        ]),
        every(600)
    );
}

#[test]
fn nothing_left_holds_until_the_reset() {
    assert_eq!(
        of(&[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795435207")
        ]),
        hold(7_000)
    );
    assert_eq!(of(&[("ratelimit", "\"default\";r=0;t=30")]), hold(30_000));
    assert_eq!(
        of(&[
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "1.5s"),
        ]),
        hold(1_500)
    );
    let past = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795430000"),
    ];
    assert_eq!(of(&past), Advice::default(), "it was reset already");
}

/// As of a thousand requests a minute, told by both.
#[test]
fn of_what_gathers_all_the_time_no_more_is_waited_for_than_has_to_be() {
    let openai = |left: &str, reset: &str| {
        of(&[
            ("x-ratelimit-limit-requests", "1000"),
            ("x-ratelimit-remaining-requests", left),
            ("x-ratelimit-reset-requests", reset),
        ])
    };
    assert_eq!(openai("1000", "0s"), Advice::default());
    assert_eq!(openai("999", "60ms"), every(10), "the fastest");
    assert_eq!(openai("500", "30s"), every(60));
    // Not one in a minute: so many gather meanwhile.
    assert_eq!(openai("1", "59.94s"), every(60));
    let empty = openai("0", "60s");
    assert_eq!((empty.rate, empty.hold), (every(60).rate, hold(6_000).hold));
    let tokens = [
        ("anthropic-ratelimit-input-tokens-limit", "80000"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        (
            "anthropic-ratelimit-input-tokens-reset",
            "2026-11-23T12:00:50Z",
        ),
    ];
    assert_eq!(of(&tokens), hold(5_000));
    assert_eq!(of_status(429, &tokens), hold(5_000));
    assert_eq!(of(&tokens[1..]), hold(50_000), "without the limit");
    // One that can't be is as if there were none.
    let limit = ("anthropic-ratelimit-input-tokens-limit", "-1");
    assert_eq!(of(&[limit, tokens[1], tokens[2]]), hold(50_000));
}

#[test]
fn of_several_the_slowest_rate_and_the_longest_hold_count() {
    assert_eq!(
        of(&[("ratelimit", "\"burst\";r=50;t=5, \"daily\";r=100;t=1000")]),
        every(10_000)
    );
    assert_eq!(
        of(&[
            ("ratelimit", "\"burst\";r=0;t=5"),
            ("ratelimit", "\"daily\";r=0;t=100")
        ]),
        hold(100_000)
    );
}

#[test]
fn a_policy_tells_the_rate_where_nothing_tells_what_remains() {
    assert_eq!(
        of(&[("ratelimit-policy", "\"default\";q=100;w=60")]),
        every(600)
    );
    assert_eq!(
        of(&[
            ("ratelimit-policy", "\"default\";q=100;w=60"),
            ("ratelimit", "\"default\";r=10;t=60"),
        ]),
        every(6_000)
    );
    let bytes = (
        "ratelimit-policy",
        "\"peak\";q=65535;qu=\"content-bytes\";w=10",
    );
    assert_eq!(of(&[bytes]), Advice::default());
    assert_eq!(
        of(&[bytes, ("ratelimit", "\"peak\";r=100;t=10")]),
        Advice::default()
    );
}

#[test]
fn retry_after_wins_over_every_other_hold() {
    let fields = [
        ("retry-after", "3"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "60"),
    ];
    assert_eq!(of_status(429, &fields), hold(3_000));
    assert_eq!(of_status(200, &fields), hold(60_000), "it is no throttle");
    assert_eq!(of_status(429, &[]), hold(1_000), "without a hint");
    assert_eq!(
        of_status(429, &fields[1..]),
        hold(60_000),
        "a better hint than none"
    );
}

#[test]
fn a_throttle_holds_even_where_the_reset_is_past() {
    let past = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795430000"),
    ];
    assert_eq!(of_status(429, &past), hold(1_000), "as without a hint");
    assert_eq!(
        of_status(403, &[("retry-after", "5")]),
        hold(5_000),
        "as GitHub says it"
    );
    assert_eq!(
        of_status(429, &[("retry-after", "0")]),
        hold(0),
        "said outright"
    );
}

#[test]
fn the_burst_stays_and_what_has_gathered_goes_where_it_could_be_too_much() {
    let fastest = Rate::per_second(100).unwrap().burst(50).unwrap();
    let slowest = Rate::every(Duration::from_secs(60)).unwrap();
    let follow = Follow::new(slowest, fastest, Throttled::default()).unwrap();
    let advice = |field: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit", field.parse().unwrap());
        let advice = follow.at(StatusCode::OK, &Headers::new(&headers, now()));
        let rate = advice.rate.unwrap();
        assert_eq!(rate.burst_size(), 50);
        (rate.interval().as_millis(), advice.evenly)
    };
    assert_eq!(advice("\"a\";r=5;t=60;pk=:cHN0:;new=1"), (12_000, true));
    assert_eq!(advice("\"a\";r=6000;t=60"), (10, true));
    assert_eq!(advice("\"a\";r=10000;t=60"), (10, false));
}

#[test]
fn a_retry_after_that_is_over_is_no_hint() {
    let fields = [
        ("retry-after", "Mon, 23 Nov 2026 11:00:00 GMT"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "60"),
    ];
    assert_eq!(of_status(429, &fields), hold(60_000));
    assert_eq!(of_status(429, &fields[..1]), hold(1_000), "without a hint");
}

#[test]
fn github_s_secondary_limit_holds_for_a_minute() {
    let left = [("x-ratelimit-remaining", "60"), ("x-ratelimit-reset", "30")];
    assert_eq!(of_status(403, &left), every(500), "plainly forbidden");
    let limited = [left[0], left[1], ("gh-limited-by", "time-based")];
    let advice = of_status(403, &limited);
    assert_eq!(
        (advice.rate, advice.hold),
        (every(500).rate, hold(60_000).hold)
    );
}

#[test]
fn absurd_values_are_clamped() {
    let (slow, fast) = (every(60_000), every(10));
    let left = |remaining, reset| {
        of(&[
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", reset),
        ])
    };
    assert_eq!(left("1", "999999999"), slow);
    assert_eq!(left("18446744073709551615", "1"), fast);
    assert_eq!(left("0", "253402300799"), hold(600_000), "the year 9999");
    assert_eq!(
        left("0", "99999999999999999999"),
        hold(600_000),
        "milliseconds, in ages"
    );
    assert_eq!(
        left("0", &"9".repeat(400)),
        Advice::default(),
        "no time at all"
    );
    assert_eq!(of(&[("ratelimit", "\"a\";r=999999999999999;t=1")]), fast);
}

#[test]
fn what_can_not_be_read_is_ignored() {
    let garbage = "x".repeat(10_000);
    for value in [
        "", "-1", "+1", "NaN", "1e400", "inf", "soon", "1.2.3", ".", "5s5m", "5x", "m", "0x10",
        "１", &garbage,
    ] {
        let Ok(_) = http::HeaderValue::from_str(value) else {
            continue;
        };
        for fields in [
            [
                ("x-ratelimit-remaining", value),
                ("x-ratelimit-reset", value),
            ],
            [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", value)],
            [("ratelimit", value), ("ratelimit-policy", value)],
        ] {
            assert_eq!(of(&fields), Advice::default(), "{value}");
        }
    }
    assert_eq!(
        of(&[("x-ratelimit-remaining", "5x"), ("x-ratelimit-reset", "5")]),
        Advice::default()
    );
}

#[test]
fn of_the_burst_stays_what_can_gather() {
    let slowest = Rate::every(crate::rate::MAX_SPAN / 2).unwrap();
    let fastest = Rate::per_second(10).unwrap().burst(1_000).unwrap();
    let follow = Follow::new(slowest, fastest, Throttled::default()).unwrap();
    let answer = Response::builder()
        .header("x-ratelimit-remaining", "1")
        .header("x-ratelimit-reset", "999999999")
        .body(())
        .unwrap();
    let rate = follow.advice(&answer).rate.unwrap();
    assert_eq!(
        (rate.burst_size(), rate.interval()),
        (2, slowest.interval())
    );
}

#[test]
fn bounds_the_wrong_way_round_are_refused() {
    let (slow, fast) = (Rate::per_second(1).unwrap(), Rate::per_second(10).unwrap());
    let why = Follow::new(fast, slow, Throttled::default()).unwrap_err();
    assert_eq!(
        why.to_string(),
        "the slowest rate, one each 100ms, is faster than the fastest, one each 1s"
    );
}
