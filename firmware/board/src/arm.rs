//! Cortex-M.

use core::arch::asm;

use cortex_m::Peripherals;
use cortex_m::delay::Delay;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::{entry, exception};

#[entry]
fn main() -> ! {
    crate::start()
}

#[exception]
fn SysTick() {
    crate::timer::fire();
}

const ENABLE: u32 = 1 << 0;
const INTERRUPT: u32 = 1 << 1;
const CORE_CLOCK: u32 = 1 << 2;
/// SysTick counts in 24 bits.
const MOST: u32 = 0x00ff_ffff;

pub(crate) fn timer_start(counts: u32) {
    // SAFETY: only this module touches SysTick, inside critical sections or in its own interrupt.
    let timer = unsafe { &*SYST::PTR };
    // SAFETY: as above; each value is one that the register takes.
    unsafe {
        timer.csr.write(0);
        SCB::clear_pendst();
        timer.rvr.write(counts.min(MOST));
        timer.cvr.write(0);
        timer.csr.write(ENABLE | INTERRUPT | CORE_CLOCK);
    }
}

/// SysTick reloads by itself.
pub(crate) fn timer_again() {}

pub(crate) fn timer_stop() {
    // SAFETY: as in `timer_start`.
    unsafe { (*SYST::PTR).csr.write(0) };
    SCB::clear_pendst();
}

/// The present stack pointer.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// The board's delay. It uses SysTick too: not together with the timer.
pub fn delay() -> Delay {
    /// The micro:bit's; a board with a faster clock only waits less.
    const CLOCK_HZ: u32 = 16_000_000;
    // SAFETY: an image uses this or the timer.
    let timer = unsafe { Peripherals::steal() }.SYST;
    Delay::new(timer, CLOCK_HZ)
}
