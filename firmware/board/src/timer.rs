//! The one timer that every board here has: SysTick on Arm, the machine timer on RISC-V.

use core::cell::Cell;

use critical_section::{Mutex, with};

use crate::arch;

/// What the next interrupt does.
#[derive(Clone, Copy)]
struct Alarm {
    handler: fn(),
    periodic: bool,
}

static ALARM: Mutex<Cell<Option<Alarm>>> = Mutex::new(Cell::new(None));

/// Calls `handler` in the interrupt once, `counts` of the timer from now (at least 1).
pub fn once(counts: u32, handler: fn()) {
    set(counts, handler, false);
}

/// Calls `handler` in the interrupt every `counts` of the timer (at least 1), until [`stop`].
pub fn every(counts: u32, handler: fn()) {
    set(counts, handler, true);
}

/// No more interrupts.
pub fn stop() {
    with(|section| {
        arch::timer_stop();
        ALARM.borrow(section).set(None);
    });
}

fn set(counts: u32, handler: fn(), periodic: bool) {
    with(|section| {
        ALARM.borrow(section).set(Some(Alarm { handler, periodic }));
        arch::timer_start(counts.max(1));
    });
}

/// Called by the interrupt.
pub(crate) fn fire() {
    let alarm = with(|section| {
        let alarm = ALARM.borrow(section).get();
        match alarm {
            Some(Alarm { periodic: true, .. }) => arch::timer_again(),
            _ => {
                arch::timer_stop();
                ALARM.borrow(section).set(None);
            }
        }
        alarm
    });
    if let Some(alarm) = alarm {
        (alarm.handler)();
    }
}
