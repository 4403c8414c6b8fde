//! Whatever a server might send: advice is within the bounds, and nothing panics.

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 39] = [
    "age",
    "date",
    "gh-limited-by",
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "x-amz-retry-after",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-requests-remaining",
    "x-ratelimit-requests-reset",
    "x-ratelimit-endpoint-requests-remaining",
    "x-ratelimit-endpoint-requests-reset",
    "x-ratelimit-complexity-remaining",
    "x-ratelimit-complexity-reset",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
    "x-github-request-id",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-input-tokens-limit",
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(vec![
        "",
        "0",
        "-1",
        "NaN",
        "inf",
        "1e30",
        "1000000000000000000000000000000",
        "18446744073709551615",
        "9999999999999",
        "0.5",
        "100, 100;w=60",
        "Mon, 23 Nov 2026 12:00:30 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "2026-11-23T12:00:30Z",
        "9999-12-31T23:59:59.999999999Z",
        "2026-11-23T12:00:30-99:99",
        "1970-01-01T00:00:00+23:59",
        "6m0s",
        "999999999999h",
        "\"a\";r=1;t=1",
        "\"a\";r=999999999999999;t=999999999999999",
        "\"a\";q=1;w=999999999999999",
        "\"a\";q=0;w=0",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        2 => any::<u64>().prop_map(|n| n.to_string().into_bytes()),
        2 => (0u32..100).prop_map(|n| n.to_string().into_bytes()),
        1 => (0u64..4_000_000_000).prop_map(|n| n.to_string().into_bytes()),
        1 => "[0-9.TZ:+-]{0,30}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn advice_is_within_the_bounds_whatever_is_sent(
        status in proptest::sample::select(vec![200, 304, 400, 403, 404, 429, 500, 503]),
        fields in proptest::collection::vec((proptest::sample::select(NAMES.to_vec()), value()), 0..12),
        clock in prop_oneof![Just(now()), Just(SystemTime::UNIX_EPOCH)],
        burst in prop_oneof![Just(1), 1u32..100, Just(10_000_000)],
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                headers.append(name, value);
            }
        }
        let cap = Duration::from_secs(60);
        let slowest = Rate::every(Duration::from_secs(100)).unwrap();
        let fastest = Rate::every(Duration::from_millis(10)).unwrap().burst(burst).unwrap();
        let throttled = Throttled::default().cap(cap);
        let follow = Follow::new(slowest, fastest, throttled).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let headers = Headers::new(&headers, clock);
        let advice = follow.at(status, &headers);
        prop_assert!(advice.hold.is_none_or(|hold| hold <= cap));
        if [429, 503].contains(&status.as_u16()) {
            prop_assert!(advice.hold.is_some() && throttled.at(status, &headers).is_some(), "a throttle holds");
        }
        if let Some(rate) = advice.rate {
            prop_assert!(rate.interval() >= fastest.interval() && rate.interval() <= slowest.interval());
            let gathers = crate::rate::MAX_SPAN.as_nanos() / rate.interval().as_nanos();
            prop_assert_eq!(rate.burst_size() as u128, gathers.min(fastest.burst_size() as u128));
        }
    }
}
