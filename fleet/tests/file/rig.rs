//! What the tests have in common: a machine whose clocks a test sets, asks, and a list of all slots that were granted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiqueue_fleet::file::{Boot, MachineClock, Reading};
use apiqueue_fleet::{Ask, Backend, BackendError, FileBackend, Lease};
use futures_lite::future::block_on;
use tempfile::TempDir;

pub(crate) const LIMIT: &str = "ec2";
/// Microseconds.
pub(crate) const INTERVAL: u64 = 1_000;
pub(crate) const HORIZON: u64 = 50_000;
pub(crate) const GRACE: u64 = 80_000;
pub(crate) const SECOND: u64 = 1_000_000;

/// Clocks that stand until they are moved.
#[derive(Clone)]
pub(crate) struct Machine {
    reading: Arc<Mutex<Reading>>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let boot = Boot {
            id: 7,
            namespace: 1,
        };
        Self {
            reading: Arc::new(Mutex::new(Reading {
                boot,
                since_boot: 3_600 * SECOND,
                wall: 1_800_000_000 * SECOND,
            })),
        }
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Reading)) {
        change(&mut self.reading.lock().unwrap());
    }

    /// Time passes, on all clocks.
    pub(crate) fn pass(&self, micros: u64) {
        self.set(|reading| {
            reading.since_boot += micros;
            reading.wall += micros;
        });
    }

    /// It is off for so long, and was on for 5 s after that.
    pub(crate) fn reboot(&self, off: u64) {
        self.set(|reading| {
            reading.boot.id += 1;
            reading.since_boot = 5 * SECOND;
            reading.wall += off + 5 * SECOND;
        });
    }
}

impl MachineClock for Machine {
    fn read(&self) -> Reading {
        *self.reading.lock().unwrap()
    }
}

/// A directory, a machine, and what was granted in it.
pub(crate) struct Rig {
    pub(crate) folder: TempDir,
    pub(crate) machine: Machine,
    pub(crate) files: FileBackend,
    pub(crate) granted: Granted,
}

impl Rig {
    /// A limit that was asked for once, and whose grace is over.
    pub(crate) fn ready() -> Self {
        let mut rig = Self::new();
        assert_eq!(rig.reserve(1).unwrap().count, 0, "the grace of a new file");
        rig.machine.pass(GRACE);
        rig
    }

    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::new();
        let files = open(folder.path(), &machine);
        Self {
            folder,
            machine,
            files,
            granted: Granted::default(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ec2.limit")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    /// Another process, which knows nothing but the file.
    pub(crate) fn restart(&mut self) {
        self.files = open(self.folder.path(), &self.machine);
    }

    pub(crate) fn reserve(&mut self, want: u32) -> Result<Lease, BackendError> {
        let lease = block_on(self.files.reserve(LIMIT, ask(1, want)))?;
        self.granted.add(lease);
        Ok(lease)
    }

    pub(crate) fn give_back(&mut self, lease: Lease, count: u32) -> bool {
        let given = block_on(self.files.give_back(LIMIT, lease, count)).unwrap();
        if given {
            self.granted.remove(lease, count);
        }
        given
    }
}

pub(crate) fn open(folder: &Path, machine: &Machine) -> FileBackend {
    FileBackend::open_with_clock(folder, Arc::new(machine.clone())).unwrap()
}

pub(crate) fn ask(host: u64, want: u32) -> Ask {
    Ask {
        host,
        want,
        interval: Duration::from_micros(INTERVAL),
        horizon: Duration::from_micros(HORIZON),
        grace: Duration::from_micros(GRACE),
        seen: Duration::from_secs(10),
    }
}

/// Slots that were granted and not given back.
#[derive(Clone, Default)]
pub(crate) struct Granted {
    slots: Vec<u64>,
}

impl Granted {
    pub(crate) fn add(&mut self, lease: Lease) {
        self.extend(lease.start, u64::from(lease.count), lease.interval);
    }

    pub(crate) fn extend(&mut self, start: u64, count: u64, interval: u64) {
        self.slots.extend((0..count).map(|n| start + n * interval));
    }

    pub(crate) fn remove(&mut self, lease: Lease, count: u32) {
        for n in lease.count - count..lease.count {
            let slot = lease.start + u64::from(n) * lease.interval;
            self.remove_slot(slot);
        }
    }

    pub(crate) fn remove_slot(&mut self, slot: u64) {
        let at = self.slots.iter().rposition(|it| *it == slot).unwrap();
        self.slots.swap_remove(at);
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Pairs of slots that are closer than the interval: none, if no slot was granted twice.
    pub(crate) fn twice(&self, interval: u64) -> usize {
        let mut slots = self.slots.clone();
        slots.sort_unstable();
        let close = |pair: &&[u64]| pair[1] - pair[0] < interval;
        slots.windows(2).filter(close).count()
    }
}
