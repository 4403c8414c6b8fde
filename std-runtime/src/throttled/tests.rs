#![allow(clippy::unwrap_used)]
use super::*;

const NOON: &str = "Mon, 23 Nov 2026 12:00:00 GMT";

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, value.parse().unwrap());
    }
    headers
}

/// Of an answer that comes when it is noon here.
fn hold(status: u16, fields: &[(&str, &str)]) -> Option<Duration> {
    let throttled = Throttled::default()
        .cap(Duration::from_secs(7200))
        .without_hint(Duration::from_millis(300));
    let headers = map(fields);
    let noon = httpdate::parse_http_date(NOON).unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    throttled.at(status, &Headers::new(&headers, noon))
}

fn seconds(n: u64) -> Option<Duration> {
    Some(Duration::from_secs(n))
}

const NO_HINT: Option<Duration> = Some(Duration::from_millis(300));

#[test]
fn only_429_503_and_a_403_that_says_so_hold_and_never_longer_than_the_cap() {
    assert_eq!(hold(429, &[("retry-after", "2")]), seconds(2));
    assert_eq!(
        hold(503, &[("retry-after", "99999999999999999999999")]),
        seconds(7200)
    );
    assert_eq!(hold(503, &[]), NO_HINT);
    assert_eq!(hold(429, &[("retry-after", "soon")]), NO_HINT);
    assert_eq!(hold(200, &[("retry-after", "2")]), None);
    assert_eq!(hold(500, &[("retry-after", "2")]), None);
}

#[test]
fn github_s_limits_are_told_from_a_plain_forbidden() {
    let left = ("x-ratelimit-remaining", "4999");
    let empty = ("x-ratelimit-remaining", "0");
    let date = ("date", NOON);
    let reset = ("x-ratelimit-reset", "1795438800"); // 13:00
    assert_eq!(hold(403, &[]), None);
    assert_eq!(hold(403, &[date, left, reset]), None, "forbidden");
    for status in [403, 429] {
        assert_eq!(hold(status, &[date, empty, reset]), seconds(3600));
        assert_eq!(
            hold(status, &[date, left, reset, ("retry-after", "30")]),
            seconds(30)
        );
        assert_eq!(
            hold(
                status,
                &[date, left, reset, ("gh-limited-by", "search-elapsed-time")]
            ),
            seconds(60)
        );
    }
    assert_eq!(hold(403, &[empty]), NO_HINT);
}

/// Such as came of the search for issues: no `Retry-After`, no `Gh-Limited-By`, and calls left.
#[test]
fn github_s_secondary_limit_without_a_header_is_told_by_its_body() {
    let github = ("x-github-request-id", "0F5A:2B:1C");
    let left = [
        ("x-ratelimit-limit", "30"),
        ("x-ratelimit-remaining", "21"),
        ("x-ratelimit-reset", "1795435260"),
        ("x-ratelimit-resource", "search"),
    ];
    let of = |status: u16, fields: &[(&str, &str)], body: &str| {
        let mut headers = map(fields);
        headers.append("date", NOON.parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        let noon = httpdate::parse_http_date(NOON).unwrap();
        let asks = Throttled::is_told_by_body(status, &headers);
        let headers = Headers::new(&headers, noon).with_body(body.as_bytes());
        (asks, Throttled::default().at(status, &headers))
    };
    let secondary = "{\"message\":\"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.\"}";
    let abuse = "You have triggered an abuse detection mechanism.";
    let forbidden = "{\"message\":\"Resource not accessible by integration\"}";
    let fields = [&[github][..], &left].concat();
    for (body, hold) in [
        (secondary, seconds(60)),
        (&secondary.to_uppercase(), seconds(60)),
        (abuse, seconds(60)),
        (forbidden, None),
        ("", None),
        (&format!("{:20000}{secondary}", ""), None),
    ] {
        assert_eq!(of(403, &fields, body), (true, hold), "{body}");
    }
    // Of others the body says nothing, and what headers say comes first.
    assert_eq!(of(403, &left, secondary), (false, None));
    assert_eq!(of(404, &fields, secondary), (false, None));
    let told = [&fields[..], &[("retry-after", "30")]].concat();
    assert_eq!(of(403, &told, secondary), (false, seconds(30)));
    let empty = [
        github,
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795435240"),
    ];
    assert_eq!(of(403, &empty, secondary), (false, seconds(40)));
    // A 429 needs no body: with calls left there is no other limit.
    assert_eq!(of(429, &fields, ""), (false, seconds(60)));
    assert_eq!(of(429, &left, ""), (false, seconds(1)));
}

#[test]
fn a_date_that_is_over_is_no_hint() {
    let past = ("retry-after", "Mon, 23 Nov 2026 11:00:00 GMT");
    assert_eq!(hold(429, &[past]), NO_HINT);
    let reset = [
        past,
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "40"),
    ];
    assert_eq!(hold(429, &reset), seconds(40));
    assert_eq!(
        hold(429, &[("retry-after", "0")]),
        seconds(0),
        "said outright"
    );
}

#[test]
fn a_date_counts_from_the_answer_s_own_date_whatever_the_clock_here_says() {
    let until = ("retry-after", "Mon, 23 Nov 2026 12:00:30 GMT");
    assert_eq!(hold(429, &[until]), seconds(30));
    for (date, left) in [("11:59:50", 40), ("12:00:20", 10), ("09:00:30", 7200)] {
        let date = format!("Mon, 23 Nov 2026 {date} GMT");
        assert_eq!(
            hold(429, &[until, ("date", &date)]),
            seconds(left),
            "{date}"
        );
    }
    // A server whose clock is ahead of ours by hours, and one behind.
    let ahead = [
        ("date", "Mon, 23 Nov 2026 17:00:00 GMT"),
        ("retry-after", "Mon, 23 Nov 2026 17:00:05 GMT"),
    ];
    let behind = [
        ("date", "Mon, 23 Nov 2026 07:00:00 GMT"),
        ("retry-after", "Mon, 23 Nov 2026 07:00:05 GMT"),
    ];
    assert_eq!(
        (hold(429, &ahead), hold(429, &behind)),
        (seconds(5), seconds(5))
    );
    assert_eq!(
        hold(429, &[until, ("date", "yesterday")]),
        seconds(30),
        "no date"
    );
    // From a cache that has had it for 20 s.
    let cached = [("date", NOON), ("age", "20"), until];
    assert_eq!(hold(503, &cached), seconds(10));
    for age in ["-1", "x", "", "1.5"] {
        assert_eq!(
            hold(503, &[("date", NOON), ("age", age), until]),
            seconds(30)
        );
    }
    let old = [("date", NOON), ("age", "99999999999999999999999"), until];
    assert_eq!(hold(503, &old), NO_HINT, "for ages");
}

#[test]
fn milliseconds_are_read_before_seconds() {
    for name in ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"] {
        assert_eq!(
            hold(429, &[(name, "1500"), ("retry-after", "2")]),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(
            hold(429, &[(name, "soon"), ("retry-after", "2")]),
            seconds(2)
        );
        assert_eq!(hold(429, &[(name, "0")]), seconds(0));
        assert_eq!(hold(429, &[(name, &"9".repeat(400))]), seconds(7200));
    }
}

#[test]
fn what_is_no_time_is_no_hint() {
    for value in [
        "", "-3", "1.5s", "soon", "+7", "NaN", "inf", "1e3", ".", "1.2.3",
    ] {
        assert_eq!(hold(429, &[("retry-after", value)]), NO_HINT, "{value}");
    }
    assert_eq!(hold(429, &[("retry-after", " 7 ")]), seconds(7));
    let fraction = hold(429, &[("retry-after", "1.5")]);
    assert_eq!(fraction, Some(Duration::from_millis(1500)));
    let twice = [("retry-after", "7"), ("retry-after", "9")];
    assert_eq!(hold(429, &twice), seconds(7), "the first counts");
}
