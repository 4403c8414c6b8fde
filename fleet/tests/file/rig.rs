//! What the tests have in common: a machine whose clocks a test sets, asks, and a list of all slots that were granted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use apiqueue_fleet::file::{Boot, MachineClock, Reading};
use apiqueue_fleet::{Action, Backend, BackendError, Call, FileBackend, Reply, Slots, Terms};
use futures_lite::future::block_on;
use tempfile::TempDir;

pub(crate) const LIMIT: &str = "ec2";
/// Of all hosts.
pub(crate) const LABEL: &str = "test";
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
        assert_eq!(
            rig.reserve(1).unwrap().granted(),
            0,
            "the grace of a new file"
        );
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

    pub(crate) fn call(&self, call: Call) -> Result<Reply, BackendError> {
        block_on(self.files.call(LIMIT, call))
    }

    /// Of host 1.
    pub(crate) fn order(&self, action: Action) -> Reply {
        self.call(call(1, action)).unwrap()
    }

    pub(crate) fn reserve(&mut self, want: u32) -> Result<Reply, BackendError> {
        let reply = self.call(ask(1, want))?;
        self.granted.add(&reply);
        Ok(reply)
    }

    /// The last slots of what was granted in one run. Says how many were taken back.
    pub(crate) fn give_back(&mut self, granted: &Reply, count: u32) -> u32 {
        let slots = last_of(granted.slots[0], count);
        let reply = self.order(Action::GiveBack {
            born: granted.born,
            epoch: granted.terms.epoch,
            slots: vec![slots],
        });
        if reply.taken_back > 0 {
            self.granted.remove(last_of(slots, reply.taken_back));
        }
        reply.taken_back
    }
}

pub(crate) fn open(folder: &Path, machine: &Machine) -> FileBackend {
    FileBackend::open_with_clock(folder, Arc::new(machine.clone())).unwrap()
}

pub(crate) fn call(host: u64, action: Action) -> Call {
    Call {
        host,
        label: LABEL.into(),
        priority: 0,
        known: Terms {
            interval: INTERVAL,
            ..Terms::default()
        },
        grace: GRACE,
        window: 10 * SECOND,
        action,
    }
}

pub(crate) fn ask(host: u64, want: u32) -> Call {
    call(host, consecutive(want, HORIZON))
}

pub(crate) fn consecutive(want: u32, horizon: u64) -> Action {
    Action::Reserve {
        want,
        spacing: 0,
        after: 0,
        horizon,
        burst: 1,
        gathered: 0,
    }
}

fn last_of(slots: Slots, count: u32) -> Slots {
    let before = u64::from(slots.count - count);
    Slots {
        first: slots.first + before * slots.step,
        count,
        ..slots
    }
}

/// Slots that were granted and not given back.
#[derive(Clone, Default)]
pub(crate) struct Granted {
    slots: Vec<u64>,
}

impl Granted {
    pub(crate) fn add(&mut self, reply: &Reply) {
        for slots in &reply.slots {
            self.extend(slots.first, u64::from(slots.count), slots.step);
        }
    }

    pub(crate) fn extend(&mut self, start: u64, count: u64, interval: u64) {
        self.slots.extend((0..count).map(|n| start + n * interval));
    }

    pub(crate) fn remove(&mut self, slots: Slots) {
        for n in 0..u64::from(slots.count) {
            self.remove_slot(slots.first + n * slots.step);
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
