//! The background thread that runs the hosts of all fleet queues of the process, and polls the calls to their backends.
//!
//! It starts with the first queue and ends after the last. A queue's bell puts it on the list of those rung for and unparks
//! the thread, which serves them and the ones that are due, and sleeps until the first deadline: with nobody in line and
//! nothing under way or to be found out, without a single wake-up.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroU64;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

use apiqueue::{MonotonicClock, Next, Stop};
use parking::{Parker, Unparker};

use crate::backend::{Answer, BackendError};
use crate::host::{Call, Reply};
use crate::shared::{Shared, arrival, now};

/// The thread that there is, if any.
static DRIVER: Mutex<Option<Arc<Driver>>> = Mutex::new(None);

#[derive(Debug)]
struct Driver {
    rung: Mutex<Rung>,
    unparker: Unparker,
    process: u32,
}

#[derive(Debug, Default)]
struct Rung {
    entries: Vec<Arc<Entry>>,
    /// Those that the thread has not seen yet.
    new: Vec<(Arc<Entry>, Arc<Shared>)>,
    next_id: u64,
    /// The thread has ended, or is about to: it takes nobody any more.
    ended: bool,
}

/// What a queue's bell knows of it. Not the queue itself, which keeps the bell.
#[derive(Debug)]
struct Entry {
    id: u64,
    driver: Arc<Driver>,
    /// Whether it is on the list.
    mark: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No user code runs under these locks, and what they guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a queue to the driver.
pub(crate) fn attach(shared: &Arc<Shared>) -> io::Result<()> {
    let mut place = lock(&DRIVER);
    let process = std::process::id();
    if place
        .as_ref()
        .is_some_and(|driver| driver.process != process)
    {
        // The parent's, whose thread lives elsewhere. Not dropped: that would touch locks which it may hold.
        std::mem::forget(place.take());
    }
    if let Some(driver) = &*place
        && driver.take_on(shared)
    {
        return Ok(());
    }
    *place = Some(spawn(shared)?);
    Ok(())
}

impl Driver {
    /// Says whether the thread is there to take it.
    fn take_on(self: &Arc<Self>, shared: &Arc<Shared>) -> bool {
        let mut rung = lock(&self.rung);
        if rung.ended {
            return false;
        }
        let entry = Arc::new(Entry {
            id: rung.next_id,
            driver: Arc::clone(self),
            mark: AtomicBool::new(false),
        });
        rung.next_id += 1;
        rung.new.push((Arc::clone(&entry), Arc::clone(shared)));
        drop(rung);
        shared.hang_bell(Waker::from(entry));
        self.unparker.unpark();
        true
    }
}

/// Starts the thread, with its first queue: without one it would end at once.
fn spawn(first: &Arc<Shared>) -> io::Result<Arc<Driver>> {
    let (parker, unparker) = parking::pair();
    let driver = Arc::new(Driver {
        rung: Mutex::default(),
        unparker,
        process: std::process::id(),
    });
    driver.take_on(first);
    let shared = Arc::clone(&driver);
    thread::Builder::new()
        .name("apiqueue-fleet".to_owned())
        .spawn(move || {
            sharpen();
            let mut rounds = Rounds {
                driver: shared,
                parker,
                running: BTreeMap::new(),
                timers: BTreeSet::new(),
            };
            rounds.run();
        })?;
    Ok(driver)
}

/// Asks for the smallest timer slack (the default is 50 µs). Without it, all is well but late.
fn sharpen() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In a forked child there is no such thread, and its locks may be held for ever.
        if self.driver.process != std::process::id() {
            return;
        }
        // Ordering: AcqRel, here and where the driver clears it: a ring that finds the mark set is served by the look that
        // comes after the clearing, which sees what came before the ring.
        if !self.mark.swap(true, Ordering::AcqRel) {
            let mut rung = lock(&self.driver.rung);
            if !rung.ended {
                rung.entries.push(Arc::clone(self));
            }
            drop(rung);
            self.driver.unparker.unpark();
        }
    }
}

/// The thread's own record of one queue.
struct Running {
    shared: Arc<Shared>,
    waker: Waker,
    call: Option<(u64, Answer<'static, Reply>)>,
    due: Option<Instant>,
}

struct Rounds {
    driver: Arc<Driver>,
    parker: Parker,
    running: BTreeMap<u64, Running>,
    timers: BTreeSet<(Instant, u64)>,
}

impl Rounds {
    fn run(&mut self) {
        let mut rung = Vec::new();
        loop {
            for (entry, shared) in self.look(&mut rung) {
                let id = entry.id;
                let running = Running {
                    shared,
                    waker: Waker::from(entry),
                    call: None,
                    due: None,
                };
                self.running.insert(id, running);
                self.serve(id);
            }
            for entry in rung.drain(..) {
                // Ordering: see `wake_by_ref`.
                entry.mark.swap(false, Ordering::AcqRel);
                self.serve(entry.id);
            }
            // One reading for all, so that a queue that is always due again does not keep the thread here.
            let now = Instant::now();
            while let Some(&(due, id)) = self.timers.first()
                && due <= now
            {
                self.timers.pop_first();
                if let Some(running) = self.running.get_mut(&id) {
                    running.due = None;
                }
                self.serve(id);
            }
            if self.running.is_empty() && self.end() {
                return;
            }
            match self.timers.first() {
                Some(&(due, _)) => {
                    self.parker.park_deadline(due);
                }
                None => self.parker.park(),
            }
        }
    }

    /// Takes those that were rung for, and returns the new ones.
    fn look(&self, rung: &mut Vec<Arc<Entry>>) -> Vec<(Arc<Entry>, Arc<Shared>)> {
        let mut list = lock(&self.driver.rung);
        std::mem::swap(&mut list.entries, rung);
        std::mem::take(&mut list.new)
    }

    /// Ends the thread unless somebody has come meanwhile.
    fn end(&self) -> bool {
        let mut rung = lock(&self.driver.rung);
        rung.ended = rung.new.is_empty();
        rung.ended
    }

    fn serve(&mut self, id: u64) {
        let Some(running) = self.running.get_mut(&id) else {
            return;
        };
        let served = panic::catch_unwind(AssertUnwindSafe(|| running.serve()));
        if let Some(due) = running.due.take() {
            self.timers.remove(&(due, id));
        }
        match served {
            Ok(Served::Until(due)) => {
                running.due = due;
                self.timers.extend(due.map(|due| (due, id)));
            }
            Ok(Served::Done) => drop(self.running.remove(&id)),
            // A fault of ours: nobody may hang for it.
            Err(_) => {
                running.shared.line.stop(Stop::Now);
                self.running.remove(&id);
            }
        }
    }
}

enum Served {
    Until(Option<Instant>),
    Done,
}

impl Running {
    fn serve(&mut self) -> Served {
        let shared = &Arc::clone(&self.shared);
        // One reading, so that this ends.
        let now = now();
        let mut nobody = false;
        loop {
            self.poll(shared);
            let next = shared.line.advance_with(&self.waker).next;
            // Ordering: Acquire, and before the look at the line: no handle is left that could put somebody in after it.
            let orphaned = shared.orphaned.load(Ordering::Acquire);
            // The places of a closed line, and of those who have left, may still be taken.
            let line = match next {
                Next::Closed => 0,
                _ if nobody => 0,
                _ => shared.line.len(),
            };
            let over = next == Next::Closed || orphaned && line == 0;
            let (step, left) = {
                let mut host = shared.host();
                host.unused(shared.line.take_returned());
                if over {
                    host.leave();
                }
                (host.step(now, line), host.has_left())
            };
            if let Some(news) = &step.news {
                shared.tell(news);
            }
            if step.grant > 0 {
                let used = shared.line.grant(step.grant);
                shared.host().unused(step.grant.saturating_sub(used));
                nobody = used < step.grant;
            }
            if let Some((id, call)) = step.call {
                self.begin(shared, id, call);
                continue;
            }
            if step.grant > 0 || step.news.is_some() {
                continue;
            }
            if left {
                return Served::Done;
            }
            let wake = step.wake.and_then(|at| MonotonicClock.instant(at * 1000));
            let end = match next {
                Next::At(at) => Some(at),
                Next::OnEnqueue | Next::Closed => None,
            };
            return Served::Until(wake.into_iter().chain(end).min());
        }
    }

    fn begin(&mut self, shared: &Arc<Shared>, id: u64, call: Call) {
        self.call = Some((id, shared.make(call)));
    }

    /// Looks whether the call under way was answered.
    fn poll(&mut self, shared: &Arc<Shared>) {
        let Some((id, future)) = &mut self.call else {
            return;
        };
        let id = *id;
        if shared.host().in_flight() != Some(id) {
            self.drop_call();
            return;
        }
        let mut context = Context::from_waker(&self.waker);
        let polled = panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        let answer = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(answer)) => answer,
            Err(_) => Err(BackendError::Refused("it panicked".to_owned())),
        };
        shared.host().answered(arrival(), id, answer);
        self.drop_call();
    }

    fn drop_call(&mut self) {
        // Its drop is the backend's code.
        let call = self.call.take();
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(call)));
    }
}
