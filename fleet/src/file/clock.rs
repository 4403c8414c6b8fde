//! The clock that the processes of a machine share, and that goes on after a reboot.
//!
//! | between two calls | as much time has passed as |
//! |---|---|
//! | in one boot | the time since the boot says, that of a suspended machine included. A wall clock that is set does not matter |
//! | of two boots | the wall clock says, or none if it says that it went back |
//! | in two time namespaces, or if the time since the boot went back | the wall clock says, as above |
//!
//! So it never goes back. Which boot it is, the kernel says (`/proc/sys/kernel/random/boot_id`); where it does not, a boot is told from
//! the last one only by a shorter time since it. If it is not, what passed is counted too short: that only delays.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Reads the clocks of the machine.
pub trait MachineClock: Send + Sync + 'static {
    /// What they say now.
    fn read(&self) -> Reading;
}

/// What the clocks of a machine say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which boot, and whose view of its time.
    pub boot: Boot,
    /// Microseconds since the boot.
    pub since_boot: u64,
    /// Microseconds since 1970.
    pub wall: u64,
}

/// What says that two times since the boot can be compared. Zeros where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// The kernel's number of this boot.
    pub id: u128,
    /// The time namespace of this process.
    pub namespace: u64,
}

/// The clocks of this machine.
#[derive(Debug)]
pub(super) struct ThisMachine {
    boot: Boot,
}

/// Counts the time in which the machine is suspended.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SINCE_BOOT: ClockId = ClockId::Boottime;
/// Elsewhere it is up to the system whether it counts that time. If it does not, too little is counted.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

impl ThisMachine {
    pub(super) fn new() -> Self {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let id = id.and_then(|id| u128::from_str_radix(&id.trim().replace('-', ""), 16).ok());
        let namespace = fs::metadata("/proc/self/ns/time");
        Self {
            boot: Boot {
                id: id.unwrap_or(0),
                namespace: namespace.map_or(0, |it| it.ino()),
            },
        }
    }
}

impl MachineClock for ThisMachine {
    fn read(&self) -> Reading {
        Reading {
            boot: self.boot,
            since_boot: micros(clock_gettime(SINCE_BOOT)),
            wall: micros(clock_gettime(ClockId::Realtime)),
        }
    }
}

/// A time before 1970 is none.
fn micros(at: Timespec) -> u64 {
    let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(at.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000) + nanos / 1_000
}

/// The largest time that is reckoned with: sums of it and of a calendar's spans are far from the end of 64 bits.
pub(super) const MAX_TIME: u64 = 1 << 60;

/// What the shared clock said last, and what the machine's clocks said then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    /// Microseconds of the shared clock.
    pub(super) now: u64,
    pub(super) reading: Reading,
}

impl Anchor {
    /// A clock that begins: at the wall clock's time, so that it differs from that of a file which was lost.
    pub(super) fn begin(reading: Reading) -> Self {
        Self {
            now: reading.wall.min(MAX_TIME),
            reading,
        }
    }

    /// What it says at `reading`.
    pub(super) fn at(&self, reading: Reading) -> Self {
        let before = self.reading;
        let passed = match reading.since_boot.checked_sub(before.since_boot) {
            Some(passed) if reading.boot == before.boot => passed,
            _ => reading.wall.saturating_sub(before.wall),
        };
        Self {
            now: self.now.saturating_add(passed).min(MAX_TIME),
            reading,
        }
    }
}
