//! The built binary, in a place of its own.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing here takes so long, however busy the machine is.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A directory for shared limits and files.
pub(crate) struct Rig {
    folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command; its limits are in this place.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apiqueue"));
        self.here(command.args(words));
        command
    }

    /// With its limits in this place, and nothing to read.
    fn here<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("APIQUEUE_DIR", self.path("limits"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
    }

    /// What `shell` makes of `script`, in which the command is `"$0"`.
    pub(crate) fn shell(&self, shell: &str, script: &str) -> Done {
        let command = env!("CARGO_BIN_EXE_apiqueue");
        Done::of(
            self.here(Command::new(shell).args(["-c", script, command]))
                .spawn()
                .unwrap(),
        )
    }

    pub(crate) fn run(&self, words: &[&str]) -> Done {
        Done::of(self.command(words).spawn().unwrap())
    }

    pub(crate) fn run_with(&self, words: &[&str], input: &[u8]) -> Done {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
        // Whoever does not read to the end is none of this one's concern.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let done = Done::of(child);
        writer.join().unwrap();
        done
    }

    /// What a job has appended to a file, by lines.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// How a command has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn of(child: Child) -> Self {
        let id = child.id();
        let (end, over) = std::sync::mpsc::channel::<()>();
        // A command that hangs is killed, and seen by its signal.
        let watch = thread::spawn(move || {
            if over
                .recv_timeout(LONG)
                .is_err_and(|why| why == std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                signal_to(id, Signal::KILL);
            }
        });
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output().unwrap();
        drop(end);
        watch.join().unwrap();
        Self {
            code: status.code(),
            out: stdout,
            err: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }
}

pub(crate) fn signal_to(id: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    // It may have ended.
    let _ = kill_process(pid, signal);
}

/// Until `what` is so.
pub(crate) fn until(what: impl Fn() -> bool) {
    let since = Instant::now();
    while !what() {
        assert!(since.elapsed() < LONG, "it never came to that");
        thread::sleep(Duration::from_millis(5));
    }
}
