//! Bad usage: told with the value and what it may be, exit code 2, and nothing listens.

use std::process::Command;

#[test]
fn bad_usage_names_the_value_and_what_it_may_be() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("limits.toml");
    std::fs::write(&file, "[default]\nper_second = 0\n").unwrap();
    let bad = file.to_str().unwrap();
    for (args, told) in [
        (
            &["--aws", "--listen", "0.0.0.0:0"][..],
            "127.0.0.0/8 or ::1",
        ),
        (&["--aws", "--listen", "[::]:0"], "127.0.0.0/8 or ::1"),
        (&["--aws", "--listen", "nowhere"], "'nowhere'"),
        (&["--aws", "--max-wait", "0s"], "1ms..=1h"),
        (&["--aws", "--max-wait", "2h"], "1ms..=1h"),
        (&["--aws", "--max-wait", "soon"], "'soon'"),
        (&["--aws", "--connections", "0"], "1..=65536"),
        (&["--aws", "--tls", "a b"], "'a b'"),
        (&["--aws", "--share", "a/b"], "\"a/b\""),
        (
            &["--limits", bad],
            "0 releases a second is not in 1..=1000000000",
        ),
        (
            &["--limits", "/nowhere/limits.toml"],
            "/nowhere/limits.toml",
        ),
        (&[], "--limits"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apiqueue"));
        let output = command.arg("proxy").args(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(told), "{args:?}: {error}");
        assert!(!error.contains("listening"), "{args:?}: {error}");
    }
}
