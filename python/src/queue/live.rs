//! [`Live`]: the queue of this process, which starts, stops, and starts anew in a forked child.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::errors::{closed, config};
use crate::exit::generation;
use crate::registry::Registry;
use crate::settings::Settings;

pub(super) struct Live {
    origin: Origin,
    state: Mutex<State>,
}

enum Origin {
    Own(Box<Settings>),
    /// Of a registry, by its key.
    Keyed(Py<Registry>, String),
}

struct State {
    queue: Option<apiqueue::ApiQueue>,
    generation: u64,
    is_stopped: bool,
    /// Whether it was never started: what comes into line stays there.
    is_paused: bool,
    /// What the rate was set to.
    rate: Option<apiqueue::Rate>,
    /// Until when it was held before it was started.
    held_until: Option<Instant>,
}

impl State {
    /// Has a queue that was paused begin. A hold goes on.
    fn begin(&mut self, queue: &apiqueue::ApiQueue) {
        queue.resume();
        let left = self.held_until.take();
        if let Some(left) = left.and_then(|until| until.checked_duration_since(Instant::now())) {
            // Never an error: it was a shorter one than was allowed.
            let _ = queue.hold_for(left);
        }
    }
}

impl Live {
    pub(super) fn own(settings: Settings) -> PyResult<Self> {
        // What can't be is told now. The queue itself is made when it is known whether it is paused at first.
        settings.start(false)?;
        Ok(Self {
            origin: Origin::Own(Box::new(settings)),
            state: Mutex::new(State {
                queue: None,
                generation: generation(),
                is_stopped: false,
                is_paused: true,
                rate: None,
                held_until: None,
            }),
        })
    }

    pub(super) fn keyed(registry: Py<Registry>, key: String, queue: apiqueue::ApiQueue) -> Self {
        Self {
            origin: Origin::Keyed(registry, key),
            state: Mutex::new(State {
                queue: Some(queue),
                generation: generation(),
                is_stopped: false,
                is_paused: false,
                rate: None,
                held_until: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Held for a look, or to start a queue; never while anything waits, and never while Python code runs.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.generation != generation() {
            // The parent's, with its locks as they were at the fork: not even dropped.
            mem::forget(state.queue.take());
            state.generation = generation();
        }
        state
    }

    /// The queue, paused if it was never started.
    pub(super) fn now(&self, py: Python<'_>) -> PyResult<apiqueue::ApiQueue> {
        let is_paused = {
            let state = self.state();
            if state.is_stopped {
                return Err(closed());
            }
            if let Some(queue) = &state.queue {
                return Ok(queue.clone());
            }
            state.is_paused
        };
        let queue = match &self.origin {
            Origin::Own(settings) => settings.start(is_paused)?,
            Origin::Keyed(registry, key) => match registry.get().live_queue(py, key)? {
                Some(queue) => queue,
                None => return Err(config(format_args!("{key:?} is not limited any more"))),
            },
        };
        let mut state = self.state();
        if state.is_stopped {
            return Err(closed());
        }
        if let Some(rate) = state.rate {
            queue.set_rate(rate);
        }
        // Another thread may have been faster.
        if let Some(queue) = &state.queue {
            return Ok(queue.clone());
        }
        if is_paused && !state.is_paused {
            state.begin(&queue);
        }
        state.queue = Some(queue.clone());
        Ok(queue)
    }

    /// The same, and it releases waiters from now on.
    pub(super) fn running(&self, py: Python<'_>) -> PyResult<apiqueue::ApiQueue> {
        {
            let mut state = self.state();
            if mem::replace(&mut state.is_paused, false)
                && let Some(queue) = state.queue.clone()
            {
                state.begin(&queue);
            }
        }
        self.now(py)
    }

    /// Starts it, also after a stop.
    pub(super) fn start(&self, py: Python<'_>) -> PyResult<()> {
        if matches!(self.origin, Origin::Own(_)) {
            let mut state = self.state();
            if mem::replace(&mut state.is_stopped, false) {
                state.queue = None;
            }
        }
        self.running(py).map(drop)
    }

    /// Releases nobody for so long.
    pub(super) fn hold(&self, py: Python<'_>, time: Duration) -> PyResult<()> {
        self.now(py)?.hold_for(time).map_err(config)?;
        let mut state = self.state();
        if state.is_paused {
            state.held_until = state.held_until.max(Instant::now().checked_add(time));
        }
        Ok(())
    }

    /// Ends a hold, and starts it.
    pub(super) fn resume(&self, py: Python<'_>) -> PyResult<()> {
        self.state().held_until = None;
        self.running(py)?.resume();
        Ok(())
    }

    /// The queue to be stopped, if there is one, and whether it was never started; whoever comes from now on is told.
    pub(super) fn stop(&self) -> Option<(apiqueue::ApiQueue, bool)> {
        let mut state = self.state();
        state.is_stopped = true;
        let was_paused = mem::replace(&mut state.is_paused, false);
        let queue = state.queue.clone()?;
        Some((queue, was_paused))
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().is_stopped
    }

    /// The queue, also one that was stopped.
    pub(super) fn even_stopped(&self, py: Python<'_>) -> PyResult<apiqueue::ApiQueue> {
        let stopped = {
            let state = self.state();
            state.is_stopped.then(|| state.queue.clone()).flatten()
        };
        match stopped {
            Some(queue) => Ok(queue),
            None => self.now(py),
        }
    }

    /// Goes by this rate. One that is stopped begins at it.
    pub(super) fn go_by(&self, py: Python<'_>, rate: apiqueue::Rate) -> PyResult<()> {
        let queue = match self.is_stopped() {
            true => None,
            false => Some(self.now(py)?),
        };
        self.state().rate = Some(rate);
        if let Some(queue) = queue {
            queue.set_rate(rate);
        }
        Ok(())
    }

    /// The rate, stopped or not.
    pub(super) fn rate(&self, py: Python<'_>) -> PyResult<apiqueue::Rate> {
        let told = {
            let state = self.state();
            let own = match &self.origin {
                Origin::Own(settings) => settings.rate,
                Origin::Keyed(..) => None,
            };
            let is_made = state.queue.is_some() && !state.is_stopped;
            state.rate.or(own).filter(|_| !is_made)
        };
        match told {
            Some(rate) => Ok(rate),
            None => Ok(self.even_stopped(py)?.rate()),
        }
    }

    /// The registry that it is of, if it is of one.
    pub(super) fn registry(&self) -> Option<&Py<Registry>> {
        match &self.origin {
            Origin::Own(_) => None,
            Origin::Keyed(registry, _) => Some(registry),
        }
    }

    pub(super) fn name(&self) -> &str {
        match &self.origin {
            Origin::Own(settings) => &settings.name,
            Origin::Keyed(_, key) => key,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.state()
            .queue
            .as_ref()
            .map_or(0, apiqueue::ApiQueue::len)
    }
}
