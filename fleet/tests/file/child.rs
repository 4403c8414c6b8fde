//! What this program does as another process: `file ROLE DIRECTORY …`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Stop};
use apiqueue_fleet::file::{Boot, MachineClock, Reading};
use apiqueue_fleet::{
    Action, Answer, Backend, BackendError, Call, FileBackend, FleetLimit, LimitState, Reply, Slots,
    Terms,
};
use futures_lite::future::block_on;
use rustix::process::{Signal, getpid, kill_process};
use rustix::time::{ClockId, clock_gettime};

use crate::rig::{Granted, LIMIT, consecutive};

/// Starts this program in a role.
pub(crate) fn start(role: &str, arguments: &[&str]) -> Child {
    command(role).args(arguments).spawn().unwrap()
}

pub(crate) fn command(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg(role)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// What it printed until its end.
pub(crate) fn output(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether this was started in a role: then it was played.
pub(crate) fn play(arguments: &[&str]) -> bool {
    match *arguments {
        ["--take", directory, log] => take(directory, log),
        ["--queue", directory, log, millis] => queue(directory, log, millis.parse().unwrap()),
        ["--once", directory] => once(directory),
        ["--for-user"] => println!("{:?}", FileBackend::for_user()),
        ["--named", said] => crate::named::tell(said),
        ["--once-as-nobody", directory] => {
            become_nobody();
            once(directory);
        }
        ["--once-traced", directory, log] => traced(directory, log),
        ["--once-stopped", directory] => stopped(directory),
        ["--once-small", directory, bytes] => small(directory, bytes.parse().unwrap()),
        _ => return false,
    }
    true
}

/// An ask with a short grace, on the real clock.
pub(crate) fn quick(want: u32) -> Call {
    let id = std::process::id();
    Call {
        host: u64::from(id),
        label: id.to_string().into(),
        known: Terms {
            interval: 20,
            ..Terms::default()
        },
        grace: 30_000,
        window: 10_000_000,
        action: consecutive(want, 20_000),
    }
}

/// Takes slots for ever, and gives some of them back.
fn take(directory: &str, log: &str) {
    let files = FileBackend::open(directory).unwrap();
    let log = append(Path::new(log));
    let recorded = Recorded {
        backend: files,
        log,
    };
    loop {
        let want = fastrand::u32(1..5);
        let Ok(reply) = block_on(recorded.call(LIMIT, quick(want))) else {
            continue;
        };
        if let Some(run) = reply.slots.last()
            && fastrand::u8(..4) == 0
        {
            let last = Slots {
                first: run.first + u64::from(run.count - 1) * run.step,
                count: 1,
                step: run.step,
            };
            let action = Action::GiveBack {
                born: reply.born,
                epoch: reply.terms.epoch,
                slots: vec![last],
            };
            let _ = block_on(recorded.call(LIMIT, Call { action, ..quick(0) }));
        }
    }
}

/// A queue with threads that take turns for so long. Each release is written down, too, on the clock that all processes share.
fn queue(directory: &str, log: &str, millis: u64) {
    let files = FileBackend::open(directory).unwrap();
    let backend = Recorded {
        backend: files,
        log: append(Path::new(log)),
    };
    let limit = FleetLimit::new(LIMIT, backend);
    let queue = ApiQueue::builder()
        .per_second(200)
        .shared(limit)
        .start()
        .unwrap();
    let releases = append(&Path::new(log).with_extension("releases"));
    let end = Instant::now() + Duration::from_millis(millis);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while Instant::now() < end && queue.wait_turn().is_ok() {
                    let now = clock_gettime(ClockId::Monotonic);
                    write(
                        &releases,
                        [
                            now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000,
                            0,
                            0,
                        ],
                    );
                }
            });
        }
    });
    queue.stop(Stop::Now);
}

fn once(directory: &str) {
    let answer =
        FileBackend::open(directory).and_then(|files| block_on(files.call(LIMIT, quick(1))));
    println!("{answer:?}");
}

/// One call, each of whose system calls is stopped at by the parent.
fn traced(directory: &str, log: &str) {
    let recorded = Recorded {
        backend: FileBackend::open(directory).unwrap(),
        log: append(Path::new(log)),
    };
    #[cfg(target_os = "linux")]
    {
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: it only asks for this process to be traced by its parent.
        let asked = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, none, none) };
        assert_eq!(asked, 0);
    }
    kill_process(getpid(), Signal::STOP).unwrap();
    block_on(recorded.call(LIMIT, quick(3))).unwrap();
}

/// Stops while it has the file locked: the clock is read under the lock.
fn stopped(directory: &str) {
    struct Stops(AtomicBool);
    impl MachineClock for Stops {
        fn read(&self) -> Reading {
            let micros = |id| {
                let at = clock_gettime(id);
                at.tv_sec as u64 * 1_000_000 + at.tv_nsec as u64 / 1_000
            };
            let reading = Reading {
                boot: Boot::default(),
                since_boot: micros(ClockId::Monotonic),
                wall: micros(ClockId::Realtime),
            };
            if !self.0.swap(true, Ordering::Relaxed) {
                kill_process(getpid(), Signal::STOP).unwrap();
            }
            reading
        }
    }
    let clock = Arc::new(Stops(AtomicBool::new(false)));
    let files = FileBackend::open_with_clock(directory, clock).unwrap();
    println!("{:?}", block_on(files.call(LIMIT, quick(1))));
}

/// One call of a process whose files may not be longer than this: its writes end where they are cut off.
fn small(directory: &str, bytes: u64) {
    // SAFETY: the signal is ignored, no handler runs.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let limit = rustix::process::Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    let files = FileBackend::open(directory).unwrap();
    let answer = block_on(files.call(LIMIT, quick(1)));
    // A pipe is not a file.
    println!("{answer:?}");
}

/// Gives up the rights of root, if this has them.
fn become_nobody() {
    // SAFETY: both only concern this process, which has one thread.
    unsafe {
        if libc::geteuid() == 0 {
            assert_eq!(libc::setgid(65_534), 0);
            assert_eq!(libc::setuid(65_534), 0);
        }
    }
}

pub(crate) fn append(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap()
}

/// One record, in one write, which survives a SIGKILL.
pub(crate) fn write(mut log: &File, numbers: [u64; 3]) {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    log.write_all(&bytes).unwrap();
}

/// All records of a log.
pub(crate) fn records(log: &Path) -> Vec<[u64; 3]> {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(log) {
        file.read_to_end(&mut bytes).unwrap();
    }
    let numbers: Vec<u64> = bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|b| u64::from_le_bytes(*b))
        .collect();
    numbers.as_chunks::<3>().0.to_vec()
}

/// The slots of these logs that were granted and not offered back.
pub(crate) fn granted(logs: &[impl AsRef<Path>]) -> Granted {
    let mut granted = Granted::default();
    for log in logs {
        for [start, count, interval] in records(log.as_ref()) {
            match count {
                0 => granted.remove_slot(start),
                _ => granted.extend(start, count, interval),
            }
        }
    }
    granted
}

/// A backend that writes down each grant, `[start, count, interval]`, and before it is sent each slot that is offered back, with a count of 0.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) backend: FileBackend,
    pub(crate) log: File,
}

impl Backend for Recorded {
    fn call<'a>(&'a self, limit: &'a str, call: Call) -> Answer<'a, Reply> {
        if let Action::GiveBack { slots, .. } = &call.action {
            for run in slots {
                for n in 0..u64::from(run.count) {
                    write(&self.log, [run.first + n * run.step, 0, 0]);
                }
            }
        }
        Box::pin(async move {
            let reply = self.backend.call(limit, call).await?;
            for run in &reply.slots {
                write(&self.log, [run.first, u64::from(run.count), run.step]);
            }
            Ok::<_, BackendError>(reply)
        })
    }

    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        self.backend.look(limit)
    }
}

/// Whether `check` is true in a forked child, within 60 seconds.
pub(crate) fn forked(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `check` and ends without returning to the test. What `check` uses that other threads of this
    // process may hold at the moment (the allocator) is made safe for a fork by the C library.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    if child == 0 {
        // SAFETY: both only concern the child's own process.
        unsafe {
            libc::alarm(60);
            libc::_exit(i32::from(!check()));
        }
    }
    let mut status = -1;
    // SAFETY: `status` lives through the call, and `child` is this process's own.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    waited == child && status == 0
}
