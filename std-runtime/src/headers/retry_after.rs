//! How long a server asks to stay away.

use std::time::Duration;

use super::{Headers, time};

/// In milliseconds, the first that can be read:
/// * `retry-after-ms`, of OpenAI and Azure (openai-python, `_base_client.py`; azure-sdk-for-js, `throttlingRetryStrategy`);
/// * `x-ms-retry-after-ms`, of Azure (the same);
/// * `x-amz-retry-after`, of AWS (aws-sdk-rust, `aws-runtime`, `retries/classifiers.rs`).
const MILLIS: [&str; 3] = ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"];

/// As those say, being more precise, or else `Retry-After`: seconds from when the answer has come, or a date (RFC 9110, section
/// 10.2.3). Some send seconds with a fraction, which openai-python and anthropic-sdk-python heed as well. A date that is over says
/// nothing.
pub(super) fn retry_after(headers: &Headers<'_>) -> Option<Duration> {
    let millis = MILLIS
        .iter()
        .find_map(|name| time::millis(headers.text(name)?));
    millis.or_else(|| {
        let value = headers.text("retry-after")?;
        time::seconds(value).or_else(|| headers.until(httpdate::parse_http_date(value).ok()?))
    })
}
