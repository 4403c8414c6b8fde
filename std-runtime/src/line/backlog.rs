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

/// How many who do not wait any more are kept whatever their part.
const TIDY_ABOVE: usize = 32;

#[derive(Debug)]
pub(crate) struct Backlog<P> {
    /// In the order of coming, with some among them who do not wait any more.
    entries: Mutex<VecDeque<Arc<Entry<P>>>>,
    /// How many wait.
    count: AtomicUsize,
    /// Calls of `admit` that are not answered yet. Who makes it 1 answers them all, so that no two hand out places at the
    /// same time and a waker that calls back here does not wait for itself.
    calls: AtomicUsize,
}

impl<P> Default for Backlog<P> {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            count: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
        }
    }
}

/// One who waits, or has waited, for a place.
#[derive(Debug)]
pub(crate) struct Entry<P> {
    weight: usize,
    state: Mutex<State<P>>,
}

#[derive(Debug)]
enum State<P> {
    Waits(Option<Waker>),
    Answered(Result<P, EnqueueError>),
    /// Has left, or has taken its answer.
    Gone,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No user code runs under these locks, and what they guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P> Backlog<P> {
    pub(crate) fn len(&self) -> usize {
        // Ordering: Relaxed; one who joined just now may be overtaken by a caller who came just now.
        self.count.load(Ordering::Relaxed)
    }

    /// One more who waits.
    pub(crate) fn join(&self, weight: usize) -> Arc<Entry<P>> {
        let entry = Arc::new(Entry {
            weight,
            state: Mutex::new(State::Waits(None)),
        });
        let mut entries = lock(&self.entries);
        entries.push_back(Arc::clone(&entry));
        self.count.fetch_add(1, Ordering::Relaxed);
        entry
    }

    /// Gives places, which `enter` takes, to those who wait, the first one first.
    pub(crate) fn admit(&self, enter: impl Fn(usize) -> Result<P, EnqueueError>) {
        // Ordering: AcqRel; what made room comes before the look of whoever answers this call.
        if self.calls.fetch_add(1, Ordering::AcqRel) != 0 {
            return;
        }
        loop {
            let calls = self.calls.load(Ordering::Acquire);
            while let Some(entry) = self.first() {
                let place = match enter(entry.weight) {
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

    fn first(&self) -> Option<Arc<Entry<P>>> {
        let mut entries = lock(&self.entries);
        while entries.front().is_some_and(|entry| !entry.waits()) {
            entries.pop_front();
        }
        entries.front().cloned()
    }

    /// The one of `entry` waits no more, and leaves a place that it was given. Those who have left are thrown out when they are the
    /// most, so that a leave costs the same however many wait.
    pub(crate) fn leave(&self, entry: &Entry<P>) {
        let state = std::mem::replace(&mut *lock(&entry.state), State::Gone);
        if !matches!(state, State::Waits(_)) {
            return;
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
        let mut entries = lock(&self.entries);
        if entries.len() > TIDY_ABOVE + 2 * self.len() {
            entries.retain(|entry| entry.waits());
        }
    }
}

impl<P> Entry<P> {
    pub(crate) fn waits(&self) -> bool {
        matches!(*lock(&self.state), State::Waits(_))
    }

    /// If it waits, it is one less of those who do.
    fn answer(&self, place: Result<P, EnqueueError>, waiting: &AtomicUsize) {
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

    /// The place, once there is one.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<P, EnqueueError>> {
        // Cloned first: user code must not run under the lock.
        let mut mine = Some(waker.clone());
        let (answer, old) = {
            let mut state = lock(&self.state);
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
