//! The driver's deadlines: a heap that never forgets and entries that say which of its deadlines count.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::driver::Entry;
use crate::line::NEVER;

// The deadlines are the driver's thread's own: what is atomic in an entry is so only because entries are shared. Relaxed.
const ORDER: Ordering = Ordering::Relaxed;

/// The size of the heap above which outdated timers are thrown out.
const TIDY_ABOVE: usize = 64;

/// Readings are [`MonotonicClock`](crate::MonotonicClock)'s.
#[derive(Debug)]
pub(crate) struct Timers {
    asleep: BinaryHeap<Timer>,
    /// Entries that are due so soon that the thread stays awake.
    spinning: Vec<Arc<Entry>>,
    tidy_at: usize,
}

/// When to wake for an entry. It counts if the entry is due at `due` still.
#[derive(Debug)]
struct Timer {
    wake: u64,
    due: u64,
    entry: Arc<Entry>,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            asleep: BinaryHeap::new(),
            spinning: Vec::new(),
            tidy_at: TIDY_ABOVE,
        }
    }
}

impl Timers {
    /// Sets the deadline of `entry`, [`NEVER`] for none, in place of the one before.
    pub(crate) fn set(&mut self, entry: &Arc<Entry>, at: u64) {
        if entry.due.swap(at, ORDER) == at || at == NEVER {
            return;
        }
        if self.asleep.len() >= self.tidy_at {
            self.asleep.retain(|timer| !timer.is_outdated());
            self.tidy_at = (2 * self.asleep.len()).max(TIDY_ABOVE);
        }
        self.asleep.push(Timer {
            wake: at.saturating_sub(entry.spin),
            due: at,
            entry: Arc::clone(entry),
        });
    }

    /// Takes out an entry that is due at `now`.
    pub(crate) fn pop(&mut self, now: u64) -> Option<Arc<Entry>> {
        while self.asleep.peek().is_some_and(|timer| timer.wake <= now) {
            let Some(timer) = self.asleep.pop() else {
                break;
            };
            if timer.is_outdated() {
                continue;
            }
            if timer.due <= now {
                timer.entry.due.store(NEVER, ORDER);
                return Some(timer.entry);
            }
            if !self
                .spinning
                .iter()
                .any(|entry| Arc::ptr_eq(entry, &timer.entry))
            {
                self.spinning.push(timer.entry);
            }
        }
        // A deadline that was moved or taken away since goes through the heap again, or is gone.
        self.spinning.retain(|entry| {
            let due = entry.due.load(ORDER);
            due != NEVER && due.saturating_sub(entry.spin) <= now
        });
        let at = self
            .spinning
            .iter()
            .position(|entry| entry.due.load(ORDER) <= now)?;
        let entry = self.spinning.swap_remove(at);
        entry.due.store(NEVER, ORDER);
        Some(entry)
    }

    /// Whether an entry is due so soon that sleeping would be too late.
    pub(crate) fn is_spinning(&self) -> bool {
        !self.spinning.is_empty()
    }

    /// When to wake.
    pub(crate) fn next(&mut self) -> Option<u64> {
        while self.asleep.peek().is_some_and(Timer::is_outdated) {
            self.asleep.pop();
        }
        self.asleep.peek().map(|timer| timer.wake)
    }
}

impl Timer {
    fn is_outdated(&self) -> bool {
        self.entry.due.load(ORDER) != self.due
    }
}

impl Ord for Timer {
    /// The earliest is the greatest, for the heap; of two, the older queue's.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.wake, other.entry.id).cmp(&(self.wake, self.entry.id))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timer {}
