//! Which queues there are in the process, and the thread that drives them: there is one exactly while there are queues.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::race::OnceBox;

use crate::driver::{Driver, Entry};

static QUEUES: OnceBox<Queues> = OnceBox::new();

/// The queues of one process. That of a forked child hangs from its parent's, whose lock may be held for ever in the
/// child's copy, and whose entries mean nothing there. `OnceBox` has no lock that a fork could find held.
struct Queues {
    process: u32,
    state: Mutex<State>,
    child: OnceBox<Queues>,
}

#[derive(Default)]
struct State {
    driver: Option<Arc<Driver>>,
    entries: BTreeMap<u64, Arc<Entry>>,
    next_id: u64,
}

/// Adds an entry, made by `entry` of an id and the driver, which is spawned if there is none.
pub(crate) fn add(
    spawn: impl FnOnce() -> io::Result<Arc<Driver>>,
    entry: impl FnOnce(u64, Arc<Driver>) -> Entry,
) -> io::Result<Arc<Entry>> {
    let mut queues = lock();
    let driver = match &queues.driver {
        Some(driver) => Arc::clone(driver),
        None => Arc::clone(queues.driver.insert(spawn()?)),
    };
    let id = queues.next_id;
    queues.next_id += 1;
    let entry = Arc::new(entry(id, driver));
    queues.entries.insert(id, Arc::clone(&entry));
    Ok(entry)
}

/// Forgets a queue that is gone. Says whether it was the driver's last; then the thread must end.
pub(crate) fn remove(id: u64) -> bool {
    let mut queues = lock();
    let was_there = queues.entries.remove(&id).is_some();
    let last = was_there && queues.entries.is_empty();
    if last {
        queues.driver = None;
    }
    last
}

/// The driver, where there is one.
#[cfg(test)]
pub(crate) fn driver() -> Option<Arc<Driver>> {
    lock().driver.clone()
}

/// The driver has died: nobody may find it here any more.
pub(crate) fn clear() -> impl Iterator<Item = Arc<Entry>> {
    let mut queues = lock();
    queues.driver = None;
    std::mem::take(&mut queues.entries).into_values()
}

fn lock() -> MutexGuard<'static, State> {
    // No user code runs under this lock, and what it guards is whole between any two statements.
    ours().state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ours() -> &'static Queues {
    let process = std::process::id();
    let new = || {
        Box::new(Queues {
            process,
            state: Mutex::default(),
            child: OnceBox::new(),
        })
    };
    let mut youngest = QUEUES.get_or_init(new);
    while let Some(child) = youngest.child.get() {
        youngest = child;
    }
    if youngest.process == process {
        youngest
    } else {
        youngest.child.get_or_init(new)
    }
}
