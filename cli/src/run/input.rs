//! [`Input`]: the lines, read ahead as far as memory is not the worse for it.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// How many lines are read ahead, and how many bytes of them.
const MOST_LINES: usize = 100_000;
const MOST_BYTES: usize = 16 << 20;

/// A line, and which one it is, from 1 on.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) line: Vec<u8>,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    taken: u64,
    is_at_end: bool,
    is_stopped: bool,
    error: Option<io::Error>,
}

/// The lines that are still to be done.
#[derive(Default)]
pub(super) struct Input {
    state: Mutex<State>,
    changed: Condvar,
}

impl Input {
    /// These lines.
    pub(super) fn of(lines: Vec<Vec<u8>>) -> Self {
        let state = State {
            lines: lines.into(),
            is_at_end: true,
            ..State::default()
        };
        Self {
            state: state.into(),
            changed: Condvar::new(),
        }
    }

    /// The lines of standard input, which a thread of its own reads from now on.
    pub(super) fn of_stdin(separator: u8) -> io::Result<Arc<Self>> {
        let input = Arc::new(Self::default());
        let reader = input.clone();
        thread::Builder::new()
            .name("apiqueue-input".to_owned())
            .spawn(move || {
                let read = reader.read_all(BufReader::new(io::stdin()), separator);
                let mut state = reader.lock();
                state.is_at_end = true;
                state.error = read.err();
                reader.changed.notify_all();
            })?;
        Ok(input)
    }

    fn read_all(&self, mut from: impl BufRead, separator: u8) -> io::Result<()> {
        loop {
            let mut line = Vec::new();
            if from.read_until(separator, &mut line)? == 0 {
                return Ok(());
            }
            if line.last() == Some(&separator) {
                line.pop();
            }
            let mut state = self.lock();
            while state.lines.len() >= MOST_LINES || state.bytes >= MOST_BYTES {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if state.is_stopped {
                return Ok(());
            }
            state.bytes += line.len();
            state.lines.push_back(line);
            self.changed.notify_all();
        }
    }

    /// The next line; waits for it. None at the end, and after a stop.
    pub(super) fn next(&self) -> Option<Item> {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some(line) = state.lines.pop_front() {
                state.bytes = state.bytes.saturating_sub(line.len());
                state.taken += 1;
                self.changed.notify_all();
                let number = state.taken;
                return Some(Item { number, line });
            }
            if state.is_at_end {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives out no more.
    pub(super) fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }

    /// How many lines there are in all, where the end was seen.
    pub(super) fn total(&self) -> Option<u64> {
        let state = self.lock();
        state
            .is_at_end
            .then(|| state.taken + state.lines.len() as u64)
    }

    /// How many were read and not given out.
    pub(super) fn left(&self) -> u64 {
        self.lock().lines.len() as u64
    }

    /// What has ended the input before its end.
    pub(super) fn error(&self) -> Option<io::Error> {
        self.lock().error.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
