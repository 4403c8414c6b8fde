//! Which error codes mean that the caller is throttled.

/// Those that the AWS SDK for Rust takes for throttling.
const THROTTLING_ERRORS: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

/// Whether an error's code is one of these.
pub(super) fn throttles(code: &str) -> bool {
    THROTTLING_ERRORS.contains(&code)
}

/// The error code of an answer: of its header, its JSON or its XML.
pub(super) fn code<'a>(error_type: Option<&'a str>, body: &'a str) -> Option<&'a str> {
    let code = error_type
        .or_else(|| between(body, "<Code>", '<'))
        .or_else(|| json(body, "\"__type\""))
        .or_else(|| json(body, "\"code\""))?;
    // `com.amazonaws.x#ThrottlingException:http://…`
    let code = code.rsplit('#').next().unwrap_or(code);
    Some(code.split(':').next().unwrap_or(code).trim())
}

fn between<'a>(body: &'a str, before: &str, after: char) -> Option<&'a str> {
    let (_, rest) = body.split_once(before)?;
    rest.split_once(after).map(|(code, _)| code)
}

/// The text value of a key; enough for the flat errors of the JSON protocols.
fn json<'a>(body: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(key)?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    value
        .strip_prefix('"')?
        .split_once('"')
        .map(|(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_in_each_protocols_place() {
        let xml = "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>";
        assert_eq!(code(None, xml), Some("RequestLimitExceeded"));
        let json = r#"{ "__type" : "com.amazon.coral#ThrottlingException", "message":"x" }"#;
        assert_eq!(code(None, json), Some("ThrottlingException"));
        assert_eq!(code(None, r#"{"code":"SlowDown"}"#), Some("SlowDown"));
        let header = Some("TooManyRequestsException:http://internal.example.com/");
        assert_eq!(code(header, ""), Some("TooManyRequestsException"));
        assert_eq!(code(None, "{\"__type\": 3}"), None);
        assert_eq!(code(None, ""), None);
    }

    #[test]
    fn only_throttling_codes_throttle() {
        assert!(throttles("RequestLimitExceeded") && throttles("SlowDown"));
        assert!(!throttles("InvalidParameterValue") && !throttles(""));
    }
}
