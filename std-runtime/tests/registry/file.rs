//! Limits from TOML.

use std::time::Duration;

use apiqueue::{Limits, Registry};

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
            "line 1: default: say one of per_second, every, and at_most with a period",
        ),
        (
            "[default]\nunlimited = true\nburst = 2",
            "line 1: default: unlimited = true goes with nothing else",
        ),
    ] {
        assert_eq!(refusal(text), told);
    }
}

const NESTED: &str = r#"
[default]
per_second = 20

["ec2/*"]
every = "1h"
burst = 50
within = "eu/describe"
share = 2
at_once = 8
limits = [{ per_second = 10 }, { at_most = 5000, period = "1h", burst = 100 }]

["iam/*"]
within = "eu"

# Inner ones may come first.
[account."eu/describe"]
within = "eu"
every = "1h"
burst = 3
share = 3

[account.eu]
every = "1h"
burst = 4
at_once = 50
"#;

#[test]
fn keys_share_what_accounts_limit_and_these_what_is_around_them() {
    let limits = Limits::from_toml(NESTED).unwrap();
    assert!(limits.account("eu").is_some() && limits.account("us").is_none());
    let registry = Registry::from(limits);
    let passes = |key: &str| {
        let queue = registry.queue(key).unwrap().unwrap();
        queue.try_acquire().is_ok()
    };
    assert!(passes("ec2/a"));
    assert!(!passes("ec2/a"), "10 a second, evenly");
    assert!(passes("ec2/b") && passes("ec2/c"));
    assert!(!passes("ec2/d"), "3 in describe");
    assert!(passes("iam/a"));
    assert!(!passes("iam/b"), "4 in the account");
    assert!(passes("s3/a"), "not within it");
}

#[test]
fn calls_under_way_are_limited_per_key_and_per_account() {
    let registry =
        Registry::from_toml("[account.a]\nat_once = 3\n[default]\nat_once = 2\nwithin = \"a\"\n")
            .unwrap();
    let queue = |key: &str| registry.queue(key).unwrap().unwrap();
    let turns = ["x", "x", "y"].map(|key| queue(key).enqueue().unwrap().wait().unwrap());
    assert_eq!(queue("x").under_way(), 2);
    let mut of_x = queue("x").enqueue().unwrap();
    let mut of_z = queue("z").enqueue().unwrap();
    let short = Duration::from_millis(1);
    assert!(of_x.wait_timeout(short).is_err());
    assert!(of_z.wait_timeout(short).is_err());
    drop(turns);
    let long = Duration::from_secs(300);
    assert!(of_x.wait_timeout(long).is_ok() && of_z.wait_timeout(long).is_ok());
}

#[test]
fn a_key_s_windows_and_lists_of_limits_are_read_everywhere() {
    let registry = Registry::from_toml(
        "[default]\nat_most = 100\nperiod = \"1h\"\nburst = 4\nstrict = true\n[x]\nlimits = [{ every = \"1h\", burst = 2 }]\n\
         [account.a]\nlimits = [{ at_most = 1, period = \"1h\" }, { per_second = 5 }]\n[y]\nwithin = \"a\"\n[[z.limits]]\nper_second = 7\n",
    )
    .unwrap();
    let queue = |key: &str| registry.queue(key).unwrap().unwrap();
    let default = queue("other").rate();
    assert_eq!((default.burst_size(), default.is_strict()), (4, true));
    assert!(default.interval() > Duration::from_secs(37));
    assert_eq!(queue("x").rate().burst_size(), 2);
    assert_eq!(queue("z").rate(), apiqueue::Rate::per_second(7).unwrap());
    assert!(queue("y").try_acquire().is_ok());
    assert!(queue("y").try_acquire().is_err());
}

/// A file from before there were accounts may have a key of that name.
#[test]
fn a_key_may_be_called_account_beside_accounts() {
    let registry = Registry::from_toml(
        "[default]\nunlimited = true\n[account]\nper_second = 5\n[account.eu]\nper_second = 9\n",
    )
    .unwrap();
    let queue = registry.queue("account").unwrap().unwrap();
    assert_eq!(queue.rate(), apiqueue::Rate::per_second(5).unwrap());
    assert!(registry.queue("account.eu").unwrap().is_none());
    let only = Registry::from_toml("[default]\nunlimited = true\n[account.eu]\nper_second = 9\n");
    assert!(only.unwrap().queue("account").unwrap().is_none());
}

#[test]
fn what_is_wrong_with_accounts_shares_and_lists_is_told_with_its_line() {
    let after_default = [
        (
            "[a]\nwithin = \"us\"\n[account.eu]\nat_once = 1\n[account.asia]\nat_once = 1",
            "line 4: a.within: there is no account \"us\": there are \"asia\", \"eu\"",
        ),
        (
            "[account.eu]\nwithin = \"us\"",
            "line 4: account.eu.within: there is no account \"us\": there are \"eu\"",
        ),
        (
            "[a]\nwithin = \"us\"",
            "line 4: a.within: there is no account \"us\": there are none",
        ),
        (
            "[account.eu]\nwithin = \"b\"\n[account.b]\nper_second = 1\nwithin = \"c\"\n[account.c]\nwithin = \"b\"",
            "line 9: account.c.within: no account is within itself: b → c → b",
        ),
        (
            "[account.eu]\nwithin = \"eu\"",
            "line 4: account.eu.within: no account is within itself: eu → eu",
        ),
        (
            "[a]\nper_second = 1\nshare = 2",
            "line 5: a.share: it means nothing without within",
        ),
        (
            "[account.eu]\nper_second = 1\nshare = 2",
            "line 5: account.eu.share: it means nothing without within",
        ),
        (
            "[a]\nwithin = \"eu\"\nshare = 0\n[account.eu]\nat_once = 1",
            "line 5: a.share: a share of 0 is not in 1..=4294967295",
        ),
        (
            "[a]\nat_once = 0",
            "line 4: a.at_once: 0 calls at once is not in 1..=4294967295",
        ),
        (
            "[account.eu]\nat_once = -1",
            "line 4: account.eu.at_once: -1 calls at once is not in 1..=4294967295",
        ),
        (
            "[account.eu]",
            "line 3: account.eu: say what limits it: per_second, every, at_most, limits or at_once; or within",
        ),
        (
            "[a]\ncapacity = 5",
            "line 3: a: say what limits it: per_second, every, at_most, limits, at_once or within; or unlimited = true",
        ),
        (
            "[account.eu]\ncapacity = 5",
            "line 4: account.eu.capacity: no such key: there are per_second, every, at_most, period, burst, strict, leave_percent, limits, at_once, within, share, priority, aging, catch_up",
        ),
        (
            "[a]\nlimits = [\n  { per_second = 1 },\n  { per_second = 0 },\n]",
            "line 6: a.limits[1].per_second: 0 releases a second is not in 1..=1000000000",
        ),
        (
            "[a]\nlimits = [{ burst = 1 }]",
            "line 4: a.limits[0].burst: it means nothing without per_second, every or at_most in the same table",
        ),
        (
            "[account.eu]\ncatch_up = \"5ms\"",
            "line 3: account.eu: say what limits it: per_second, every, at_most, limits or at_once; or within",
        ),
        (
            "[account.eu]\nat_once = 1\ncatch_up = \"3years\"",
            "line 5: account.eu.catch_up: catching up 94672800s is not in 0ns..=72057594.037927935s",
        ),
        (
            "[a]\nlimits = [{}]",
            "line 4: a.limits[0]: say one of per_second, every, and at_most with a period",
        ),
        (
            "[a]\nlimits = [5]",
            "line 4: a.limits: it is of type integer, not a list of tables, such as [{ per_second = 10 }]",
        ),
        (
            "[a]\nat_once = 2\nburst = 5",
            "line 5: a.burst: it means nothing without per_second, every or at_most in the same table",
        ),
        (
            "[a]\nat_most = 5",
            "line 4: a.at_most: say the period too, such as period = \"1h\"",
        ),
        (
            "[a]\nper_second = 1\nperiod = \"1h\"",
            "line 3: a: say one of per_second, every, and at_most with a period",
        ),
        (
            "[a]\nat_most = 0\nperiod = \"1h\"",
            "line 4: a.at_most: at most 0 is not in 1..=4294967295",
        ),
        (
            "[a]\nat_most = 5\nperiod = \"1h\"\nburst = 6",
            "line 6: a.burst: a burst of 6 is not in 1..=5 at this interval",
        ),
        (
            "[a]\nat_once = true",
            "line 4: a.at_once: it is of type boolean, not a whole number of 64 bits",
        ),
        (
            "[a]\nat_once = 99999999999999999999",
            "line 4: a.at_once: it is of type integer, not a whole number of 64 bits",
        ),
        (
            "[a]\nwithin = 5",
            "line 4: a.within: it is of type integer, not a text in quotes",
        ),
        (
            "[a]\nunlimited = 1",
            "line 4: a.unlimited: it is of type integer, not true or false",
        ),
    ];
    for (text, told) in after_default {
        let file = format!("[default]\nper_second = 1\n{text}");
        assert_eq!(refusal(&file), told, "{file}");
    }
    assert_eq!(
        refusal("a = 5"),
        "line 1: a: it is of type integer, not a table"
    );
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

#[test]
fn priorities_aging_and_headroom_are_said_and_checked() {
    let limits = Limits::from_toml(
        "[default]\nper_second = 20\nleave_percent = 10\nwithin = \"all\"\npriority = 2\n\
         [account.all]\nper_second = 100\nleave_percent = 50\naging = \"5s\"\n\
         [account.inner]\nwithin = \"all\"\npriority = 7\n",
    )
    .unwrap();
    assert_eq!(
        limits.account("all").unwrap().stats().rates[0].to_string(),
        "50/s"
    );
    let queue = Registry::from(limits).queue("x").unwrap().unwrap();
    assert_eq!(queue.rate().to_string(), "18/s");
    for (text, told) in [
        (
            "[default]\nper_second = 1\nleave_percent = 100",
            "line 3: default.leave_percent: 100 percent is not in 0..=99",
        ),
        (
            "[default]\nper_second = 1\nleave_percent = -1",
            "line 3: default.leave_percent: -1 percent is not in 0..=99",
        ),
        (
            "[default]\nat_once = 1\nleave_percent = 1",
            "line 3: default.leave_percent: it means nothing without per_second, every or at_most in the same table",
        ),
        (
            "[account.a]\nper_second = 1\n[default]\nwithin = \"a\"\npriority = 8",
            "line 5: default.priority: a priority of 8 is not in 0..=7",
        ),
        (
            "[account.a]\nper_second = 1\n[default]\nwithin = \"a\"\npriority = 300",
            "line 5: default.priority: a priority of 300 is not in 0..=7",
        ),
        (
            "[default]\nper_second = 1\npriority = 1",
            "line 3: default.priority: it means nothing without within",
        ),
        (
            "[account.a]\nper_second = 1\naging = 5\n[default]\nwithin = \"a\"",
            "line 3: account.a.aging: ",
        ),
    ] {
        let why = refusal(text);
        assert!(why.starts_with(told), "{why}");
    }
}
