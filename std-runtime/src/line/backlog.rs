//! The backlog: those who wait for room in a full ring, in order.
//!
//! Whoever makes room calls [`Backlog::admit`], which takes places for the first of them and hands them over: who waited wakes
//! up with a place in hand, so that nobody can slip in before and no slot is wasted meanwhile. As long as anybody is in
//! the backlog, others are told that the ring is full.
//!
//! Room is made by `advance` and by waiters who leave; both admit afterwards. A permit that somebody takes while entering
//! makes room too, without admitting; so who joins the backlog wakes the driver, whose `advance` comes after that
//! or has that somebody still in line.
//!
//! In a forked child nobody takes these locks, which another of the parent's threads may have held: whoever would have to wait
//! is told that the queue is closed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use apiqueue_core::EnqueueError;

use crate::guarded::guarded;
use crate::line::Line;
use crate::wait::waiter::Waiter;

/// How many who do not wait any more are kept whatever their part.
const TIDY_ABOVE: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// In the order of coming, with some among them who do not wait any more.
    entries: Mutex<VecDeque<Arc<Entry>>>,
    /// How many wait.
    count: AtomicUsize,
    /// Calls of `admit` that are not answered yet. Who makes it 1 answers them all, so that no two hand out places at the
    /// same time and a waker that calls back here does not wait for itself.
    calls: AtomicUsize,
}

#[derive(Debug)]
struct Entry {
    weight: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Waits(Option<Waker>),
    Answered(Result<Waiter, EnqueueError>),
    /// Has left, or has taken its answer.
    Gone,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No user code runs under these locks, and what they guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        // Ordering: Relaxed; one who joined just now may be overtaken by a caller who came just now.
        self.count.load(Ordering::Relaxed)
    }

    /// Gives free places of `line` to those who wait, the first one first.
    pub(crate) fn admit(&self, line: &Arc<Line>) {
        // Ordering: AcqRel; what made room comes before the look of whoever answers this call.
        if self.len() == 0 || line.is_forked() || self.calls.fetch_add(1, Ordering::AcqRel) != 0 {
            return;
        }
        loop {
            let calls = self.calls.load(Ordering::Acquire);
            while let Some(entry) = self.first() {
                let place = match line.enter(entry.weight) {
                    Err(EnqueueError::Full { .. }) => break,
                    place => place,
                };
                entry.answer(place, &self.count);
            }
            if self
                .calls
                .compare_exchange(calls, 0, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
            {
                return;
            }
        }
    }

    fn first(&self) -> Option<Arc<Entry>> {
        let mut entries = lock(&self.entries);
        while entries.front().is_some_and(|entry| !entry.waits()) {
            entries.pop_front();
        }
        entries.front().cloned()
    }

    /// One who waited has left. Those who have are thrown out when they are the most, so that a leave costs the same however
    /// many wait.
    fn has_left(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        let mut entries = lock(&self.entries);
        if entries.len() > TIDY_ABOVE + 2 * self.len() {
            entries.retain(|entry| entry.waits());
        }
    }
}

impl Entry {
    fn waits(&self) -> bool {
        matches!(*lock(&self.state), State::Waits(_))
    }

    /// If it waits, it is one less of those who do.
    fn answer(&self, place: Result<Waiter, EnqueueError>, waiting: &AtomicUsize) {
        let (waker, refused) = {
            let mut state = lock(&self.state);
            match &mut *state {
                State::Waits(waker) => {
                    let waker = waker.take();
                    *state = State::Answered(place);
                    waiting.fetch_sub(1, Ordering::Relaxed);
                    (waker, None)
                }
                State::Answered(_) | State::Gone => (None, Some(place)),
            }
        };
        // Out of the lock, as it leaves the line, which may admit the next one and wake the driver.
        guarded(|| drop(refused));
        if let Some(waker) = waker {
            // It is called once; if it panics, its owner is answered all the same.
            guarded(|| waker.wake());
        }
    }
}

/// A hold on an entry. Dropping it gives the turn up, and a place that came with it.
#[derive(Debug)]
pub(crate) struct Waiting {
    line: Arc<Line>,
    entry: Arc<Entry>,
    /// Where this was made.
    process: u32,
}

impl Waiting {
    pub(crate) fn join(line: &Arc<Line>, weight: usize) -> Self {
        let is_forked = line.is_forked();
        let entry = Arc::new(Entry {
            weight,
            state: Mutex::new(if is_forked {
                State::Answered(Err(EnqueueError::Closed))
            } else {
                State::Waits(None)
            }),
        });
        let waiting = Self {
            line: Arc::clone(line),
            entry: Arc::clone(&entry),
            process: std::process::id(),
        };
        if is_forked {
            return waiting;
        }
        {
            let mut entries = lock(&line.backlog.entries);
            entries.push_back(entry);
            line.backlog.count.fetch_add(1, Ordering::Relaxed);
        }
        line.backlog.admit(line);
        if matches!(*lock(&waiting.entry.state), State::Waits(_)) {
            line.wake_driver();
        }
        waiting
    }

    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<Waiter, EnqueueError>> {
        if self.is_inherited() {
            return Poll::Ready(Err(EnqueueError::Closed));
        }
        // Cloned first: user code must not run under the lock.
        let mut mine = Some(waker.clone());
        let (answer, old) = {
            let mut state = lock(&self.entry.state);
            match &mut *state {
                State::Waits(place) => {
                    std::mem::swap(place, &mut mine);
                    (Poll::Pending, mine)
                }
                _ => match std::mem::replace(&mut *state, State::Gone) {
                    State::Answered(place) => (Poll::Ready(place), mine),
                    State::Waits(_) | State::Gone => (Poll::Ready(Err(EnqueueError::Closed)), mine),
                },
            }
        };
        drop(old);
        answer
    }
}

impl Waiting {
    /// Whether this is the copy in a forked child, which may have copied its locks held.
    fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_inherited() {
            return;
        }
        let state = std::mem::replace(&mut *lock(&self.entry.state), State::Gone);
        if matches!(state, State::Waits(_)) {
            self.line.backlog.has_left();
        }
    }
}
