//! What a run counts while it goes, for the bar, the table and the picture.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client::Answer;

/// The finest look that the picture can take at a run.
pub(crate) const BIN: Duration = Duration::from_millis(50);

/// EC2 calls of the scanner within one [`BIN`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Bin {
    pub(crate) done: u32,
    pub(crate) throttled: u32,
}

/// The scanner's counts.
pub(crate) struct Tally {
    start: Instant,
    items: AtomicUsize,
    throttled: AtomicUsize,
    bins: Mutex<Vec<Bin>>,
}

impl Tally {
    /// The run begins now.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            items: AtomicUsize::new(0),
            throttled: AtomicUsize::new(0),
            bins: Mutex::default(),
        }
    }

    /// An EC2 call was answered.
    pub(crate) fn answered(&self, answer: Answer) {
        let bin = (self.start.elapsed().as_nanos() / BIN.as_nanos()) as usize;
        let mut bins = self.bins.lock().unwrap_or_else(PoisonError::into_inner);
        if bins.len() <= bin {
            bins.resize(bin + 1, Bin::default());
        }
        match answer {
            Answer::Done => bins[bin].done += 1,
            Answer::Throttled => {
                bins[bin].throttled += 1;
                self.throttled.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// All calls of an item are done.
    pub(crate) fn item_done(&self) {
        self.items.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn items(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }

    pub(crate) fn throttled(&self) -> usize {
        self.throttled.load(Ordering::Relaxed)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn into_bins(self) -> Vec<Bin> {
        self.bins
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
