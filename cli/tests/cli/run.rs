//! `run`: lines become commands.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::{Duration, Instant};

use crate::rig::{Done, Rig};

const FAST: [&str; 3] = ["run", "--rate", "2000/s"];

fn words<'a>(options: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
    let words = FAST.iter().chain(options).chain(&["--"]).chain(command);
    words.copied().collect()
}

fn run(options: &[&str], command: &[&str], input: &str) -> Done {
    Rig::new().run_with(&words(options, command), input.as_bytes())
}

fn numbers(range: std::ops::RangeInclusive<u32>) -> String {
    range.map(|n| format!("{n}\n")).collect()
}

#[test]
fn each_line_is_one_command() {
    let done = run(
        &["-k"],
        &["echo", "<{}>", "{#}"],
        "a\nb c\n\n$HOME;'\"\nlast",
    );
    assert_eq!(
        done.text(),
        "<a> 1\n<b c> 2\n<> 3\n<$HOME;'\"> 4\n<last> 5\n"
    );
    assert_eq!(done.code, Some(0));
    let done = run(&["-k", "-0"], &["printf", "%s|"], "a\nb\0c");
    assert_eq!(done.text(), "a\nb|c|");
    let done = run(
        &["-k"],
        &["printf", "%s|", ":::", "1", "", "-e", "--"],
        "not read",
    );
    assert_eq!(done.text(), "1||-e|--|");
    let done = run(&[], &["echo"], "");
    assert_eq!((done.code, done.text()), (Some(0), ""));
}

/// With one at a time nothing can be out of order; with many, they start in order all the same.
#[test]
fn commands_start_in_the_order_of_the_lines() {
    for jobs in ["1", "16"] {
        let rig = Rig::new();
        let events = rig.path("events");
        let json = format!("--json={}", events.display());
        let options = ["-j", jobs, &json];
        let mut words = words(&options, &["true"]);
        words[2] = "200/s";
        let done = rig.run_with(&words, numbers(1..=60).as_bytes());
        assert_eq!(done.code, Some(0), "{}", done.err);
        let starts: Vec<u64> = rig
            .lines("events")
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|event| event["event"] == "start")
            .map(|event| event["number"].as_u64().unwrap())
            .collect();
        let all: BTreeSet<_> = starts.iter().copied().collect();
        assert_eq!((all.len(), starts.len()), (60, 60));
        if jobs == "1" {
            assert!(starts.is_sorted(), "{starts:?}");
        }
    }
}

#[test]
fn commands_start_an_interval_apart() {
    let began = Instant::now();
    let done = Rig::new().run(&[
        "run", "--every", "30ms", "--", "true", ":::", "1", "2", "3", "4", "5", "6", "7",
    ]);
    assert_eq!(done.code, Some(0));
    assert!(began.elapsed() >= Duration::from_millis(6 * 30 - 10));
}

#[test]
fn output_is_kept_in_the_order_of_the_lines() {
    let script = "[ $1 -gt 3 ] || sleep 0.3; echo out $1; echo err $1 >&2";
    let done = run(
        &["-k", "-q"],
        &["sh", "-c", script, "_", "{}"],
        &numbers(1..=40),
    );
    let expected = |what: &str| {
        (1..=40)
            .map(|n| format!("{what} {n}\n"))
            .collect::<String>()
    };
    assert_eq!(done.text(), expected("out"));
    assert_eq!(done.err, expected("err"));
}

/// What one job writes is in one piece, with or without a newline at its end.
#[test]
fn output_of_one_job_is_kept_together() {
    let script = "printf \"[$1\"; sleep 0.05; printf \"$1]\"";
    let done = run(&["-q"], &["sh", "-c", script, "_", "{}"], &numbers(1..=30));
    let mut left = done.text().to_owned();
    for n in 1..=30 {
        let piece = format!("[{n}{n}]");
        assert!(left.contains(&piece), "{n}: {left}");
        left = left.replacen(&piece, "", 1);
    }
    assert_eq!(left, "");
}

#[test]
fn much_output_of_many_jobs_comes_whole() {
    let script = "[ $1 != 1 ] || sleep 0.5; head -c 1000000 /dev/zero | tr '\\0' $1";
    let done = run(
        &["-k", "-q"],
        &["sh", "-c", script, "_", "{}"],
        &numbers(1..=9),
    );
    let mut expected = Vec::new();
    (b'1'..=b'9').for_each(|digit| expected.extend(vec![digit; 1_000_000]));
    assert!(done.out == expected, "{} bytes", done.out.len());
}

#[test]
fn ungrouped_output_comes_too() {
    let done = run(&["-u", "-q"], &["echo"], &numbers(1..=20));
    let mut lines: Vec<u32> = done
        .text()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, (1..=20).collect::<Vec<_>>());
}

#[test]
fn the_exit_code_is_the_number_of_failures() {
    let code = |script: &str, count: u32| {
        run(
            &["-q"],
            &["sh", "-c", script, "_", "{}"],
            &numbers(1..=count),
        )
        .code
    };
    assert_eq!(code("exit 0", 5), Some(0));
    assert_eq!(code("exit $(($1 % 2))", 5), Some(3));
    assert_eq!(code("exit 9", 100), Some(100));
    assert_eq!(code("exit 9", 101), Some(101));
    assert_eq!(code("exit 9", 150), Some(101));
    assert_eq!(code("kill -9 $$", 2), Some(2));
}

#[test]
fn a_line_is_tried_again_after_its_exit_code() {
    let rig = Rig::new();
    let tries = rig.path("tries");
    let script = format!(
        "echo $1 >> {0}; [ $1 != 2 ] || [ $(grep -c 2 {0}) -ge 3 ] || {{ echo no; exit 75; }}; echo $1",
        tries.display()
    );
    let began = Instant::now();
    let options = ["-k", "--retry-after-exit", "7,75", "--hold", "100ms"];
    let done = rig.run_with(
        &words(&options, &["sh", "-c", &script, "_", "{}"]),
        b"1\n2\n3\n",
    );
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(done.text(), "1\n2\n3\n");
    assert_eq!(
        rig.lines("tries")
            .iter()
            .filter(|line| *line == "2")
            .count(),
        3
    );
    // One hold, and one twice as long.
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(
        done.err.contains("nothing starts for 0.2 s"),
        "{}",
        done.err
    );
}

/// While the line is held nothing starts: those behind it wait, too.
#[test]
fn a_hold_holds_all() {
    let rig = Rig::new();
    let marks = rig.path("marks");
    let script = format!("date +%s%N >> {}; exit 75", marks.display());
    let options = [
        "-j",
        "1",
        "-q",
        "--retry-after-exit",
        "75",
        "--hold",
        "300ms",
        "--retries",
        "1",
    ];
    let done = rig.run(&words(
        &options,
        &["sh", "-c", &script, "_", ":::", "x", "y"],
    ));
    assert_eq!(done.code, Some(2));
    let marks: Vec<u64> = rig
        .lines("marks")
        .iter()
        .map(|mark| mark.parse().unwrap())
        .collect();
    assert_eq!(marks.len(), 4);
    assert!(marks[1] - marks[0] >= 290_000_000, "{marks:?}");
}

#[test]
fn tries_come_to_an_end() {
    let rig = Rig::new();
    let script = format!("echo x >> {}; exit 75", rig.path("tries").display());
    let options = [
        "--retry-after-exit",
        "75",
        "--hold",
        "1ms",
        "--retries",
        "3",
    ];
    let done = rig.run(&words(&options, &["sh", "-c", &script, "_", ":::", "x"]));
    assert_eq!(done.code, Some(1));
    assert_eq!(rig.lines("tries").len(), 4);
}

#[test]
fn halt_starts_no_more_and_exits_as_the_job_did() {
    let options = ["-j", "1", "--halt", "soon,fail=1"];
    let done = run(
        &options,
        &["sh", "-c", "echo $1; [ $1 != 3 ] || exit 42", "_", "{}"],
        &numbers(1..=9),
    );
    assert_eq!((done.code, done.text()), (Some(42), "1\n2\n3\n"));
    assert!(done.err.contains("6 not started"), "{}", done.err);

    let options = ["-q", "--halt", "now,success=1"];
    let began = Instant::now();
    let done = run(
        &options,
        &["sh", "-c", "[ $1 = 3 ] || sleep 500", "_", "{}"],
        &numbers(1..=5),
    );
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(began.elapsed() < crate::rig::LONG);
}

#[test]
fn a_program_that_is_not_there_ends_it() {
    let done = run(&[], &["/no/such/program"], &numbers(1..=5000));
    assert_eq!(done.code, Some(127));
    assert!(
        done.err.contains("/no/such/program") || done.err.contains("No such file"),
        "{}",
        done.err
    );
    // Where the line is the program, the others may be there.
    let done = run(&["-q"], &["{}"], "/no/such/program\ntrue\n");
    assert_eq!(done.code, Some(1));
}

#[test]
fn a_line_that_can_not_be_an_argument_fails_alone() {
    let long = "x".repeat(3_000_000);
    let done = run(
        &["-q", "-k"],
        &["printf", "%.9s|"],
        &format!("a\n{long}\nb\0c\nd\n"),
    );
    assert_eq!((done.code, done.text()), (Some(2), "a|d|"));
}

/// A rate that is not in force is told, however quiet.
#[test]
fn another_rate_in_force_is_told() {
    let rig = Rig::new();
    let run = |every| {
        rig.run(&[
            "run", "-q", "--share", "ec2", "--every", every, "--", "true", ":::", "1",
        ])
    };
    assert_eq!(run("20ms").err, "");
    let done = run("10ms");
    assert_eq!(done.code, Some(0));
    assert!(
        done.err.contains("one each 20 ms: that stays"),
        "{}",
        done.err
    );
}

/// Fewer open files than the jobs would like: they wait for each other.
#[test]
fn few_files_are_enough_for_many_jobs() {
    let rig = Rig::new();
    let done = rig.shell(
        "bash",
        "ulimit -n 48; seq 300 | \"$0\" run -k -q --rate 5000/s -- sh -c '[ $1 != 1 ] || sleep 1; echo $1' _ {}",
    );
    assert_eq!((done.code, &*done.err), (Some(0), ""));
    assert_eq!(done.text(), numbers(1..=300));
}

#[test]
fn thousands_of_arguments_are_lines() {
    let lines: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
    let mut words = words(&["-k", "-q"], &["echo", ":::"]);
    words[2] = "20000/s";
    words.extend(lines.iter().map(String::as_str));
    let done = Rig::new().run(&words);
    assert_eq!(
        done.text(),
        lines.iter().map(|n| format!("{n}\n")).collect::<String>()
    );
}

#[test]
fn events_tell_each_start_and_end() {
    let done = run(&["--json"], &["sh", "-c", "exit $1", "_", "{}"], "0\n5\n");
    let events: Vec<serde_json::Value> = done
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("start"), count("end"), count("summary")), (2, 2, 1));
    let failed = events.iter().find(|event| event["exit"] == 5).unwrap();
    assert_eq!(failed["number"], 2);
    let summary = events.last().unwrap();
    assert_eq!(
        (&summary["succeeded"], &summary["failed"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn a_reader_that_is_gone_ends_it() {
    let rig = Rig::new();
    let mut words = words(&["-q"], &["echo"]);
    words[2] = "100/s";
    let mut child = rig
        .command(words)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        // Without an end: it ends as nobody reads its output.
        while input.write_all(b"line\n").is_ok() {}
    });
    let mut first = [0; 5];
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut first).unwrap();
    drop(out);
    assert_eq!(Done::of(child).code, Some(141));
    writer.join().unwrap();
}

#[test]
fn processes_share_a_rate() {
    let rig = Rig::new();
    let began = Instant::now();
    let words = [
        "run", "--every", "40ms", "--share", "ec2", "-q", "--", "true", ":::", "1", "2", "3", "4",
        "5",
    ];
    let children: Vec<_> = (0..2)
        .map(|_| rig.command(words).spawn().unwrap())
        .collect();
    for child in children {
        assert_eq!(Done::of(child).code, Some(0));
    }
    assert!(began.elapsed() >= Duration::from_millis(9 * 40 - 100));
}
