//! The families of fields that tell what remains, and when that is reset.

use super::time::{self, When};
use super::{Allowance, Headers};

/// One that counts something.
struct Family {
    remaining: &'static str,
    /// The first that can be read counts.
    reset: &'static [&'static str],
    of_calls: bool,
    /// How many there are when all are there, where they gather all the time and the reset is when they are: a bucket, not a window.
    limit: Option<&'static str>,
}

const fn calls(remaining: &'static str, reset: &'static [&'static str]) -> Family {
    Family {
        remaining,
        reset,
        of_calls: true,
        limit: None,
    }
}

/// Tokens of a language model, or points of a query.
const fn others(remaining: &'static str, reset: &'static [&'static str]) -> Family {
    Family {
        of_calls: false,
        ..calls(remaining, reset)
    }
}

impl Family {
    const fn gathering(self, limit: &'static str) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }
}

/// As their vendors document them.
const FAMILIES: [Family; 12] = [
    // draft-ietf-httpapi-ratelimit-headers up to 07: seconds from now. GitLab (docs.gitlab.com, "User and IP rate limits"): seconds of
    // the Unix epoch.
    calls("ratelimit-remaining", &["ratelimit-reset"]),
    // GitHub (docs.github.com, "Rate limits for the REST API"): seconds of the epoch. Reddit (reddit-archive/reddit, wiki "API"): about so
    // many seconds, and a remainder with a fraction. Discord (docs.discord.com, "Rate Limits"): seconds of the epoch, and
    // the seconds from now for which no two clocks must agree; fractions in both.
    calls(
        "x-ratelimit-remaining",
        &["x-ratelimit-reset-after", "x-ratelimit-reset"],
    ),
    // X (docs.x.com, "Rate limits"): seconds of the epoch.
    calls("x-rate-limit-remaining", &["x-rate-limit-reset"]),
    // OpenAI (platform.openai.com, "Rate limits"): when the limit is back at its initial state, as sums such as 6m0s.
    calls(
        "x-ratelimit-remaining-requests",
        &["x-ratelimit-reset-requests"],
    )
    .gathering("x-ratelimit-limit-requests"),
    others(
        "x-ratelimit-remaining-tokens",
        &["x-ratelimit-reset-tokens"],
    )
    .gathering("x-ratelimit-limit-tokens"),
    // Linear (linear.app/developers/rate-limiting): milliseconds of the epoch.
    calls(
        "x-ratelimit-requests-remaining",
        &["x-ratelimit-requests-reset"],
    ),
    calls(
        "x-ratelimit-endpoint-requests-remaining",
        &["x-ratelimit-endpoint-requests-reset"],
    ),
    others(
        "x-ratelimit-complexity-remaining",
        &["x-ratelimit-complexity-reset"],
    ),
    // Anthropic (docs.anthropic.com, "Rate limits"): when all is there again, in RFC 3339. Tokens are rounded to thousands.
    calls(
        "anthropic-ratelimit-requests-remaining",
        &["anthropic-ratelimit-requests-reset"],
    )
    .gathering("anthropic-ratelimit-requests-limit"),
    others(
        "anthropic-ratelimit-tokens-remaining",
        &["anthropic-ratelimit-tokens-reset"],
    )
    .gathering("anthropic-ratelimit-tokens-limit"),
    others(
        "anthropic-ratelimit-input-tokens-remaining",
        &["anthropic-ratelimit-input-tokens-reset"],
    )
    .gathering("anthropic-ratelimit-input-tokens-limit"),
    others(
        "anthropic-ratelimit-output-tokens-remaining",
        &["anthropic-ratelimit-output-tokens-reset"],
    )
    .gathering("anthropic-ratelimit-output-tokens-limit"),
    // Not read: anthropic-priority-input-tokens-remaining and its like. Where nothing is left of that tier, the standard one serves.
];

pub(super) fn allowances(headers: &Headers<'_>) -> impl Iterator<Item = Allowance> {
    let allowance = |family: &Family| {
        let resets = family.reset.iter();
        let when = resets
            .filter_map(|name| headers.text(name))
            .find_map(time::when);
        let reset = when.and_then(|when| match when {
            When::From(span) => (!span.is_zero()).then_some(span),
            When::At(time) => headers.until(time),
        });
        let remaining = whole(headers.text(family.remaining)?)?;
        let limit = family.limit.and_then(|name| whole(headers.text(name)?));
        Some(Allowance {
            remaining: Some(remaining),
            reset,
            policy: None,
            of_calls: family.of_calls,
            gathers: limit.map_or(0, |limit| limit.saturating_sub(remaining)),
        })
    };
    FAMILIES.iter().filter_map(allowance)
}

/// The number that a value begins with, as of `100, 100;w=60`, without its fraction.
fn whole(value: &str) -> Option<u64> {
    let end = value.find([',', ';', ' ']).unwrap_or(value.len());
    let number = value.get(..end)?;
    time::decimal(number)?;
    let (whole, _) = number.split_once('.').unwrap_or((number, ""));
    whole.parse().ok()
}
