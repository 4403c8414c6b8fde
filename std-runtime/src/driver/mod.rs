//! The background thread that drives all queues of the process.
//!
//! It starts with the first queue and ends after the last (`queues`). Each queue has an [`Entry`], which is its core
//! waker: a wake puts the entry on the ready list and unparks the thread (`ready`). The thread serves those and the ones that are
//! due (`timers`), and sleeps until the first deadline. A queue with nobody in line has no deadline, so that with nothing
//! due there are no wake-ups at all.
//!
//! The thread holds queues weakly, and for the time of one `advance` only: a queue ends with its last handle and waiter,
//! and its `Drop` wakes the thread one last time.

mod backoff;
mod jumps;
mod queues;
mod ready;
mod task;
mod timers;
#[cfg(feature = "tokio")]
mod tokio;

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use apiqueue_core::{Clock, Next};
use parking::{Parker, Unparker};

use crate::account::Scheduler;
use crate::clock::MonotonicClock;
use crate::guarded::guarded;
use crate::line::{Line, NEVER};
use crate::permits::Given;

use backoff::Backoff;
use jumps::Jumps;
use ready::{Listed, ReadyList};
use timers::Timers;

#[cfg(feature = "tokio")]
pub use self::tokio::TokioTimer;
pub use task::{DriverTask, Timer};

/// What others see of the thread.
#[derive(Debug)]
pub(crate) struct Driver {
    ready: ReadyList<Arc<Entry>>,
    unparker: Unparker,
    process: u32,
}

/// The driver's record of one queue.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    driven: Driven,
    driver: Arc<Driver>,
    listed: Listed,
    /// The deadline that counts, [`NEVER`] for none, as [`MonotonicClock`] tells it. Only the driver's thread writes it.
    pub(crate) due: AtomicU64,
    /// How long before its deadlines the driver stays awake, in nanoseconds.
    pub(crate) spin: u64,
    backoff: Backoff,
}

/// What is driven.
#[derive(Debug)]
enum Driven {
    Line {
        line: Weak<Line>,
        /// Where its permits come from, if not from itself: there is something to do for it when the line is gone.
        given: Option<Given>,
    },
    /// Limits that several queues share.
    Limits(Weak<Scheduler>),
}

/// Gives `line` to the driver.
pub(crate) fn attach(line: &Arc<Line>) -> io::Result<()> {
    let driven = Driven::Line {
        line: Arc::downgrade(line),
        given: line.supply.given().cloned(),
    };
    let entry = add(driven, line.spin)?;
    // The new line is empty and nobody else has it yet: this leaves the waker there, and the thread may sleep on.
    let _ = line.advance(Some(line.driver_waker.get_or_init(|| Waker::from(entry))));
    Ok(())
}

/// Gives limits that several queues share to the driver, which comes for all of them.
pub(crate) fn attach_limits(limits: &Arc<Scheduler>) -> io::Result<()> {
    let driven = Driven::Limits(Arc::downgrade(limits));
    limits.drive(|| add(driven, Duration::ZERO).map(Waker::from))
}

fn add(driven: Driven, spin: Duration) -> io::Result<Arc<Entry>> {
    queues::add(spawn, |id, driver| Entry {
        id,
        driven,
        driver,
        listed: Listed::new(),
        due: AtomicU64::new(NEVER),
        spin: u64::try_from(spin.as_nanos()).unwrap_or(NEVER),
        backoff: Backoff::default(),
    })
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
        ready: ReadyList::new(),
        unparker,
        process: std::process::id(),
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
                timers: Timers::default(),
                jumps: Jumps::default(),
                now: 0,
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

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In a forked child there is no such thread, and its locks may be held for ever.
        if self.driver.process == std::process::id() {
            self.driver.ready.push(
                &self.listed,
                || Arc::clone(self),
                || {
                    self.driver.unparker.unpark();
                },
            );
        }
    }
}

/// The thread's own state.
struct Rounds {
    driver: Arc<Driver>,
    parker: Parker,
    timers: Timers,
    jumps: Jumps,
    /// The reading of the present round.
    now: u64,
}

impl Rounds {
    fn run(mut self) {
        let mut ready = Vec::new();
        loop {
            self.driver.ready.take(&mut ready);
            for entry in ready.drain(..) {
                entry.listed.clear();
                if self.serve(&entry, false) {
                    return;
                }
            }
            // One reading for all, so that a queue that is always due again does not keep the thread here.
            self.now = MonotonicClock.now();
            while let Some(entry) = self.timers.pop(self.now) {
                if self.serve(&entry, true) {
                    return;
                }
            }
            if self.timers.is_spinning() {
                std::hint::spin_loop();
                continue;
            }
            if !self.jumps.are_none() {
                let is_woken = self.parker.park_timeout(self.jumps.grace());
                let first = if is_woken {
                    None
                } else {
                    self.jumps.make_first()
                };
                if first.is_some_and(|entry| self.serve(&entry, false)) {
                    return;
                }
                continue;
            }
            match self.timers.next().and_then(|at| MonotonicClock.instant(at)) {
                Some(at) => {
                    self.parker.park_deadline(at);
                }
                None => self.parker.park(),
            }
        }
    }

    /// Releases what is due in one queue. Says whether that was the end of the last queue.
    fn serve(&mut self, entry: &Arc<Entry>, on_time: bool) -> bool {
        let (line, given) = match &entry.driven {
            Driven::Line { line, given } => (line, given),
            Driven::Limits(limits) => return self.serve_limits(entry, limits, on_time),
        };
        let Some(line) = line.upgrade() else {
            return self.leave(entry, given.as_ref());
        };
        match line.advance(line.driver_waker.get()) {
            Some(progress) => {
                self.jumps.set(entry, progress.jump);
                let early = on_time && progress.released == 0;
                self.come_back(entry, progress.next, early, line.asks_users());
            }
            None => entry.wake_by_ref(),
        }
        // If everybody else has let go meanwhile, this drops the queue, and with it wakers, which are user code.
        guarded(|| drop(line));
        false
    }

    /// Releases what is due by limits that queues share. Says whether that was the end of the last queue.
    fn serve_limits(
        &mut self,
        entry: &Arc<Entry>,
        limits: &Weak<Scheduler>,
        on_time: bool,
    ) -> bool {
        let limits = limits.upgrade();
        let served = limits.as_ref().and_then(|limits| {
            // It calls no code of the user's that is not behind a guard; should it panic, the next queue brings it a new record.
            guarded(|| limits.serve()).unwrap_or_else(|| {
                limits.is_left();
                None
            })
        });
        let Some((released, next)) = served else {
            entry.due.store(NEVER, Ordering::Relaxed);
            return queues::remove(entry.id);
        };
        if let Some(limits) = limits {
            let early = on_time && released == 0;
            let next = limits.clock.next_in_system_time(next);
            self.come_back(entry, next, early, limits.clock.is_own());
            // It may be the last hold on them, and so on a clock of the user's.
            guarded(|| drop(limits));
        }
        false
    }

    /// Sets when to come back for an entry.
    fn come_back(&mut self, entry: &Arc<Entry>, next: Next<u64>, early: bool, asks_users: bool) {
        let at = match next {
            Next::At(at) => {
                let at = entry.backoff.not_before(at, early, asks_users);
                // Not in this round, so that one that is always due keeps nobody else waiting.
                at.max(self.now.saturating_add(1))
            }
            Next::OnEnqueue | Next::Closed => NEVER,
        };
        self.timers.set(entry, at);
    }

    /// Does what is left to do for a queue that is gone. Says whether that was the end of the last queue.
    fn leave(&mut self, entry: &Arc<Entry>, given: Option<&Given>) -> bool {
        let (next, jump) = match given {
            Some(given) => given.leave(&Waker::from(Arc::clone(entry))),
            None => (Next::Closed, None),
        };
        self.jumps.set(entry, jump);
        if next == Next::Closed {
            entry.due.store(NEVER, Ordering::Relaxed);
            return queues::remove(entry.id);
        }
        self.come_back(entry, next, true, true);
        false
    }
}

/// Lets go of everything when the thread ends, and if it dies, closes its queues, so that nobody waits for it.
struct LastWill(Arc<Driver>);

impl Drop for LastWill {
    fn drop(&mut self) {
        drop(self.0.ready.end());
        if !thread::panicking() {
            return;
        }
        for entry in queues::clear() {
            match &entry.driven {
                Driven::Line { line, .. } => {
                    if let Some(line) = line.upgrade() {
                        line.close();
                    }
                }
                Driven::Limits(limits) => {
                    if let Some(limits) = limits.upgrade() {
                        limits.is_left();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::queue::ApiQueue;
    use std::panic;

    /// Nothing known makes the thread panic; should it, nobody may wait for it for ever.
    #[test]
    fn a_driver_that_dies_closes_its_queues_and_leaves_room_for_another() {
        let start = |interval| ApiQueue::builder().every(interval).start().unwrap();
        let queue = start(Duration::from_secs(3600));
        queue.enqueue().unwrap().wait().unwrap();
        let parked = queue.enqueue().unwrap();
        let parked = thread::spawn(|| parked.wait().map(drop));
        let will = LastWill(queues::driver().unwrap());
        let dies = thread::spawn(move || {
            let _will = will;
            panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(dies.join().is_err());
        assert!(parked.join().unwrap().is_err());
        assert!(queue.is_closed());
        let next = start(Duration::from_millis(1));
        for _ in 0..3 {
            next.enqueue().unwrap().wait().unwrap();
        }
    }
}
