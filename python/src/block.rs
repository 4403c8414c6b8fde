//! Waits that block a thread, without the interpreter's lock.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::errors::closed;
use crate::exit::without_gil;

/// How long the main thread waits at most before it looks for signals.
const SLICE: Duration = Duration::from_millis(20);

/// What `threading` calls the thread that signals are handled on.
static MAIN: AtomicU64 = AtomicU64::new(0);
static GET_IDENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Says which thread signals are handled on, by its `ident`. Asked for at each wait, `threading` would run Python code below this one, in
/// which a thread that the interpreter ends must not be.
#[pyfunction]
pub(crate) fn set_main_thread(ident: u64) {
    MAIN.store(ident, Ordering::Relaxed);
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let get_ident = GET_IDENT.get_or_try_init(py, || {
        py.import("_thread")?
            .getattr("get_ident")
            .map(Bound::unbind)
    })?;
    let ident: u64 = get_ident.call0(py)?.extract(py)?;
    Ok(ident == MAIN.load(Ordering::Relaxed))
}

/// What `poll` comes to; None when `until` came first. On the main thread signals are handled meanwhile, and what they raise ends the wait.
pub(crate) fn block_on<T: Send>(
    py: Python<'_>,
    until: Option<Instant>,
    mut poll: impl FnMut(&Waker) -> Poll<T> + Send,
) -> PyResult<Option<T>> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let is_main = is_main_thread(py)?;
    loop {
        let slice = is_main.then(|| Instant::now() + SLICE);
        let end = until.into_iter().chain(slice).min();
        let done = without_gil(py, || park(&waker, end, &mut poll));
        if done.is_some() || until.is_some_and(|until| until <= Instant::now()) {
            return Ok(done);
        }
        py.check_signals()?;
    }
}

/// What a stop came to. One that a signal ends goes on.
pub(crate) fn stopped<T: Send>(
    py: Python<'_>,
    stop: impl Future<Output = T> + Send,
) -> PyResult<T> {
    let mut stop = pin!(stop);
    let done = block_on(py, None, |waker| {
        stop.as_mut().poll(&mut Context::from_waker(waker))
    })?;
    done.ok_or_else(closed)
}

fn park<T>(
    waker: &Waker,
    until: Option<Instant>,
    poll: &mut impl FnMut(&Waker) -> Poll<T>,
) -> Option<T> {
    loop {
        if let Poll::Ready(done) = poll(waker) {
            return Some(done);
        }
        match until {
            None => thread::park(),
            Some(until) => match until.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => thread::park_timeout(left),
                _ => return None,
            },
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
