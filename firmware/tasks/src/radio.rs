//! A radio with a duty cycle: no more than one frame in [`INTERVAL`] milliseconds, or its licence is gone.

use core::cell::{Cell, RefCell};

use critical_section::{Mutex, with};
use embassy_time::{Instant, Timer};

pub(crate) const INTERVAL: u32 = 20;
/// Milliseconds that a frame is on the air.
const AIRTIME: u64 = 2;
/// A released sender looks at the clock again before it sends, and the clock may have ticked in between.
const LATENESS: u64 = 1;

/// Counts frames and watches the duty cycle.
pub(crate) struct Radio {
    frames: Mutex<Cell<u32>>,
    /// When the latest frames began, the newest last.
    began: Mutex<RefCell<[Option<u64>; 16]>>,
    on_air: Mutex<Cell<bool>>,
}

impl Radio {
    pub(crate) const fn new() -> Self {
        Self {
            frames: Mutex::new(Cell::new(0)),
            began: Mutex::new(RefCell::new([None; 16])),
            on_air: Mutex::new(Cell::new(false)),
        }
    }

    pub(crate) async fn send(&self) {
        let now = Instant::now().as_ticks();
        with(|section| {
            assert!(
                !self.on_air.borrow(section).replace(true),
                "two frames at once"
            );
            let mut began = self.began.borrow_ref_mut(section);
            began.rotate_left(1);
            began[15] = Some(now);
            for (back, then) in began.iter().rev().enumerate().skip(1) {
                let Some(then) = then else { break };
                let least = back as u64 * u64::from(INTERVAL) - LATENESS;
                assert!(
                    now - then >= least,
                    "{} frames in {} ms",
                    back + 1,
                    now - then
                );
            }
            let frames = self.frames.borrow(section);
            frames.set(frames.get() + 1);
        });
        Timer::after_ticks(AIRTIME).await;
        with(|section| self.on_air.borrow(section).set(false));
    }

    pub(crate) fn frames(&self) -> u32 {
        with(|section| self.frames.borrow(section).get())
    }
}
