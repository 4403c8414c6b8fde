//! When releases were: what the pacing is checked against.

use core::cell::RefCell;

use apiqueue_core::Clock;
use critical_section::{Mutex, with};

use crate::{CLOCK, INTERVAL};

/// More than a round of `forced` can make.
const ROOM: usize = 16;

static LOG: Mutex<RefCell<Log>> = Mutex::new(RefCell::new(Log {
    earliest: [0; ROOM],
    latest: [0; ROOM],
    len: 0,
    kept: 0,
}));

struct Log {
    earliest: [u32; ROOM],
    latest: [u32; ROOM],
    len: usize,
    /// 1 when the first is of the round before.
    kept: usize,
}

/// Records what `release` says that it released. An interrupt in between makes the moment uncertain: it is kept as the
/// readings before and after.
pub(crate) fn released(release: impl FnOnce() -> usize) -> usize {
    let earliest = CLOCK.now();
    let count = release();
    let latest = CLOCK.now();
    for _ in 0..count {
        with(|section| {
            let mut log = LOG.borrow_ref_mut(section);
            let at = log.len;
            assert!(at < ROOM, "more releases than waiters");
            log.earliest[at] = earliest;
            log.latest[at] = latest;
            log.len += 1;
        });
    }
    count
}

/// The latest release was given back: it does not count.
pub(crate) fn given_back() {
    with(|section| {
        let mut log = LOG.borrow_ref_mut(section);
        log.len = log.len.saturating_sub(1);
    });
}

/// Checks all that were recorded, and keeps the last one as the start of the next round. Says how many are new.
///
/// The k-th release was no earlier than the k-th of the earliest readings and no later than the k-th of the latest ones,
/// each sorted: so no pair here is closer than it was.
pub(crate) fn check() -> usize {
    with(|section| {
        let log = &mut *LOG.borrow_ref_mut(section);
        let len = log.len;
        let origin = log.earliest[0].wrapping_sub(1 << 16);
        let (earliest, latest) = (&mut log.earliest[..len], &mut log.latest[..len]);
        earliest.sort_unstable_by_key(|at| at.wrapping_sub(origin));
        latest.sort_unstable_by_key(|at| at.wrapping_sub(origin));
        for first in 0..len {
            for second in first + 1..len {
                let gap = latest[second].wrapping_sub(earliest[first]);
                let least = (second - first) as u32 * INTERVAL;
                assert!(
                    gap >= least,
                    "{} releases in {gap} ticks",
                    second - first + 1
                );
            }
        }
        if let Some(last) = len.checked_sub(1) {
            log.earliest[0] = log.earliest[last];
            log.latest[0] = log.latest[last];
            log.len = 1;
        }
        len - core::mem::replace(&mut log.kept, log.len)
    })
}
