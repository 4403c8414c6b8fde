//! Signals that come to `run`.

use std::io::{Read, Write};
use std::time::Duration;

use rustix::process::Signal;

use crate::rig::{Done, Rig, signal_to, until};

fn marks(rig: &Rig, name: &str) -> usize {
    rig.lines(name).len()
}

fn sleeper(rig: &Rig, seconds: &str) -> String {
    format!(
        "trap 'echo x >> {ended}; exit 1' TERM; echo $$ >> {began}; for i in $(seq {seconds}0); do sleep 0.1; done; echo $1; echo x >> {whole}",
        began = rig.path("began").display(),
        ended = rig.path("ended").display(),
        whole = rig.path("whole").display(),
    )
}

#[test]
fn the_first_signal_waits_for_those_that_run() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let rig = Rig::new();
        let script = sleeper(&rig, "1");
        let lines: Vec<String> = (0..300).map(|n| n.to_string()).collect();
        let mut words = vec![
            "run", "--rate", "100/s", "-j", "3", "--", "sh", "-c", &script, "_", "{}", ":::",
        ];
        words.extend(lines.iter().map(String::as_str));
        let child = rig.command(words).spawn().unwrap();
        until(|| marks(&rig, "began") == 3);
        signal_to(child.id(), signal);
        let done = Done::of(child);
        assert_eq!(done.code, Some(128 + signal.as_raw()), "{}", done.err);
        assert_eq!((marks(&rig, "whole"), marks(&rig, "ended")), (3, 0));
        assert_eq!(done.text().lines().count(), 3);
        assert!(done.err.contains("297 not started"), "{}", done.err);
    }
}

#[test]
fn the_second_ends_those_that_run() {
    let rig = Rig::new();
    let script = sleeper(&rig, "100");
    let words = [
        "run", "--rate", "100/s", "--", "sh", "-c", &script, "_", "{}", ":::", "1", "2",
    ];
    let child = rig.command(words).spawn().unwrap();
    until(|| marks(&rig, "began") == 2);
    signal_to(child.id(), Signal::INT);
    std::thread::sleep(Duration::from_millis(100));
    signal_to(child.id(), Signal::INT);
    let done = Done::of(child);
    assert_eq!(done.code, Some(130), "{}", done.err);
    assert_eq!((marks(&rig, "whole"), marks(&rig, "ended")), (0, 2));
}

/// What jobs have started goes with them, and who does not listen is killed.
#[test]
fn the_stubborn_are_killed_with_what_they_started() {
    let rig = Rig::new();
    let script = format!(
        "trap '' TERM; sh -c 'echo $$ >> {0}; while :; do sleep 0.1; done' & echo x >> {1}; wait",
        rig.path("inner").display(),
        rig.path("began").display()
    );
    let words = [
        "run", "--rate", "100/s", "--", "sh", "-c", &script, "_", ":::", "1",
    ];
    let child = rig.command(words).spawn().unwrap();
    until(|| marks(&rig, "inner") == 1 && marks(&rig, "began") == 1);
    for _ in 0..2 {
        signal_to(child.id(), Signal::TERM);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(Done::of(child).code, Some(143));
    let inner = &rig.lines("inner")[0];
    until(
        || match std::fs::read_to_string(format!("/proc/{inner}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        },
    );
}

/// At whatever moment it comes: each line is run once and whole, or told as not started.
#[test]
fn no_job_is_lost_at_any_moment() {
    for after in 0..16 {
        let rig = Rig::new();
        let script = format!("echo $1 >> {}", rig.path("run").display());
        let lines: Vec<String> = (1..=200).map(|n| n.to_string()).collect();
        let mut words = vec![
            "run", "--rate", "500/s", "--", "sh", "-c", &script, "_", "{}", ":::",
        ];
        words.extend(lines.iter().map(String::as_str));
        let child = rig.command(words).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(4 + after * 9));
        signal_to(child.id(), Signal::TERM);
        let done = Done::of(child);
        let run = rig.lines("run");
        if done.code.is_none() {
            // It was not yet ready to hear of signals.
            assert!(run.is_empty());
            continue;
        }
        let told = match run.len() {
            200 => done.err.contains("200 done, 0 failed"),
            some => done.err.contains(&format!("{} not started", 200 - some)),
        };
        assert!(told, "{} run: {}", run.len(), done.err);
    }
}

/// Waiting for lines that don't come is no reason to stay.
#[test]
fn a_signal_ends_a_wait_for_input() {
    let rig = Rig::new();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"first\n").unwrap();
    let mut child = rig
        .command(["run", "--rate", "10/s", "--", "echo"])
        .stdin(reader)
        .spawn()
        .unwrap();
    // From then on it listens to signals.
    let mut first = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    signal_to(child.id(), Signal::TERM);
    assert_eq!(Done::of(child).code, Some(143));
    drop(writer);
}

/// `nohup` asks for that.
#[test]
fn an_ignored_signal_stays_ignored() {
    let rig = Rig::new();
    let done = rig.shell(
        "sh",
        "trap '' HUP; \"$0\" run --rate 20/s -q -- echo ::: 1 2 3 4 5 6 7 8 9 10 & pid=$!; sleep 0.2; kill -HUP $pid; wait $pid",
    );
    assert_eq!(done.text().lines().count(), 10);
}
