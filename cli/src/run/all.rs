//! A run from start to end.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::Args;
use super::halt::Halt;
use super::input::Input;
use super::job::Jobs;
use super::output::{Output, Written};
use super::report::{Report, Seen};
use super::template::Template;
use super::work::{Retry, State, Work};
use crate::error::{Failure, Outcome};
use crate::pace::Demand;
use crate::signals;

/// Other trouble than failed jobs, as GNU parallel has it.
const TROUBLE: u8 = 255;
/// How long jobs that are asked to end have before they are killed.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A worker's stack.
const STACK: usize = 256 * 1024;

/// Those of the command line.
type Lines = Vec<Vec<u8>>;

pub(super) fn run(args: Args) -> Outcome {
    prepare(args)
        .and_then(|(work, workers)| finish(&work, workers))
        .map_err(|failure| failure.or_code(TROUBLE))
}

fn prepare(args: Args) -> Result<(Arc<Work>, u16), Failure> {
    let halt = Halt::parse(&args.halt)
        .map_err(|why| Failure::usage(format_args!("--halt {:?}: {why}", args.halt)))?;
    let (words, lines) = split(args.command)?;
    let report = Report::new(args.json.as_deref(), args.quiet)
        .map_err(|why| Failure::trouble(format_args!("--json: {why}")))?;
    let report = Arc::new(report);
    let output = match args.ungroup {
        true => None,
        false => Some(open_output(args.keep_order).map_err(Failure::trouble)?),
    };
    let told = report.clone();
    let line = args
        .pace
        .open(Demand::Many, &what(&words), move |news| told.warn(news))?;
    let separator = if args.null { 0 } else { b'\n' };
    let input = match lines {
        Some(lines) => Arc::new(Input::of(lines)),
        None => Input::of_stdin(separator)
            .map_err(|why| Failure::trouble(format_args!("no thread for the input: {why}")))?,
    };
    let work = Work {
        line,
        input,
        template: Template::new(words),
        jobs: Jobs::default(),
        output,
        report,
        retry: Retry {
            codes: args.retry_after_exit,
            hold: args.hold,
            times: args.retries,
        },
        halt,
        state: Mutex::new(State::default()),
        order: Mutex::new(()),
        unstarted: AtomicU64::new(0),
        signal: AtomicI32::new(0),
    };
    Ok((Arc::new(work), args.jobs))
}

/// Where there is no place for a job's output, none is started.
fn open_output(keeps_order: bool) -> io::Result<Output> {
    Written::new()?;
    Output::new(keeps_order)
}

/// What this runs, for others to see.
fn what(words: &[OsString]) -> String {
    let program = words.first().map(Path::new).and_then(Path::file_name);
    format!("run-{}", program.unwrap_or_default().display())
}

/// The command, and the lines after `:::`.
fn split(mut command: Vec<OsString>) -> Result<(Vec<OsString>, Option<Lines>), Failure> {
    let Some(at) = command.iter().position(|word| word.as_bytes() == b":::") else {
        return Ok((command, None));
    };
    let lines = command.split_off(at).into_iter().skip(1);
    let lines: Lines = lines.map(OsString::into_vec).collect();
    if command.is_empty() {
        return Err(Failure::usage("say a command before :::"));
    }
    if lines.iter().any(|line| line == b":::") {
        return Err(Failure::usage("::: more than once: all lines go after one"));
    }
    Ok((command, Some(lines)))
}

fn finish(work: &Arc<Work>, workers: u16) -> Outcome {
    let caught = work.clone();
    signals::on_end(move |signal, count| end(&caught, signal, count))?;
    let most = work.input.total().map_or(u64::MAX, |total| total.max(1));
    let workers = u64::from(workers).min(most);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            work.report.watch(|| Seen {
                total: work.input.total(),
                running: work.jobs.count(),
                interval: work.line.queue.rate().interval(),
            });
        });
        let threads: Result<Vec<_>, _> = (0..workers)
            .map(|_| {
                let builder = thread::Builder::new().stack_size(STACK);
                builder.spawn_scoped(scope, || work.run())
            })
            .collect();
        match threads {
            Ok(threads) => threads.into_iter().for_each(|thread| drop(thread.join())),
            Err(why) => {
                work.stop();
                let why = Failure::trouble(format_args!("no thread for -j {workers}: {why}"));
                work.lock().failure.get_or_insert(why);
            }
        }
        work.report.over();
        drop(watch.join());
    });
    if let Some(output) = &work.output {
        work.check_written(output.finish(&|write| work.report.around(write)));
    }
    work.line.leave();
    if let Some(error) = work.input.error() {
        let why = Failure::trouble(format_args!("standard input can't be read: {error}"));
        work.lock().failure.get_or_insert(why);
    }
    let unstarted = work.unstarted.load(Ordering::Relaxed) + work.input.left();
    work.report.sum_up(unstarted);
    outcome(work)
}

fn outcome(work: &Work) -> Outcome {
    let mut state = work.lock();
    if let Some(failure) = state.failure.take() {
        return Err(failure);
    }
    if let Some(code) = state.halted {
        return Ok(ExitCode::from(code));
    }
    match work.signal.load(Ordering::SeqCst) {
        0 => {
            let failed = work.report.failed.load(Ordering::Relaxed).min(101);
            Ok(ExitCode::from(u8::try_from(failed).unwrap_or(101)))
        }
        signal => Ok(ExitCode::from(signals::exit_code(signal))),
    }
}

/// The first signal starts no more, the second ends those that run, and a third one at once.
fn end(work: &Arc<Work>, signal: i32, count: u32) {
    work.signal.store(signal, Ordering::SeqCst);
    match count {
        1 => {
            let running = work.jobs.count();
            work.report.news(&format!(
                "no more jobs are started; {running} go on. Once more ends them, too"
            ));
            work.stop();
        }
        2 => {
            work.jobs.signal(Signal::TERM);
            let work = work.clone();
            // On a thread of its own, for the third. Where there is none, they are killed at once.
            let later = thread::Builder::new().spawn({
                let work = work.clone();
                move || {
                    thread::sleep(LAST_WORDS);
                    work.jobs.signal(Signal::KILL);
                }
            });
            if later.is_err() {
                work.jobs.signal(Signal::KILL);
            }
        }
        _ => work.jobs.signal(Signal::KILL),
    }
}
