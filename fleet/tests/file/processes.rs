//! Several processes on one limit, and what becomes of the others if one of them dies, or stands still, at any moment.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use apiqueue_fleet::{Backend, BackendError, FileBackend, Reply};
use futures_lite::future::{block_on, poll_once};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

use crate::child::{self, Recorded, append, granted, output, quick, records, start};
use crate::rig::LIMIT;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Waits until a child has stopped itself.
fn wait_until_stopped(child: &Child) {
    let (_, status) = waitpid(Some(pid(child)), WaitOptions::UNTRACED)
        .unwrap()
        .unwrap();
    assert!(status.stopped(), "{status:?}");
}

/// Asks again if a busy machine had somebody stand still in a call.
fn reserve(backend: &impl Backend, limit: &str, want: u32) -> Reply {
    let end = Instant::now() + PATIENCE;
    loop {
        match block_on(backend.call(limit, quick(want))) {
            Ok(reply) => return reply,
            Err(BackendError::Away(why)) => assert!(Instant::now() < end, "{why}"),
            Err(why) => panic!("{why}"),
        }
    }
}

/// As soon as there is one.
fn reserve_one(files: &FileBackend) {
    let end = Instant::now() + PATIENCE;
    while reserve(files, LIMIT, 1).granted() == 0 {
        assert!(Instant::now() < end, "no slot comes");
        sleep(Duration::from_millis(1));
    }
}

/// Three that take as many slots as they can, and each few milliseconds one of them is killed and another one started.
pub(crate) fn no_slot_is_granted_twice_under_sigkill_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    let mut logs: Vec<PathBuf> = Vec::new();
    let mut launch = || {
        logs.push(folder.path().join(format!("{}.log", logs.len())));
        start("--take", &[text(&files), text(logs.last().unwrap())])
    };
    let mut running: Vec<Child> = (0..3).map(|_| launch()).collect();
    for _ in 0..150 {
        sleep(Duration::from_micros(fastrand::u64(2_000..25_000)));
        let at = fastrand::usize(..running.len());
        kill(running.swap_remove(at));
        running.push(launch());
    }
    running.into_iter().for_each(kill);
    let granted = granted(&logs);
    println!("{} slots in use", granted.len());
    assert_eq!(granted.twice(20), 0);
    assert!(granted.len() > 1_000, "{} slots", granted.len());
    let takers = logs.iter().filter(|log| !records(log).is_empty());
    assert!(takers.count() > 20, "most of them got slots");
    reserve_one(&FileBackend::open(&files).unwrap());
}

/// One process, killed at the beginning and at the end of each system call that it makes: on a new file, and on one that is there.
#[cfg(target_os = "linux")]
pub(crate) fn no_slot_is_granted_twice_under_sigkill_at_every_step() {
    for is_new in [true, false] {
        let mut steps = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            let (files, log) = (folder.path().join("files"), folder.path().join("log"));
            let backend = FileBackend::open(&files).unwrap();
            if !is_new {
                reserve_one(&backend);
            }
            let recorded = Recorded {
                backend: backend.clone(),
                log: append(&log),
            };
            let ended = killed_after(steps, &[text(&files), text(&log)]);
            let end = Instant::now() + PATIENCE;
            while granted(&[&log]).len() < 20 {
                assert!(Instant::now() < end, "no slots come after {steps} steps");
                reserve(&recorded, LIMIT, 5);
            }
            assert_eq!(
                granted(&[&log]).twice(20),
                0,
                "{steps} steps, new file: {is_new}"
            );
            // Whole system calls are all or nothing here: only a new file may be half there.
            assert!(is_new || backend.losses() == 0, "{steps} steps");
            if ended {
                break;
            }
            steps += 1;
        }
        println!("{steps} steps, new file: {is_new}");
        assert!(steps > 20, "{steps}");
    }
}

/// Lets a call of another process go on for so many steps, and kills it. Says whether it had ended before.
#[cfg(target_os = "linux")]
#[expect(
    clippy::zombie_processes,
    reason = "who has ended was waited for by number"
)]
fn killed_after(steps: u32, arguments: &[&str]) -> bool {
    let mut child = start("--once-traced", arguments);
    wait_until_stopped(&child);
    let mut ended = false;
    for _ in 0..steps {
        let none = std::ptr::null_mut::<libc::c_void>();
        let id = pid(&child).as_raw_nonzero().get();
        // SAFETY: the child has asked to be traced, and is stopped.
        let stepped = unsafe { libc::ptrace(libc::PTRACE_SYSCALL, id, none, none) };
        assert_eq!(stepped, 0);
        let (_, status) = waitpid(Some(pid(&child)), WaitOptions::empty())
            .unwrap()
            .unwrap();
        if !status.stopped() {
            ended = true;
            break;
        }
    }
    if !ended {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    ended
}

pub(crate) fn who_is_stopped_with_a_file_locked_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let files = FileBackend::open(folder.path()).unwrap();
    let holder = start("--once-stopped", &[text(folder.path())]);
    wait_until_stopped(&holder);
    // The driver polls it once, and goes on: here to another limit.
    let mut call = files.call(LIMIT, quick(1));
    assert!(block_on(poll_once(&mut call)).is_none());
    reserve(&files, "other", 1);
    let error = block_on(call).unwrap_err();
    assert!(
        matches!(&error, BackendError::Away(why) if why.contains("ec2.limit") && why.contains("stopped")),
        "{error}"
    );
    // The holder's death, whatever it was doing, ends that.
    kill(holder);
    reserve_one(&files);
}

/// Its slots may be over, and it could not know.
pub(crate) fn who_was_stopped_in_a_call_gets_no_slots_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = FileBackend::open(folder.path()).unwrap();
    reserve_one(&files);
    let holder = start("--once-stopped", &[text(folder.path())]);
    wait_until_stopped(&holder);
    sleep(Duration::from_millis(600));
    let waits = start("--once", &[text(folder.path())]);
    kill_process(pid(&holder), Signal::CONT).unwrap();
    let answer = output(holder);
    assert!(answer.contains("stood still"), "{answer}");
    output(waits);
    reserve_one(&files);
}

/// Whoever comes while it is locked gets it once it is free.
pub(crate) fn a_call_that_finds_the_file_locked_is_answered_when_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let files = FileBackend::open(folder.path()).unwrap();
    reserve_one(&files);
    let lock = std::fs::File::open(folder.path().join("ec2.limit")).unwrap();
    let mut answered = 0;
    for _ in 0..20 {
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let mut call = files.call(LIMIT, quick(1));
        assert!(block_on(poll_once(&mut call)).is_none());
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::Unlock).unwrap();
        // Not all, on a machine that is so busy that this was not let go on for long.
        answered += u32::from(block_on(call).is_ok());
        // A call that is dropped leaves nothing behind.
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let mut dropped = files.call(LIMIT, quick(1));
        assert!(block_on(poll_once(&mut dropped)).is_none());
        drop(dropped);
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::Unlock).unwrap();
        reserve_one(&files);
    }
    assert!(answered > 0);
}

pub(crate) fn threads_of_one_process_are_granted_no_slot_twice() {
    let folder = tempfile::tempdir().unwrap();
    let files = FileBackend::open(folder.path()).unwrap();
    let logs: Vec<PathBuf> = (0..6)
        .map(|n| folder.path().join(format!("{n}.log")))
        .collect();
    scope(|scope| {
        for log in &logs {
            let recorded = Recorded {
                backend: files.clone(),
                log: append(log),
            };
            scope.spawn(move || {
                for _ in 0..2_000 {
                    reserve(&recorded, LIMIT, 2);
                }
                while records(log).is_empty() {
                    reserve(&recorded, LIMIT, 2);
                }
            });
        }
    });
    assert_eq!(granted(&logs).twice(20), 0);
    assert_eq!(files.losses(), 0);
}

/// Forked while other threads are in the middle of calls. The child shares whatever the parent has open.
pub(crate) fn a_forked_child_shares_nothing_that_could_grant_twice() {
    let folder = tempfile::tempdir().unwrap();
    let files = FileBackend::open(folder.path()).unwrap();
    reserve_one(&files);
    let logs: Vec<PathBuf> = (0..3)
        .map(|n| folder.path().join(format!("{n}.log")))
        .collect();
    let recorded = |log: &Path| Recorded {
        backend: files.clone(),
        log: append(log),
    };
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let children = scope(|scope| {
        for log in &logs[..2] {
            let (recorded, is_over) = (recorded(log), &is_over);
            scope.spawn(move || {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    reserve(&recorded, LIMIT, 2);
                }
            });
        }
        let own = recorded(&logs[2]);
        let mut well = 0;
        for _ in 0..40 {
            well += u32::from(child::forked(|| {
                for _ in 0..20 {
                    reserve(&own, LIMIT, 1);
                }
                true
            }));
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        well
    });
    assert_eq!(children, 40, "all came back");
    assert_eq!(granted(&logs).twice(20), 0);
}

/// What four processes of four threads at 200 a second wrote down, who took turns for so long.
struct Fleet {
    _folder: TempDir,
    logs: Vec<PathBuf>,
    /// On one clock, in order.
    releases: Vec<u64>,
    shares: Vec<usize>,
}

/// From one release to the next.
const STEP: u64 = 5_000;

fn four_queues(millis: u32) -> Fleet {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    let name = |n: usize| folder.path().join(format!("{n}.log"));
    let logs: Vec<PathBuf> = (0..4).map(name).collect();
    let queues: Vec<Child> = logs
        .iter()
        .map(|log| start("--queue", &[text(&files), text(log), &millis.to_string()]))
        .collect();
    queues.into_iter().for_each(|queue| {
        output(queue);
    });
    let (mut releases, mut shares) = (Vec::new(), Vec::new());
    for log in &logs {
        let of_one = records(&log.with_extension("releases"));
        shares.push(of_one.len());
        releases.extend(of_one.iter().map(|[at, ..]| at));
    }
    releases.sort_unstable();
    Fleet {
        _folder: folder,
        logs,
        releases,
        shares,
    }
}

pub(crate) fn queues_of_several_processes_share_one_rate() {
    let fleet = four_queues(5_000);
    let [first, .., last] = fleet.releases.as_slice() else {
        panic!("{:?}", fleet.releases);
    };
    let slots = granted(&fleet.logs);
    assert_eq!(slots.twice(STEP), 0);
    let releases = fleet.releases.len();
    let all = usize::try_from((last - first) / STEP).unwrap() + 1;
    println!("{releases} releases at {all} slots");
    assert!(releases <= slots.len(), "{releases} of {}", slots.len());
    // A release may be late by the time to catch up (100 ms) and by a call (at most 500 ms).
    assert!(releases <= all + 1 + (100_000 + 500_000) / 5_000);
    assert!(
        fleet.shares.iter().all(|share| *share > 0),
        "{:?}",
        fleet.shares
    );
}

/// To be measured on a machine that has time for it.
pub(crate) fn four_processes_keep_97_percent_of_the_rate() {
    let fleet = four_queues(20_000);
    assert_eq!(granted(&fleet.logs).twice(STEP), 0);
    // In the last half second they leave, each when it has taken its last turn.
    let last = fleet.releases.last().unwrap() - 500_000;
    let all: Vec<_> = fleet.releases.iter().filter(|at| **at < last).collect();
    let span = *all[all.len() - 1] - *all[0];
    let mean = (all.len() - 1) as f64 * STEP as f64 / span as f64;
    let stall = all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    println!(
        "mean ÷ rate {mean:.3}, longest stall {stall} µs, shares {:?}",
        fleet.shares
    );
    assert!(mean > 0.97, "{mean}");
}
