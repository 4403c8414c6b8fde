//! `exec`: a turn among processes, then the program itself.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::rig::{Done, Rig, signal_to, until};

const EXEC: [&str; 4] = ["exec", "--share", "ec2", "--every"];

fn words<'a>(every: &'a str, program: &[&'a str]) -> Vec<&'a str> {
    EXEC.into_iter()
        .chain([every, "--"])
        .chain(program.iter().copied())
        .collect()
}

#[test]
fn it_becomes_the_program() {
    let rig = Rig::new();
    let child = rig
        .command(words("1ms", &["sh", "-c", "echo $$"]))
        .spawn()
        .unwrap();
    let id = child.id();
    assert_eq!(Done::of(child).text(), format!("{id}\n"));
    let done = rig.run_with(&words("1ms", &["cat"]), b"input\0\xff");
    assert_eq!(&*done.out, b"input\0\xff");
    assert_eq!(
        rig.run(&words("1ms", &["sh", "-c", "exit 7"])).code,
        Some(7)
    );
    let mut killed = rig
        .command(words("1ms", &["sh", "-c", "kill -9 $$"]))
        .spawn()
        .unwrap();
    assert_eq!(killed.wait().unwrap().signal(), Some(9));
}

/// Options of the program's are its own, and arguments are bytes.
#[test]
fn arguments_are_the_programs_own() {
    let rig = Rig::new();
    let odd = OsStr::from_bytes(b"\xff -- {} $HOME");
    let mut words: Vec<&OsStr> = words("1ms", &["printf", "%s|", "--share", "--", "-h"])
        .into_iter()
        .map(OsStr::new)
        .collect();
    words.push(odd);
    let done = Done::of(rig.command(words).spawn().unwrap());
    assert_eq!(&*done.out, b"--share|--|-h|\xff -- {} $HOME|");
}

#[test]
fn what_can_not_be_run_is_told_as_shells_do() {
    let rig = Rig::new();
    let missing = rig.run(&words("1ms", &["/no/such/program"]));
    assert_eq!(missing.code, Some(127));
    assert!(missing.err.contains("/no/such/program"), "{}", missing.err);
    let directory = rig.run(&words("1ms", &[rig.folder().to_str().unwrap()]));
    assert_eq!(directory.code, Some(126));
}

#[test]
fn processes_go_an_interval_apart() {
    let rig = Rig::new();
    let began = Instant::now();
    let children: Vec<_> = (0..8)
        .map(|_| rig.command(words("50ms", &["true"])).spawn().unwrap())
        .collect();
    for child in children {
        assert_eq!(Done::of(child).code, Some(0));
    }
    assert!(began.elapsed() >= Duration::from_millis(7 * 50));
}

/// Those who are killed cost a slot each at most, and nobody hangs.
#[test]
fn the_killed_keep_nobody() {
    let rig = Rig::new();
    let mark = rig.path("marks");
    let script = format!("echo x >> {}", mark.display());
    let began = Instant::now();
    let children: Vec<_> = (0..24)
        .map(|_| {
            rig.command(words("20ms", &["sh", "-c", &script]))
                .spawn()
                .unwrap()
        })
        .collect();
    for (number, child) in children.iter().enumerate() {
        if number % 3 == 0 {
            thread::sleep(Duration::from_millis(5));
            signal_to(child.id(), Signal::KILL);
        }
    }
    let ended = children.into_iter().map(Done::of);
    let lived = ended.filter(|done| done.code == Some(0)).count();
    assert!(lived >= 16, "{lived}");
    let marks = rig.lines("marks").len();
    assert!(marks >= lived);
    assert!(began.elapsed() >= Duration::from_millis(20) * (u32::try_from(marks).unwrap() - 1));
}

/// Who becomes another program in the middle of a call leaves a file half written, and all wait out the grace.
#[test]
fn nothing_is_under_way_when_it_becomes_the_program() {
    let rig = Rig::new();
    let files = apiqueue_fleet::FileBackend::open(rig.path("limits")).unwrap();
    for _ in 0..60 {
        assert_eq!(rig.run(&words("1us", &["true"])).code, Some(0));
        let queue = apiqueue::ApiQueue::builder()
            .every(Duration::from_micros(1))
            .shared(files.limit("ec2"))
            .start()
            .unwrap();
        queue.wait_turn().unwrap();
    }
    assert_eq!(files.losses(), 0);
}

/// A slot that was not used is nobody's, but nothing else is held by who has become another program: the next one comes an
/// interval later, not a lease later.
#[test]
fn a_program_holds_no_slots() {
    let rig = Rig::new();
    let mut sleeping = rig.command(words("10s", &["sleep", "60"])).spawn().unwrap();
    let status = || rig.run(&["status", "--share", "ec2"]);
    until(|| status().text().contains("next slot"));
    // One interval ahead: its own slot and none besides.
    let text = status().text().to_owned();
    assert!(text.contains("granted ahead  1\n"), "{text}");
    sleeping.kill().unwrap();
    sleeping.wait().unwrap();
}

#[test]
fn a_limit_without_a_file_begins_at_once_and_a_damaged_one_waits() {
    let rig = Rig::new();
    assert_eq!(rig.run(&words("1ms", &["true"])).code, Some(0));
    let text = rig.run(&["status", "--share", "ec2"]);
    assert!(!text.text().contains("new"), "{}", text.text());

    let file = rig.path("limits").join("ec2.limit");
    std::fs::write(&file, "damaged").unwrap();
    let began = Instant::now();
    assert_eq!(rig.run(&words("1ms", &["true"])).code, Some(0));
    assert!(began.elapsed() >= Duration::from_millis(750));
}

#[test]
fn a_place_that_can_not_be_used_is_told() {
    let rig = Rig::new();
    std::fs::write(rig.path("file"), "").unwrap();
    std::fs::create_dir_all(rig.path("limits").join("ec2.limit")).unwrap();
    let mut no_directory = rig.command(words("1ms", &["echo", "started"]));
    no_directory.env("APIQUEUE_DIR", rig.path("file"));
    let mut relative = rig.command(words("1ms", &["echo", "started"]));
    relative.env("APIQUEUE_DIR", "somewhere");
    let no_file = rig.command(words("1ms", &["echo", "started"]));
    for mut command in [no_directory, relative, no_file] {
        let done = Done::of(command.spawn().unwrap());
        assert_eq!((done.code, done.text()), (Some(125), ""), "{}", done.err);
        assert!(done.err.starts_with("apiqueue: "), "{}", done.err);
    }
}

/// Somebody who stands still with the file in his hands is waited for, for a while.
#[test]
fn a_file_that_is_locked_is_waited_for() {
    let rig = Rig::new();
    assert_eq!(rig.run(&words("1ms", &["true"])).code, Some(0));
    let file = std::fs::File::open(rig.path("limits").join("ec2.limit")).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let child = rig.command(words("1ms", &["echo", "run"])).spawn().unwrap();
    thread::sleep(Duration::from_secs(1));
    drop(file);
    assert_eq!(Done::of(child).text(), "run\n");
}

/// The rate of a limit in use stands, and that is told. Of one that nobody uses any more, it is that of who comes.
#[test]
fn another_rate_takes_effect_where_nobody_else_is() {
    let rig = Rig::new();
    let status = || rig.run(&["status", "--share", "ec2"]).text().to_owned();
    assert_eq!(rig.run(&words("10ms", &["true"])).code, Some(0));
    let done = rig.run(&words("20ms", &["true"]));
    assert_eq!(done.code, Some(0));
    assert!(
        done.err.contains("one each 10 ms: that stays"),
        "{}",
        done.err
    );
    assert!(status().contains("one each 10 ms"), "{}", status());

    until(|| status().contains("seen lately    0"));
    let done = rig.run(&words("20ms", &["true"]));
    assert_eq!((done.code, &*done.err), (Some(0), ""));
    assert!(status().contains("one each 20 ms"), "{}", status());
}

/// `nohup` and the background jobs of scripts ignore signals: so does the program.
#[test]
fn ignored_signals_stay_ignored() {
    let rig = Rig::new();
    let script = "trap '' HUP INT; exec \"$0\" \"$@\"";
    let binary = env!("CARGO_BIN_EXE_apiqueue");
    let done = Done::of(
        std::process::Command::new("sh")
            .args(["-c", script, binary])
            .args(words(
                "1ms",
                &["sh", "-c", "kill -HUP $$; kill -INT $$; echo alive"],
            ))
            .env("APIQUEUE_DIR", rig.path("limits"))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap(),
    );
    assert_eq!(done.text(), "alive\n");
}
