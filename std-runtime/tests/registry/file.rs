//! Limits from TOML.

use apiqueue::Registry;

fn refusal(text: &str) -> String {
    Registry::from_toml(text).unwrap_err().to_string()
}

#[test]
fn everything_can_be_said() {
    let registry = Registry::from_toml(
        "[default]\nunlimited = true\n\n[\"ec2/*\"]\nevery = \"100ms\"\nburst = 50\nstrict = true\ncapacity = 100\ncatch_up = \"20ms\"\n",
    )
    .unwrap();
    assert!(registry.queue(&"sts/x".to_owned()).unwrap().is_none());
    let ec2 = registry.queue(&"ec2/x".to_owned()).unwrap().unwrap();
    assert_eq!(ec2.name(), "ec2/x");
    assert_eq!(
        (
            ec2.rate().burst_size(),
            ec2.rate().is_strict(),
            ec2.capacity()
        ),
        (50, true, 128)
    );
    assert_eq!(ec2.rate().interval().as_millis(), 100);
}

#[test]
fn a_time_to_catch_up_that_is_none_is_named() {
    let why = refusal("[default]\nper_second = 1\ncatch_up = \"5 parsecs\"\n");
    assert!(
        why.starts_with("line 3: default.catch_up: \"5 parsecs\" is no time such as \"100ms\""),
        "{why}"
    );
    let why = refusal("[default]\nper_second = 1\ncatch_up = \"3years\"\n");
    assert!(
        why.ends_with("is not in 0ns..=72057594.037927935s"),
        "{why}"
    );
}

#[test]
fn what_is_wrong_is_told_with_line_key_and_range() {
    for (text, told) in [
        (
            "",
            "line 1: default: missing: say per_second, every or unlimited = true there",
        ),
        (
            "[default]\nper_second = -3",
            "line 2: default.per_second: -3 releases a second is not in 1..=1000000000",
        ),
        (
            "[default]\nevery = \"0ms\"",
            "line 2: default.every: an interval of 0ns is not in 1ns..=72057594.037927935s",
        ),
        (
            "[default]\nper_second = 1\n[\"a/*\"]\nper_second = 5\nburst = 0",
            "line 5: a/*.burst: a burst of 0 is not in 1..=360287970 at this interval",
        ),
        (
            "[default]\nper_second = 1\ncapacity = 99999999",
            "line 3: default.capacity: a capacity of 99999999 is not in 1..=16777216",
        ),
        (
            "[default]\nper_second = 1\nevery = \"1s\"",
            "line 1: default: say one of per_second, every and unlimited = true",
        ),
        (
            "[default]\nunlimited = true\nburst = 2",
            "line 1: default: unlimited = true goes with nothing else",
        ),
    ] {
        assert_eq!(refusal(text), told);
    }
}

#[test]
fn what_toml_itself_finds_wrong_has_its_line_too() {
    let unknown = refusal("[default]\nper_second = 1\nbusrt = 2");
    assert!(
        unknown.starts_with("line 3: ") && unknown.contains("busrt"),
        "{unknown}"
    );
    assert!(refusal("[default]\nper_second = \"x\"").starts_with("line 2: "));
    assert!(refusal("[default\n").starts_with("line 1: "));
    assert!(
        refusal("[default]\nevery = \"soon\"")
            .starts_with("line 2: default.every: \"soon\" is no time")
    );
}
