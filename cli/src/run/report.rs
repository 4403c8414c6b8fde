//! [`Report`]: how it goes, as a line on a terminal, a log elsewhere, or events for programs.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::input::Item;
use super::job::Ended;

const LOOK: &str = "{spinner} {pos} of {msg}";
/// How often a terminal is drawn, and how often a log tells how it goes.
const DRAW: Duration = Duration::from_millis(200);
const LOG: Duration = Duration::from_secs(10);

enum To {
    Terminal(ProgressBar),
    Log,
    Events(Mutex<Box<dyn Write + Send>>),
    Nobody,
}

/// Counts, and tells.
pub(super) struct Report {
    to: To,
    began: Instant,
    pub(super) started: AtomicU64,
    pub(super) succeeded: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) retried: AtomicU64,
    held_until: Mutex<Option<Instant>>,
    over: Mutex<bool>,
    ended: Condvar,
}

/// What is counted elsewhere.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// How many lines there are; none where the end was not seen.
    pub(super) total: Option<u64>,
    pub(super) running: usize,
    /// From one start to the next.
    pub(super) interval: Duration,
}

impl Report {
    /// `events` is a file for JSON, or standard error where its name is `-`.
    pub(super) fn new(events: Option<&str>, is_quiet: bool) -> io::Result<Self> {
        let to = match events {
            Some("-") => To::Events(Mutex::new(Box::new(io::stderr()))),
            Some(path) => To::Events(Mutex::new(Box::new(File::create(path)?))),
            None if is_quiet => To::Nobody,
            None if io::stderr().is_terminal() => To::Terminal(bar()),
            None => To::Log,
        };
        Ok(Self {
            to,
            began: Instant::now(),
            started: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            held_until: Mutex::new(None),
            over: Mutex::new(false),
            ended: Condvar::new(),
        })
    }

    /// Calls `write` while nothing else is on the terminal.
    pub(super) fn around(&self, write: &mut dyn FnMut()) {
        match &self.to {
            To::Terminal(bar) => bar.suspend(write),
            _ => write(),
        }
    }

    /// Shows how it goes, until [`over`](Self::over).
    pub(super) fn watch(&self, seen: impl Fn() -> Seen) {
        let pause = match &self.to {
            To::Terminal(_) => DRAW,
            To::Log => LOG,
            To::Events(_) | To::Nobody => return,
        };
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            let waited = self.ended.wait_timeout(over, pause);
            over = waited.unwrap_or_else(PoisonError::into_inner).0;
            match &self.to {
                To::Terminal(bar) => {
                    bar.set_position(self.done());
                    bar.set_message(self.status(seen()));
                    bar.tick();
                }
                _ if !*over => self.say(&format!("{} of {}", self.done(), self.status(seen()))),
                _ => {}
            }
        }
    }

    /// Nothing more is to be shown but what has come of it.
    pub(super) fn over(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ended.notify_all();
    }

    fn done(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }

    fn status(&self, seen: Seen) -> String {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let elapsed = self.began.elapsed().as_secs_f64();
        let rate = count(&self.started) as f64 / elapsed.max(1e-3);
        let total = seen.total.map_or("?".to_owned(), |total| total.to_string());
        let mut text = format!("{total}, {rate:.1}/s, {} running", seen.running);
        if let Some(total) = seen.total {
            let left = total.saturating_sub(self.done());
            let left = seen
                .interval
                .saturating_mul(u32::try_from(left).unwrap_or(u32::MAX));
            text.push_str(&format!(", {} left", clock(left)));
        }
        for (what, of) in [("failed", &self.failed), ("tried again", &self.retried)] {
            let count = count(of);
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        let held = *self
            .held_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let held = held.map(|until| until.saturating_duration_since(Instant::now()));
        if let Some(held) = held.filter(|held| !held.is_zero()) {
            text.push_str(&format!(", held for {:.1} s", held.as_secs_f64()));
        }
        text
    }

    pub(super) fn started(&self, item: &Item) {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.event(
            "start",
            || json!({"number": item.number, "line": text(&item.line)}),
        );
    }

    pub(super) fn ended(&self, item: &Item, ended: Ended, took: Duration, is_retried: bool) {
        let count = match (is_retried, ended.is_success()) {
            (true, _) => &self.retried,
            (_, true) => &self.succeeded,
            (_, false) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.event("end", || {
            let (exit, signal) = match ended {
                Ended::Exit(code) => (Some(code), None),
                Ended::Signal(signal) => (None, Some(signal)),
            };
            json!({
                "number": item.number,
                "exit": exit,
                "signal": signal,
                "seconds": took.as_secs_f64(),
                "retried": is_retried,
            })
        });
        if !ended.is_success() && !is_retried {
            let how = match ended {
                Ended::Exit(code) => format!("exit code {code}"),
                Ended::Signal(signal) => format!("signal {signal}"),
            };
            self.say(&format!(
                "line {}, {:?}: {how}",
                item.number,
                text(&item.line)
            ));
        }
    }

    /// Its command could not be run at all.
    pub(super) fn not_run(&self, item: &Item, why: &io::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.event(
            "end",
            || json!({"number": item.number, "error": why.to_string()}),
        );
        let text = format!("line {}, {:?}: {why}", item.number, text(&item.line));
        match &self.to {
            // A job that fails has said so itself. This one could not.
            To::Nobody => drop(writeln!(io::stderr(), "apiqueue: {text}")),
            _ => self.say(&text),
        }
    }

    pub(super) fn held(&self, item: &Item, code: i32, span: Duration) {
        *self
            .held_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now().checked_add(span);
        let seconds = span.as_secs_f64();
        self.event(
            "hold",
            || json!({"number": item.number, "seconds": seconds}),
        );
        self.say(&format!(
            "line {}: exit code {code}: nothing starts for {seconds} s, then it is tried again",
            item.number
        ));
    }

    /// What the user is to know.
    pub(super) fn news(&self, news: &str) {
        self.event("news", || json!({"text": news}));
        self.say(news);
    }

    /// The same, in `--quiet` too: what the shared limit does is not how it goes, but why.
    pub(super) fn warn(&self, news: &str) {
        match &self.to {
            To::Nobody => drop(writeln!(io::stderr(), "apiqueue: {news}")),
            _ => self.news(news),
        }
    }

    /// What has come of it.
    pub(super) fn sum_up(&self, unstarted: u64) {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let seconds = self.began.elapsed().as_secs_f64();
        let (succeeded, failed) = (count(&self.succeeded), count(&self.failed));
        let retried = count(&self.retried);
        self.event("summary", || {
            json!({
                "succeeded": succeeded,
                "failed": failed,
                "retried": retried,
                "not_started": unstarted,
                "seconds": seconds,
            })
        });
        if let To::Terminal(bar) = &self.to {
            bar.finish_and_clear();
        }
        let mut text = format!("{succeeded} done, {failed} failed, in {seconds:.1} s");
        if retried > 0 {
            text.push_str(&format!(", {retried} tried again"));
        }
        if unstarted > 0 {
            text.push_str(&format!(", {unstarted} not started"));
        }
        self.say(&text);
    }

    fn event(&self, name: &str, fields: impl FnOnce() -> Value) {
        let To::Events(to) = &self.to else {
            return;
        };
        let mut event = json!({"event": name, "time": now()});
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields()) {
            event.extend(fields);
        }
        let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever reads them may be gone: the jobs go on.
        let _ = writeln!(to, "{event}").and_then(|()| to.flush());
    }

    fn say(&self, text: &str) {
        let write = || {
            let _ = writeln!(io::stderr(), "apiqueue: {text}");
        };
        match &self.to {
            To::Terminal(bar) => bar.suspend(write),
            To::Log => write(),
            To::Events(_) | To::Nobody => {}
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(LOOK);
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// 1:02:03, or 2:03.
fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}
