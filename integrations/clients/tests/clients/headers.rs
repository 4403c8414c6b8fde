//! What `Follow` reads against what the crate `rate-limits` reads of the same headers.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apiqueue::{Follow, Rate, Throttled};
use rate_limits::{Headers, ResetTime};

/// How long until then, by `rate-limits`.
fn oracle(fields: &[(&str, String)]) -> (u64, Duration) {
    let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
    let read = Headers::extract(fields).unwrap();
    let reset = match read.reset() {
        ResetTime::Seconds(seconds) => Duration::from_secs(seconds as u64),
        time @ ResetTime::DateTime(_) => time.duration(),
    };
    (read.remaining() as u64, reset)
}

/// One each so many seconds, by `Follow`.
fn interval(fields: &[(&str, String)]) -> Duration {
    let rate = |interval| Rate::every(interval).unwrap();
    let (slowest, fastest) = (
        rate(Duration::from_secs(86_400)),
        rate(Duration::from_millis(1)),
    );
    let follow = Follow::new(slowest, fastest, Throttled::default()).unwrap();
    let answer = fields
        .iter()
        .fold(http::Response::builder(), |answer, (name, value)| {
            answer.header(*name, value)
        });
    follow
        .advice(&answer.body(()).unwrap())
        .rate
        .unwrap()
        .interval()
}

#[test]
fn both_read_the_same_of_every_vendor_that_both_know() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let then = now + Duration::from_secs(600);
    let (seconds, millis) = (then.as_secs().to_string(), then.as_millis().to_string());
    let date = httpdate::fmt_http_date(UNIX_EPOCH + then);
    let limit = |name| (name, "100".to_owned());
    let ten = |name| (name, "10".to_owned());
    let reset = |name, value: &str| (name, value.to_owned());
    for (vendor, fields) in [
        (
            "Github",
            vec![
                limit("x-ratelimit-limit"),
                ten("x-ratelimit-remaining"),
                limit("x-ratelimit-used"),
                reset("x-ratelimit-resource", "core"),
                reset("x-ratelimit-reset", &seconds),
            ],
        ),
        (
            "Gitlab",
            vec![
                limit("RateLimit-Limit"),
                limit("RateLimit-Observed"),
                ten("RateLimit-Remaining"),
                reset("RateLimit-Reset", &seconds),
                reset("RateLimit-ResetTime", &date),
                reset("RateLimit-Name", "throttle_authenticated_api"),
            ],
        ),
        (
            "the IETF's older drafts",
            vec![
                limit("RateLimit-Limit"),
                ten("RateLimit-Remaining"),
                reset("RateLimit-Reset", "600"),
            ],
        ),
        (
            "Reddit",
            vec![
                limit("X-Ratelimit-Used"),
                ten("X-Ratelimit-Remaining"),
                reset("X-Ratelimit-Reset", "600"),
            ],
        ),
        (
            "Discord",
            vec![
                limit("X-RateLimit-Limit"),
                ten("X-RateLimit-Remaining"),
                reset("X-RateLimit-Reset", &seconds),
                reset("X-RateLimit-Reset-After", "600"),
                reset("X-RateLimit-Bucket", "abcd1234"),
            ],
        ),
        (
            "Linear",
            vec![
                limit("X-RateLimit-Requests-Limit"),
                ten("X-RateLimit-Requests-Remaining"),
                reset("X-RateLimit-Requests-Reset", &millis),
            ],
        ),
        (
            "OpenAI",
            vec![
                // All are there: what is missing would gather until the reset, which the oracle does not know.
                ten("x-ratelimit-limit-requests"),
                ten("x-ratelimit-remaining-requests"),
                reset("x-ratelimit-reset-requests", "10m0s"),
            ],
        ),
        (
            "Twitter",
            vec![
                limit("x-rate-limit-limit"),
                ten("x-rate-limit-remaining"),
                reset("x-rate-limit-reset", &seconds),
            ],
        ),
        (
            "Vimeo",
            vec![
                limit("X-RateLimit-Limit"),
                ten("X-RateLimit-Remaining"),
                reset("X-RateLimit-Reset", &date),
            ],
        ),
    ] {
        let (remaining, reset) = oracle(&fields);
        assert_eq!(remaining, 10, "{vendor}");
        // What remains spread over the time, but for whole seconds and the time that passes here.
        let ours = interval(&fields) * 10;
        assert!(ours <= Duration::from_secs(600), "{vendor}: {ours:?}");
        let apart = ours.abs_diff(reset);
        assert!(
            apart < Duration::from_secs(60),
            "{vendor}: {ours:?} and {reset:?}"
        );
    }
}
