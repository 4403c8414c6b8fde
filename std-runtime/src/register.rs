//! Which queues there are in the process, and the thread that drives them: there is one exactly while there are queues.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::driver::{Driver, Entry};

static REGISTER: Mutex<Register> = Mutex::new(Register {
    process: 0,
    driver: None,
    entries: BTreeMap::new(),
    next_id: 0,
});

struct Register {
    /// Whose entries these are: in a forked child those of the parent mean nothing.
    process: u32,
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
    let process = std::process::id();
    if register.process != process {
        register.process = process;
        register.driver = None;
        // Their drivers live elsewhere. Not dropped: that would touch locks which the parent may hold.
        std::mem::forget(std::mem::take(&mut register.entries));
    }
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

/// The driver has died: nobody may find it here any more.
pub(crate) fn clear() -> impl Iterator<Item = Arc<Entry>> {
    let mut register = lock();
    register.driver = None;
    std::mem::take(&mut register.entries).into_values()
}

fn lock() -> MutexGuard<'static, Register> {
    // No user code runs under this lock, and what it guards is whole between any two statements.
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}
