//! Bad usage names the value and what it may be, ends with exit code 2, and starts nothing.

use crate::rig::Rig;

#[test]
fn a_bad_value_is_named_and_nothing_is_started() {
    let rig = Rig::new();
    let mark = rig.path("mark");
    let mark = mark.to_str().unwrap();
    let long = "n".repeat(201);
    let cases: &[(&[&str], &str)] = &[
        (&["--rate", "0/s"], "'0/s'"),
        (&["--rate", "-1/s"], "-1"),
        (&["--rate=-1/s"], "'-1/s'"),
        (&["--rate", "NaN/s"], "'NaN/s'"),
        (&["--rate", "inf/s"], "'inf/s'"),
        (&["--rate", "1e9/s"], "'1e9/s'"),
        (&["--rate", "99999999999999999999999999/s"], "1000000/s"),
        (&["--rate", "10"], "10/s"),
        (&["--rate", ""], "10/s"),
        (&["--every", "0ms"], "365 days"),
        (&["--every", "100"], "100ms"),
        (&["--every", "400d"], "365 days"),
        (&["--rate", "1/s", "--every", "1s"], "--every"),
        (&["--rate", "1/s", "--burst", "0"], "1..=65536"),
        (&["--rate", "1/s", "--burst", "65537"], "1..=65536"),
        (&["--rate", "1/s", "--share", ""], "1 to 200 bytes"),
        (&["--rate", "1/s", "--share", "a/b"], "\"a/b\""),
        (&["--rate", "1/s", "--share", "..\\b"], "1 to 200 bytes"),
        (&["--rate", "1/s", "--share", "a\nb"], "\"a\\nb\""),
        (&["--rate", "1/s", "--share", &long], "1 to 200 bytes"),
        (
            &["--rate", "1/s", "--redis", "redis://127.0.0.1/"],
            "--share",
        ),
        (
            &["--rate", "1/s", "--share", "a", "--redis", "ftp://x"],
            "--redis",
        ),
        (&[], "--rate"),
        (&["--rate", "1/s", "--no-such-option"], "--no-such-option"),
    ];
    for subcommand in ["run", "exec"] {
        for (options, named) in cases {
            let mut words = vec![subcommand];
            words.extend(*options);
            words.extend(["--", "touch", mark]);
            let done = rig.run(&words);
            assert_eq!(done.code, Some(2), "{words:?}: {done:?}");
            assert!(done.err.contains(named), "{words:?}: {}", done.err);
            assert!(!rig.path("mark").exists(), "{words:?}");
        }
    }
    assert!(!rig.path("limits").join("a.limit").exists());
}

#[test]
fn a_bad_value_of_run_alone_is_named() {
    let rig = Rig::new();
    let cases: &[(&[&str], &str)] = &[
        (&["-j", "0"], "1..=4096"),
        (&["-j", "4097"], "1..=4096"),
        (&["--halt", "now,fail=0"], "\"now,fail=0\""),
        (&["--halt", "often"], "soon,fail=1"),
        (&["--retry-after-exit", "0"], "1..=255"),
        (&["--retry-after-exit", "256"], "1..=255"),
        (&["--retry-after-exit", "75", "--hold", "5"], "100ms"),
        (&["--hold", "5s"], "--retry-after-exit"),
        (&["-k", "-u"], "--ungroup"),
    ];
    for (options, named) in cases {
        let words = ["run", "--rate", "10/s"].iter().chain(*options);
        let words: Vec<_> = words
            .chain(&["--", "touch", "{}", ":::", "x"])
            .copied()
            .collect();
        let done = rig.run(&words);
        assert_eq!(done.code, Some(2), "{words:?}: {done:?}");
        assert!(done.err.contains(named), "{words:?}: {}", done.err);
    }
    for words in [
        &["--", ":::", "x"][..],
        &["--", "echo", ":::", "x", ":::", "y"],
        &["--"],
        &[],
    ] {
        let words: Vec<_> = ["run", "--rate", "10/s"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        assert_eq!(rig.run(&words).code, Some(2), "{words:?}");
    }
}

#[test]
fn exec_without_a_name_is_bad_usage() {
    let rig = Rig::new();
    let done = rig.run(&["exec", "--rate", "10/s", "--", "echo", "started"]);
    assert_eq!((done.code, done.text()), (Some(2), ""));
    assert!(done.err.contains("--share"), "{}", done.err);
}
