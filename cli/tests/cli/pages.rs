//! What the command tells of itself and of its limits.

use crate::rig::Rig;

#[test]
fn the_limits_are_toml_that_can_be_read_back() {
    let done = Rig::new().run(&["limits"]);
    assert_eq!(done.code, Some(0));
    let limits = apiqueue::Registry::from_toml(done.text()).unwrap();
    let queue = limits.queue("ec2/eu-west-1/DescribeRegions").unwrap();
    assert_eq!(queue.unwrap().rate().to_string(), "18/s (burst 90)");
}

#[test]
fn there_is_a_page_for_each_subcommand() {
    let rig = Rig::new();
    let pages = rig.path("man");
    let done = rig.run(&["man", "--dir", pages.to_str().unwrap()]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    for name in [
        "",
        "-run",
        "-exec",
        "-lines",
        "-proxy",
        "-status",
        "-limits",
        "-man",
        "-completions",
    ] {
        let page = std::fs::read_to_string(pages.join(format!("apiqueue{name}.1"))).unwrap();
        assert!(page.contains(".TH"), "{name}");
    }
    assert!(rig.run(&["man"]).text().contains("apiqueue"));
}

#[test]
fn shells_get_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let done = Rig::new().run(&["completions", shell]);
        assert_eq!(done.code, Some(0));
        assert!(done.text().contains("keep-order"), "{shell}");
    }
    assert_eq!(Rig::new().run(&["completions", "tcl"]).code, Some(2));
}

#[test]
fn status_tells_what_is_there() {
    let rig = Rig::new();
    assert_eq!(rig.run(&["status"]).text(), "no limits\n");
    let done = rig.run(&["status", "--share", "ec2"]);
    assert_eq!(done.code, Some(1));
    assert!(done.text().contains("ec2: not known"), "{}", done.text());
    assert!(!rig.path("limits").join("ec2.limit").exists());

    rig.run(&["exec", "--share", "ec2", "--rate", "4/min", "--", "true"]);
    rig.run(&["exec", "--share", "b", "--every", "1ms", "--", "true"]);
    let one = rig.run(&["status", "--share", "ec2"]);
    assert_eq!(one.code, Some(0));
    for part in [
        "4/min, one each 15.0 s",
        "granted ahead  1",
        "seen lately    1",
        "true-",
    ] {
        assert!(one.text().contains(part), "{part:?} in {}", one.text());
    }
    let all = rig.run(&["status"]);
    assert!(all.text().starts_with("b\n"), "{}", all.text());
    assert!(all.text().contains("\nec2\n"), "{}", all.text());
}

#[test]
fn the_demo_shows_a_queue_that_is_not_throttled() {
    let done = Rig::new().run(&["demo"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let row = done.text().lines().rfind(|line| line.starts_with("queue "));
    let row: Vec<_> = row.unwrap().split_whitespace().collect();
    assert_eq!((row[3], row[4]), ("0", "0"), "{}", done.text());
}
