//! What answers say about the pace, over whatever a server might send: advice is always within the bounds.
#![no_main]

use std::time::Duration;

use apiqueue::{Follow, Rate, Throttled};
use arbitrary::Arbitrary;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 35] = [
    "age",
    "date",
    "gh-limited-by",
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "x-amz-retry-after",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-limit",
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
    "x-ratelimit-complexity-remaining",
    "x-ratelimit-complexity-reset",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "x-github-request-id",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-tokens-limit",
];

/// What is read before `Retry-After`.
const BEFORE: [&str; 3] = ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"];

#[derive(Arbitrary, Debug)]
struct Answer {
    throttles: bool,
    is_forbidden: bool,
    fields: Vec<(u8, Vec<u8>)>,
    body: Vec<u8>,
}

const CAP: Duration = Duration::from_secs(60);

fuzz_target!(|answer: Answer| {
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.fields {
        let name = HeaderName::from_static(NAMES[usize::from(*name) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let slowest = Rate::every(Duration::from_secs(10)).unwrap();
    let fastest = Rate::every(Duration::from_millis(10)).unwrap();
    let throttled = Throttled::default().cap(CAP);
    let follow = Follow::new(slowest, fastest, throttled).unwrap();
    let status = if answer.throttles {
        StatusCode::TOO_MANY_REQUESTS
    } else if answer.is_forbidden {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::OK
    };
    let hold = throttled.hold_with_body(status, &headers, &answer.body);
    assert!(hold.is_none_or(|hold| hold <= CAP));
    let advice = follow.advice_of(status, &headers);
    assert!(advice.hold.is_none_or(|hold| hold <= CAP));
    assert!(
        advice.hold.is_some() || !answer.throttles,
        "a throttle holds"
    );
    if let Some(rate) = advice.rate {
        assert!(rate.interval() >= fastest.interval() && rate.interval() <= slowest.interval());
        assert_eq!(rate.burst_size(), fastest.burst_size());
    }
    if answer.throttles
        && BEFORE.iter().all(|name| !headers.contains_key(*name))
        && let Some(Ok(hint)) = headers.get("retry-after").map(HeaderValue::to_str)
        && let Ok(seconds) = hint.trim().parse::<u32>()
        && !hint.trim().starts_with('+')
    {
        let hint = Duration::from_secs(seconds.into()).min(CAP);
        assert_eq!(advice.hold, Some(hint), "Retry-After wins");
    }
});
