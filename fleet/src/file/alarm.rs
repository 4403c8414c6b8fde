//! [`Alarm`]: wakes callers who have to try again later. Its thread is there only while somebody has to, and a second longer.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::guarded::{guarded, lock};

/// How long the thread stays when there is nobody to wake.
const LINGER: Duration = Duration::from_secs(1);

pub(super) struct Alarm {
    shared: Arc<Shared>,
    /// Where this was made.
    process: u32,
}

#[derive(Default)]
struct Shared {
    list: Mutex<List>,
    changed: Condvar,
}

#[derive(Default)]
struct List {
    due: Vec<(Instant, Waker)>,
    /// The process whose thread serves it.
    served_by: Option<u32>,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::default(),
            process: std::process::id(),
        }
    }

    /// Wakes `waker` so long from now, or at once if there can be no thread for it.
    pub(super) fn wake_after(&self, delay: Duration, waker: &Waker) {
        let Some(own) = guarded(|| waker.clone()) else {
            return;
        };
        let this = std::process::id();
        let Some(mut list) = lock(&self.shared.list, self.process) else {
            // A forked child that found it locked.
            guarded(|| own.wake());
            return;
        };
        let mut of_parent = Vec::new();
        if list.served_by != Some(this) {
            of_parent = mem::take(&mut list.due);
            let shared = Arc::clone(&self.shared);
            let thread = thread::Builder::new().name("apiqueue-file".to_owned());
            if thread.spawn(move || shared.serve()).is_err() {
                drop(list);
                guarded(|| own.wake());
                return;
            }
            list.served_by = Some(this);
        }
        list.due.push((Instant::now() + delay, own));
        drop(list);
        self.shared.changed.notify_one();
        // Those of a parent, whose thread this process does not have: they are its own affair.
        of_parent.into_iter().for_each(mem::forget);
    }
}

impl Shared {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut list = self.list();
        loop {
            let now = Instant::now();
            let due: Vec<_> = list.due.extract_if(.., |(at, _)| *at <= now).collect();
            if !due.is_empty() {
                drop(list);
                for (_, waker) in due {
                    guarded(|| waker.wake());
                }
                list = self.list();
                continue;
            }
            let next = list.due.iter().map(|(at, _)| *at).min();
            let span = next.map_or(LINGER, |at| at - now);
            let (again, waited) = self
                .changed
                .wait_timeout(list, span)
                .unwrap_or_else(PoisonError::into_inner);
            list = again;
            if next.is_none() && waited.timed_out() && list.due.is_empty() {
                list.served_by = None;
                return;
            }
        }
    }
}
