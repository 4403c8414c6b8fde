//! [`Work`]: takes lines, waits for turns, runs commands.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::Child;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::Stop;
use rustix::io::Errno;
use rustix::process::Signal;

use super::halt::Halt;
use super::input::{Input, Item};
use super::job::{Ended, Jobs, To};
use super::output::{Output, Written};
use super::report::Report;
use super::template::Template;
use crate::error::{Failure, unwritten};
use crate::pace::{End, Line};

/// How long a job waits for what others have, and between two tries.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// How often a hold in a row is doubled.
const DOUBLINGS: u32 = 6;

/// What is done with a job that asks for another try.
pub(super) struct Retry {
    pub(super) codes: Vec<u8>,
    /// The first hold.
    pub(super) hold: Duration,
    /// How often a line is tried again.
    pub(super) times: u32,
}

/// What all workers have in common.
pub(super) struct Work {
    pub(super) line: Line,
    pub(super) input: Arc<Input>,
    pub(super) template: Template,
    pub(super) jobs: Jobs,
    /// None where jobs write where this process does.
    pub(super) output: Option<Output>,
    pub(super) report: Arc<Report>,
    pub(super) retry: Retry,
    pub(super) halt: Option<Halt>,
    pub(super) state: Mutex<State>,
    /// A line and a place in the queue are taken together, so that commands start in the order of the lines.
    pub(super) order: Mutex<()>,
    pub(super) unstarted: AtomicU64,
    /// The signal that asked to end; 0 for none.
    pub(super) signal: AtomicI32,
}

#[derive(Default)]
pub(super) struct State {
    is_stopping: bool,
    /// The exit code of the job that a halt came with.
    pub(super) halted: Option<u8>,
    pub(super) failure: Option<Failure>,
    /// The latest hold: since when, until when, and how many there were in a row.
    held: Option<(Instant, Instant, u32)>,
}

/// Whether others have all that there is of something.
fn is_scarce(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(
        errno,
        Some(Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOMEM)
    )
}

impl Work {
    /// Runs jobs, one after the other, until there are no lines left.
    pub(super) fn run(&self) {
        while let Some((item, waiter)) = self.next() {
            let mut waiter = Some(waiter);
            let mut tries = 0;
            while let Some(place) = waiter.take() {
                let again = match self.line.wait(place) {
                    Ok(turn) if self.is_stopping() => {
                        turn.give_back();
                        self.not_started(&item);
                        false
                    }
                    Ok(_turn) => self.try_once(&item, tries),
                    Err(why) => {
                        self.closed(why);
                        self.not_started(&item);
                        false
                    }
                };
                if again {
                    tries += 1;
                    match self.line.enqueue() {
                        Ok(place) => waiter = Some(place),
                        Err(_) => self.not_started(&item),
                    }
                }
            }
        }
    }

    fn next(&self) -> Option<(Item, apiqueue::Waiter)> {
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let item = self.input.next()?;
        match self.line.enqueue() {
            Ok(waiter) => Some((item, waiter)),
            Err(why) => {
                self.closed(why);
                self.not_started(&item);
                None
            }
        }
    }

    /// Says whether it is to be tried again.
    fn try_once(&self, item: &Item, tries: u32) -> bool {
        let words = self.template.fill(&item.line, item.number);
        let began = Instant::now();
        let started = self.start(item, &words).and_then(|(files, mut child)| {
            self.report.started(item);
            Ok((files, self.jobs.wait(item.number, &mut child)?))
        });
        let (files, ended) = match started {
            Ok(ended) => ended,
            Err(error) => {
                self.not_run(item, &error);
                self.show(item, None);
                return false;
            }
        };
        let again = self.asks_again(ended).filter(|_| tries < self.retry.times);
        let again = again.filter(|_| !self.is_stopping());
        self.report
            .ended(item, ended, began.elapsed(), again.is_some());
        if let Some(code) = again {
            self.hold(item, code, began);
            // What a try has written that was not the last one is nobody's result.
            return true;
        }
        self.show(item, files);
        self.count(ended);
        false
    }

    /// Where the system has no file or process left, the end of another job may free one: that is waited for.
    fn start(&self, item: &Item, words: &[OsString]) -> io::Result<(Option<Written>, Child)> {
        let since = Instant::now();
        loop {
            let files = self.output.as_ref().map(|_| Written::new()).transpose();
            let started = files.and_then(|files| {
                let to = files.as_ref().map_or(To::Here, To::Files);
                let child = self.jobs.start(item.number, words, &to)?;
                Ok((files, child))
            });
            match started {
                Err(error) if is_scarce(&error) && since.elapsed() < PATIENCE => {
                    thread::sleep(PAUSE);
                }
                other => return other,
            }
        }
    }

    fn asks_again(&self, ended: Ended) -> Option<i32> {
        match ended {
            Ended::Exit(code) if self.retry.codes.iter().any(|one| i32::from(*one) == code) => {
                Some(code)
            }
            _ => None,
        }
    }

    /// Holds the line. Longer, if this try was begun after the hold before it; jobs that ran at that time tell nothing new.
    fn hold(&self, item: &Item, code: i32, began: Instant) {
        let now = Instant::now();
        let mut state = self.lock();
        let in_a_row = match state.held {
            Some((since, _, _)) if began < since => return,
            Some((_, _, in_a_row)) => (in_a_row + 1).min(DOUBLINGS),
            None => 0,
        };
        let span = self.retry.hold.saturating_mul(1 << in_a_row);
        state.held = now.checked_add(span).map(|until| (now, until, in_a_row));
        drop(state);
        self.report.held(item, code, span);
        if let Err(why) = self.line.queue.hold_for(span) {
            self.report.news(&why.to_string());
        }
    }

    fn count(&self, ended: Ended) {
        if ended.is_success() {
            self.lock().held = None;
        }
        let Some(halt) = self.halt else {
            return;
        };
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let (failed, succeeded) = (count(&self.report.failed), count(&self.report.succeeded));
        let mut state = self.lock();
        if state.halted.is_some() || !halt.is_met(failed, succeeded, !ended.is_success()) {
            return;
        }
        state.halted = Some(ended.code());
        drop(state);
        self.report.news("no more jobs are started, as --halt says");
        self.stop();
        if halt.is_now {
            self.jobs.signal(Signal::KILL);
        }
    }

    fn not_run(&self, item: &Item, error: &io::Error) {
        self.report.not_run(item, error);
        let code = match error.kind() {
            ErrorKind::NotFound => 127,
            ErrorKind::PermissionDenied => 126,
            _ => return self.count(Ended::Exit(127)),
        };
        if self.template.has_one_program() {
            self.fail(Failure::new(code, "no line's command can be run"));
        } else {
            self.count(Ended::Exit(code.into()));
        }
    }

    fn show(&self, item: &Item, files: Option<Written>) {
        let Some(output) = &self.output else {
            return;
        };
        let shown = output.show(item.number, files, &|write| self.report.around(write));
        self.check_written(shown);
    }

    /// Nobody reads any more: no job is started whose output nobody would see.
    pub(super) fn check_written(&self, shown: io::Result<()>) {
        if let Err(error) = shown {
            self.fail(match error.kind() {
                ErrorKind::BrokenPipe => Failure::new(141, "the reader of standard output is gone"),
                _ => unwritten(error),
            });
        }
    }

    fn not_started(&self, item: &Item) {
        self.unstarted.fetch_add(1, Ordering::Relaxed);
        self.show(item, None);
    }

    fn closed(&self, why: End) {
        if let End::Failed(failure) = why {
            self.fail(failure);
        }
    }

    fn fail(&self, failure: Failure) {
        self.lock().failure.get_or_insert(failure);
        self.stop();
    }

    /// Starts no more. Those that run go on.
    pub(super) fn stop(&self) {
        self.lock().is_stopping = true;
        self.input.stop();
        self.line.queue.stop(Stop::Now);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
