//! `lines`: first to last, and none lost.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::rig::{Done, Rig, signal_to};

fn through(input: &[u8]) -> Done {
    Rig::new().run_with(&["lines", "--rate", "1000000/s"], input)
}

#[test]
fn every_byte_comes_through_in_order() {
    let numbers: String = (0..2_000).map(|n| format!("{n}\n")).collect();
    let long = [
        vec![b'x'; 3_000_000],
        b"\nafter\n".to_vec(),
        vec![b'y'; 300_000],
    ]
    .concat();
    let all: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    let cases: [&[u8]; 9] = [
        b"",
        b"\n",
        b"\n\n\n",
        b"no newline",
        b"a\r\nb\0c\n\xff\xfe\n",
        b"a\nlast",
        numbers.as_bytes(),
        &long,
        &all,
    ];
    for input in cases {
        let done = through(input);
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert!(
            done.out == input,
            "{} bytes, {} came",
            input.len(),
            done.out.len()
        );
    }
}

#[test]
fn lines_are_an_interval_apart() {
    let began = Instant::now();
    let done = Rig::new().run_with(&["lines", "--every", "40ms"], b"1\n2\n3\n4\n5\n6");
    assert_eq!(done.text(), "1\n2\n3\n4\n5\n6");
    // Less what a late driver may make up for.
    assert!(began.elapsed() >= Duration::from_millis(5 * 40 - 10));
}

/// The end of the input is no line: nobody waits an hour for it.
#[test]
fn the_end_takes_no_turn() {
    for input in [&b""[..], b"one\n", b"one"] {
        let done = Rig::new().run_with(&["lines", "--every", "1h"], input);
        assert_eq!((done.code, &*done.out), (Some(0), input));
    }
}

/// With what is left in the input, the output is what there was: at whatever moment the signal comes.
#[test]
fn a_signal_loses_no_line() {
    let rig = Rig::new();
    let text: String = (0..300).map(|n| format!("line {n}\n")).collect();
    std::fs::write(rig.path("text"), &text).unwrap();
    for (after, signal) in (0..24).zip([Signal::TERM, Signal::INT, Signal::HUP].into_iter().cycle())
    {
        let mut file = File::open(rig.path("text")).unwrap();
        let child = rig
            .command(["lines", "--rate", "2000/s"])
            .stdin(file.try_clone().unwrap())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_micros(3_000 + after * 1_500));
        signal_to(child.id(), signal);
        let done = Done::of(child);
        let mut both = done.out;
        file.read_to_end(&mut both).unwrap();
        // Before its handlers are there it dies of the signal, with nothing read.
        let codes = [None, Some(0), Some(128 + signal.as_raw())];
        assert!(codes.contains(&done.code), "{:?}", done.code);
        assert!(
            both == text.as_bytes(),
            "after {after}: {} bytes of {}",
            both.len(),
            text.len()
        );
    }
}

/// In a pipe nothing can be put back: only what was never read is there for the next one.
#[test]
fn a_signal_leaves_the_rest_in_the_pipe() {
    let rig = Rig::new();
    for (slow, after) in [("1s", 100), ("5ms", 31), ("5ms", 52), ("1ms", 20)] {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let text: String = (0..500).map(|n| format!("{n}\n")).collect();
        writer.write_all(text.as_bytes()).unwrap();
        let child = rig
            .command(["lines", "--every", slow])
            .stdin(reader.try_clone().unwrap())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(after));
        signal_to(child.id(), Signal::TERM);
        let mut both = Done::of(child).out;
        drop(writer);
        reader.read_to_end(&mut both).unwrap();
        assert_eq!(String::from_utf8(both).unwrap(), text);
    }
}

/// A line that has come in part is in hand when the signal comes: it is written as it is.
#[test]
fn half_a_line_is_not_lost_either() {
    let rig = Rig::new();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"whole\nhal").unwrap();
    let mut child = rig
        .command(["lines", "--every", "1ms"])
        .stdin(reader)
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 6];
    out.read_exact(&mut first).unwrap();
    thread::sleep(Duration::from_millis(100));
    signal_to(child.id(), Signal::TERM);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((&first, &*rest), (b"whole\n", "hal"));
    assert_eq!(Done::of(child).code, Some(128 + 15));
}

#[test]
fn without_a_reader_nothing_is_taken() {
    let rig = Rig::new();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"1\n2\n3\n").unwrap();
    let (gone, out) = std::io::pipe().unwrap();
    drop(gone);
    let child = rig
        .command(["lines", "--every", "1ms"])
        .stdin(reader.try_clone().unwrap())
        .stdout(out)
        .spawn()
        .unwrap();
    assert_eq!(Done::of(child).code, Some(141));
    drop(writer);
    let mut left = String::new();
    reader.read_to_string(&mut left).unwrap();
    assert_eq!(left, "1\n2\n3\n");
}

/// A reader that goes while this waits is noticed before the next line is read.
#[test]
fn a_reader_that_goes_leaves_the_rest() {
    let rig = Rig::new();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"1\n2\n3\n4\n").unwrap();
    let mut child = rig
        .command(["lines", "--every", "1s"])
        .stdin(reader.try_clone().unwrap())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 2];
    out.read_exact(&mut first).unwrap();
    drop(out);
    assert_eq!(Done::of(child).code, Some(141));
    drop(writer);
    let mut left = String::new();
    reader.read_to_string(&mut left).unwrap();
    assert_eq!(left, "2\n3\n4\n");
}

/// Who reads nothing keeps the line in hand from being written: a second signal ends it all the same.
#[test]
fn a_second_signal_ends_it_though_nobody_reads() {
    let rig = Rig::new();
    let input: Vec<u8> = (0..200_000)
        .flat_map(|n| format!("{n}\n").into_bytes())
        .collect();
    std::fs::write(rig.path("text"), input).unwrap();
    let mut child = rig
        .command(["lines", "--rate", "1000000/s"])
        .stdin(File::open(rig.path("text")).unwrap())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    thread::sleep(Duration::from_millis(1_000));
    for _ in 0..2 {
        signal_to(child.id(), Signal::TERM);
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(Done::of(child).code, Some(128 + 15));
    drop(out);
}

/// Two of them share one schedule.
#[test]
fn processes_share_a_rate() {
    let rig = Rig::new();
    let began = Instant::now();
    let words = ["lines", "--every", "40ms", "--share", "ec2"];
    let children: Vec<_> = (0..2)
        .map(|_| {
            let mut child = rig.command(words).stdin(Stdio::piped()).spawn().unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(b"1\n2\n3\n4\n5\n")
                .unwrap();
            child
        })
        .collect();
    for child in children {
        assert_eq!(Done::of(child).text(), "1\n2\n3\n4\n5\n");
    }
    // Ten slots; the last may be used at once, the first late.
    assert!(began.elapsed() >= Duration::from_millis(9 * 40 - 100));
}
