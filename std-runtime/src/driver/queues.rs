//! Which queues there are in the process, and the thread that drives them: there is one exactly while there are queues.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::race::OnceBox;

use crate::driver::{Driver, Entry};

static REGISTER: OnceBox<Register> = OnceBox::new();

/// The register of one process. That of a forked child hangs from its parent's, whose lock may be held for ever in the
/// child's copy, and whose entries mean nothing there. `OnceBox` has no lock that a fork could find held.
struct Register {
    process: u32,
    state: Mutex<State>,
    child: OnceBox<Register>,
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
    let mut register = lock();
    let driver = match &register.driver {
        Some(driver) => Arc::clone(driver),
        None => Arc::clone(register.driver.insert(spawn()?)),
    };
    let id = register.next_id;
    register.next_id += 1;
    let entry = Arc::new(entry(id, driver));
    register.entries.insert(id, Arc::clone(&entry));
    Ok(entry)
}

/// Forgets a queue that is gone. Says whether it was the driver's last; then the thread must end.
pub(crate) fn remove(id: u64) -> bool {
    let mut register = lock();
    let was_there = register.entries.remove(&id).is_some();
    let last = was_there && register.entries.is_empty();
    if last {
        register.driver = None;
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
    let mut register = lock();
    register.driver = None;
    std::mem::take(&mut register.entries).into_values()
}

fn lock() -> MutexGuard<'static, State> {
    // No user code runs under this lock, and what it guards is whole between any two statements.
    ours().state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ours() -> &'static Register {
    let process = std::process::id();
    let new = || {
        Box::new(Register {
            process,
            state: Mutex::default(),
            child: OnceBox::new(),
        })
    };
    let mut youngest = REGISTER.get_or_init(new);
    while let Some(child) = youngest.child.get() {
        youngest = child;
    }
    if youngest.process == process {
        youngest
    } else {
        youngest.child.get_or_init(new)
    }
}
