//! What the example says where the usual AWS configuration lacks something.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use apiqueue_scan::{Buckets, Endpoint, limits};

/// Beside the tests' own folder.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent().and_then(Path::parent).unwrap();
    profile.join("examples").join("snapshots")
}

/// Whether it worked, and what it printed, with nothing but these variables.
fn real(variables: &[(&str, &str)]) -> (bool, String) {
    let run = Command::new(example())
        .args(["--real", "--listings", "2", "--page", "1000"])
        .env_clear()
        .envs([
            ("HOME", "/nonexistent"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let printed = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8(printed).unwrap())
}

const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "x"),
];

#[test]
fn a_missing_region_is_told_with_what_to_set() {
    let (worked, printed) = real(&KEYS);
    assert!(
        !worked && printed.contains("no region: set AWS_REGION"),
        "{printed}"
    );
}

#[test]
fn missing_credentials_are_told_with_their_cause_and_what_to_set() {
    let (worked, printed) = real(&[("AWS_REGION", "eu-west-1")]);
    let what = "no credentials: set AWS_ACCESS_KEY_ID";
    assert!(!worked && printed.contains(what), "{printed}");
    let (_, cause) = printed.split_once("profile that has some: ").unwrap();
    assert!(cause.contains("provider"), "{printed}");
}

#[test]
fn a_server_that_is_not_there_is_told_down_to_the_last_cause() {
    let none = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", none.local_addr().unwrap());
    drop(none);
    let more = [("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", &*url)];
    let (worked, printed) = real(&[&KEYS[..], &more].concat());
    assert!(
        !worked && printed.contains("dispatch failure: "),
        "{printed}"
    );
    assert!(
        printed.to_lowercase().contains("connection refused"),
        "{printed}"
    );
}

#[test]
fn with_all_of_it_the_account_is_listed_at_the_published_rate() {
    let endpoint = Endpoint::start(Buckets::new(limits::SCANNED, 1.0)).unwrap();
    let url = endpoint.url();
    let more = [("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", &*url)];
    let (worked, printed) = real(&[&KEYS[..], &more].concat());
    assert!(
        worked && printed.starts_with("18/s (burst 90)\n"),
        "{printed}"
    );
    assert!(printed.contains("4000"), "two listings of 2,000: {printed}");
    assert_eq!(endpoint.stop(), 0);
}
