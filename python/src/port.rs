//! `Port`: where wakers leave word for an event loop.
//!
//! The thread that releases a waiter pushes its number and, where the port was empty, rings: it writes to an eventfd that the loop watches, or wakes
//! a thread that waits in `wait`. It never asks for the interpreter's lock. The loop takes all numbers at once.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use pyo3::prelude::*;

use crate::exit::without_gil;

#[derive(Default)]
struct Word {
    /// Those that were woken.
    ready: Vec<u64>,
    /// Whether the thread that waits has told so and nobody has taken them yet.
    is_told: bool,
    is_closed: bool,
}

struct Shared {
    word: Mutex<Word>,
    bell: Bell,
}

enum Bell {
    #[cfg(target_os = "linux")]
    Event(rustix::fd::OwnedFd),
    Thread(Condvar),
}

impl Shared {
    fn word(&self) -> MutexGuard<'_, Word> {
        // Held for a push or a swap.
        self.word.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        match &self.bell {
            #[cfg(target_os = "linux")]
            Bell::Event(event) => {
                // It fails only where it is about to overflow, and then it is readable.
                let _ = rustix::io::write(event, &1u64.to_ne_bytes());
            }
            Bell::Thread(bell) => bell.notify_one(),
        }
    }
}

/// What wakes one task.
struct Ringer {
    shared: Arc<Shared>,
    number: u64,
}

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut word = self.shared.word();
        let was_empty = word.ready.is_empty();
        word.ready.push(self.number);
        drop(word);
        if was_empty {
            self.shared.ring();
        }
    }
}

/// Where releases leave word for one event loop.
#[pyclass(frozen, module = "apiqueue._apiqueue")]
pub(crate) struct Port {
    shared: Arc<Shared>,
}

impl Port {
    /// Leaves `number` when it is woken.
    pub(crate) fn waker(&self, number: u64) -> Waker {
        let shared = Arc::clone(&self.shared);
        Waker::from(Arc::new(Ringer { shared, number }))
    }
}

#[pymethods]
impl Port {
    /// With a file descriptor to watch, where there is such a thing and it is wanted.
    #[new]
    fn new(with_fd: bool) -> PyResult<Self> {
        let bell = match with_fd {
            #[cfg(target_os = "linux")]
            true => {
                use rustix::event::{EventfdFlags, eventfd};
                let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
                Bell::Event(eventfd(0, flags).map_err(std::io::Error::from)?)
            }
            _ => Bell::Thread(Condvar::new()),
        };
        let word = Mutex::default();
        let shared = Arc::new(Shared { word, bell });
        Ok(Self { shared })
    }

    /// Readable where there is word; None where a thread has to `wait`.
    #[getter]
    fn fd(&self) -> Option<i32> {
        match &self.shared.bell {
            #[cfg(target_os = "linux")]
            Bell::Event(event) => Some(std::os::fd::AsRawFd::as_raw_fd(event)),
            Bell::Thread(_) => None,
        }
    }

    /// The numbers of those that were woken since the last time.
    fn take(&self) -> Vec<u64> {
        #[cfg(target_os = "linux")]
        if let Bell::Event(event) = &self.shared.bell {
            // Before the swap: a ring in between is heard again, for nothing.
            let _ = rustix::io::read(event, &mut [0; 8]);
        }
        let mut word = self.shared.word();
        word.is_told = false;
        mem::take(&mut word.ready)
    }

    /// Blocks until there is word. False once it is closed.
    fn wait(&self, py: Python<'_>) -> bool {
        let shared = &self.shared;
        without_gil(py, || {
            let mut word = shared.word();
            #[allow(
                irrefutable_let_patterns,
                reason = "there is one kind of bell on some systems"
            )]
            if let Bell::Thread(bell) = &shared.bell {
                while (word.ready.is_empty() || word.is_told) && !word.is_closed {
                    word = bell.wait(word).unwrap_or_else(PoisonError::into_inner);
                }
            }
            word.is_told = true;
            !word.is_closed
        })
    }

    /// Ends the thread that waits.
    fn close(&self) {
        self.shared.word().is_closed = true;
        self.shared.ring();
    }
}
