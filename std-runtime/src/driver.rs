//! The background thread that drives all queues of the process.
//!
//! It starts with the first queue and ends after the last. Each queue has an [`Entry`], which is its core waker: a ring
//! puts the entry on the ready list, once, and unparks the thread. The thread serves the ready ones and those that are
//! due, keeps their next deadlines in a heap and sleeps until the first. A queue with nobody in line has no deadline, so
//! that with nothing due there are no wake-ups at all.
//!
//! The thread holds queues weakly, and for the time of one `advance` only: a queue ends with its last handle and waiter,
//! and its `Drop` rings one last time.

use std::cell::Cell;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::thread;

use apiqueue_core::{Clock, Next};
use parking::{Parker, Unparker};

use crate::clock::MonotonicClock;
use crate::line::Line;

static REGISTER: Mutex<Register> = Mutex::new(Register {
    driver: None,
    entries: BTreeMap::new(),
    next_id: 0,
});

/// Which queues there are, and the thread that drives them: there is one exactly while there are queues.
struct Register {
    driver: Option<Arc<Driver>>,
    entries: BTreeMap<u64, Arc<Entry>>,
    next_id: u64,
}

/// What others see of the thread.
#[derive(Debug)]
struct Driver {
    /// None once the thread has ended: what rings then is let go.
    ready: Mutex<Option<Vec<Arc<Entry>>>>,
    unparker: Unparker,
}

/// The driver's record of one queue.
#[derive(Debug)]
pub(crate) struct Entry {
    id: u64,
    line: Weak<Line>,
    driver: Arc<Driver>,
    /// On the ready list.
    queued: AtomicBool,
    /// The deadline in the heap that counts, [`NEVER`] for none. Only the driver's thread writes it.
    due: AtomicU64,
}

const NEVER: u64 = u64::MAX;

/// Gives `line` to the driver.
pub(crate) fn attach(line: &Arc<Line>) -> io::Result<()> {
    let entry = {
        let mut register = lock(&REGISTER);
        let driver = match &register.driver {
            Some(driver) => Arc::clone(driver),
            None => Arc::clone(register.driver.insert(spawn()?)),
        };
        let id = register.next_id;
        register.next_id += 1;
        let entry = Arc::new(Entry {
            id,
            line: Arc::downgrade(line),
            driver,
            queued: AtomicBool::new(false),
            due: AtomicU64::new(NEVER),
        });
        register.entries.insert(id, Arc::clone(&entry));
        entry
    };
    // The new line is empty and nobody else has it yet: this leaves the waker there, and the thread may sleep on.
    let _ = line.advance(Some(line.bell.get_or_init(|| Waker::from(entry))));
    Ok(())
}

/// Whether the caller runs on the driver's thread, as a waker may.
pub(crate) fn is_current_thread() -> bool {
    IS_DRIVER.try_with(Cell::get).unwrap_or(false)
}

thread_local! {
    static IS_DRIVER: Cell<bool> = const { Cell::new(false) };
}

fn spawn() -> io::Result<Arc<Driver>> {
    let (parker, unparker) = parking::pair();
    let driver = Arc::new(Driver {
        ready: Mutex::new(Some(Vec::new())),
        unparker,
    });
    let shared = Arc::clone(&driver);
    thread::Builder::new()
        .name("apiqueue".to_owned())
        .spawn(move || {
            IS_DRIVER.set(true);
            sharpen();
            let _last_will = LastWill(Arc::clone(&shared));
            Rounds {
                driver: shared,
                parker,
                timers: BinaryHeap::new(),
                tidy_at: TIDY_ABOVE,
            }
            .run();
        })?;
    Ok(driver)
}

/// Asks for the smallest timer slack (the default is 50 µs). Without it, all is well but late.
fn sharpen() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No user code runs under these locks, and what they guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    /// Has the driver look at the queue.
    fn ring(self: &Arc<Self>) {
        // Ordering: AcqRel; the driver's swap to false sees what came before a ring that it makes superfluous.
        if !self.queued.swap(true, Ordering::AcqRel) {
            if let Some(ready) = &mut *lock(&self.driver.ready) {
                ready.push(Arc::clone(self));
            }
            self.driver.unparker.unpark();
        }
    }
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// The thread's own state.
struct Rounds {
    driver: Arc<Driver>,
    parker: Parker,
    timers: BinaryHeap<Timer>,
    /// The size of the heap at which outdated timers are thrown out.
    tidy_at: usize,
}

const TIDY_ABOVE: usize = 64;

impl Rounds {
    fn run(mut self) {
        let mut ready = Vec::new();
        loop {
            if let Some(rung) = &mut *lock(&self.driver.ready) {
                std::mem::swap(&mut ready, rung);
            }
            for entry in ready.drain(..) {
                // Ordering: AcqRel, before the look at the queue: a ring from here on is a new one.
                entry.queued.swap(false, Ordering::AcqRel);
                if self.serve(&entry) {
                    return;
                }
            }
            // One reading for all, so that a queue that is always due again does not keep the thread here.
            let now = MonotonicClock.now();
            while let Some(timer) = self.timers.peek() {
                if timer.is_outdated() {
                    self.timers.pop();
                } else if timer.at <= now {
                    let entry = Arc::clone(&timer.entry);
                    self.timers.pop();
                    entry.due.store(NEVER, Ordering::Relaxed);
                    if self.serve(&entry) {
                        return;
                    }
                } else {
                    break;
                }
            }
            let next = self.timers.peek().map(|timer| timer.at);
            match next.and_then(|at| MonotonicClock.instant(at)) {
                Some(at) => {
                    self.parker.park_deadline(at);
                }
                None => self.parker.park(),
            }
        }
    }

    /// Releases what is due in one queue. Says whether that was the end of the last queue.
    fn serve(&mut self, entry: &Arc<Entry>) -> bool {
        let Some(line) = entry.line.upgrade() else {
            entry.due.store(NEVER, Ordering::Relaxed);
            return retire(entry);
        };
        match line.advance(line.bell.get()) {
            Some(advanced) => self.schedule(
                entry,
                match advanced.next {
                    Next::At(at) => at,
                    Next::OnEnqueue | Next::Closed => NEVER,
                },
            ),
            None => entry.ring(),
        }
        // If everybody else has let go meanwhile, this drops the queue, and with it wakers, which are user code.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(line)));
        false
    }

    fn schedule(&mut self, entry: &Arc<Entry>, at: u64) {
        if entry.due.swap(at, Ordering::Relaxed) == at || at == NEVER {
            return;
        }
        if self.timers.len() >= self.tidy_at {
            self.timers.retain(|timer| !timer.is_outdated());
            self.tidy_at = (2 * self.timers.len()).max(TIDY_ABOVE);
        }
        self.timers.push(Timer {
            at,
            entry: Arc::clone(entry),
        });
    }
}

/// A deadline in the heap. It counts if its entry says so.
struct Timer {
    at: u64,
    entry: Arc<Entry>,
}

impl Timer {
    fn is_outdated(&self) -> bool {
        self.entry.due.load(Ordering::Relaxed) != self.at
    }
}

impl Ord for Timer {
    /// The earliest is the greatest, for the heap; of two, the older queue's.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.entry.id).cmp(&(self.at, self.entry.id))
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

/// Forgets a queue that is gone. Says whether it was the driver's last; then the thread must end.
fn retire(entry: &Entry) -> bool {
    let mut register = lock(&REGISTER);
    let was_there = register.entries.remove(&entry.id).is_some();
    let last = was_there && register.entries.is_empty();
    if last {
        register.driver = None;
    }
    last
}

/// Lets go of everything when the thread ends, and if it dies, closes its queues, so that nobody waits for it.
struct LastWill(Arc<Driver>);

impl Drop for LastWill {
    fn drop(&mut self) {
        let ready = lock(&self.0.ready).take();
        drop(ready);
        if !thread::panicking() {
            return;
        }
        let orphans = {
            let mut register = lock(&REGISTER);
            register.driver = None;
            std::mem::take(&mut register.entries)
        };
        for entry in orphans.into_values() {
            if let Some(line) = entry.line.upgrade() {
                line.close();
            }
        }
    }
}
