//! [`Jobs`]: the commands that run, and how they are ended.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::output::Written;

/// How a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Exit(i32),
    Signal(i32),
}

impl Ended {
    fn of(status: ExitStatus) -> Self {
        match status.code() {
            Some(code) => Self::Exit(code),
            None => Self::Signal(status.signal().unwrap_or(0)),
        }
    }

    pub(super) fn is_success(self) -> bool {
        self == Self::Exit(0)
    }

    /// As a shell tells it.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Exit(code) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
            Self::Signal(signal) => crate::signals::exit_code(signal),
        }
    }
}

/// Those that run.
#[derive(Default)]
pub(super) struct Jobs {
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    by_number: HashMap<u64, Pid>,
    /// No more are started.
    is_over: bool,
}

/// Where a command writes to.
pub(super) enum To<'a> {
    /// Where this process does.
    Here,
    Files(&'a Written),
}

impl Jobs {
    /// Starts a command in a process group of its own, so that Ctrl-C does not end it, with nothing on its standard input.
    ///
    /// # Errors
    /// The system's: there is no such program, its arguments are too long, there are too many processes.
    pub(super) fn start(&self, number: u64, words: &[OsString], to: &To<'_>) -> io::Result<Child> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .process_group(0);
        if let To::Files(files) = to {
            command
                .stdout(files.out.try_clone()?)
                .stderr(files.err.try_clone()?);
        }
        let child = command.spawn()?;
        let mut running = self.lock();
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            running.by_number.insert(number, pid);
            if running.is_over {
                let _ = kill_process_group(pid, Signal::KILL);
            }
        }
        Ok(child)
    }

    /// Waits for its end.
    pub(super) fn wait(&self, number: u64, child: &mut Child) -> io::Result<Ended> {
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // Its number is not given to another process before it is waited for below: nobody else is killed in its place.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        }
        let mut running = self.lock();
        running.by_number.remove(&number);
        let status = child.wait()?;
        Ok(Ended::of(status))
    }

    /// Sends a signal to all that run, and to what they have started in their groups.
    pub(super) fn signal(&self, signal: Signal) {
        let mut running = self.lock();
        running.is_over |= signal == Signal::KILL;
        for pid in running.by_number.values() {
            // It may have ended this moment.
            let _ = kill_process_group(*pid, signal);
        }
    }

    /// How many run.
    pub(super) fn count(&self) -> usize {
        self.lock().by_number.len()
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
