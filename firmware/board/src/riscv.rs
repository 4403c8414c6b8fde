//! RISC-V, QEMU's `virt` board.

use core::arch::asm;

use riscv::delay::McycleDelay;
use riscv::interrupt::Interrupt;
use riscv::register::{mie, mstatus};
use riscv_rt::{core_interrupt, entry};

#[entry]
fn main() -> ! {
    timer_stop();
    // Once and here: setting it in a handler would let traps nest, and the runtime keeps no registers for that.
    // SAFETY: the trap handler and the stack are set up, and the timer is silent.
    unsafe {
        mie::set_mtimer();
        mstatus::set_mie();
    }
    crate::start()
}

#[core_interrupt(Interrupt::MachineTimer)]
fn machine_timer() {
    crate::timer::fire();
}

/// Two halves each, low first.
const COMPARE: *mut u32 = 0x0200_4000 as *mut u32;
const TIME: *const u32 = 0x0200_bff8 as *const u32;

/// The length of the period, for `timer_again`.
static PERIOD: critical_section::Mutex<core::cell::Cell<u32>> =
    critical_section::Mutex::new(core::cell::Cell::new(0));

pub(crate) fn timer_start(counts: u32) {
    critical_section::with(|section| PERIOD.borrow(section).set(counts));
    set_compare(time().wrapping_add(u64::from(counts)));
}

/// A period from when it was due, as SysTick would.
pub(crate) fn timer_again() {
    let period = critical_section::with(|section| PERIOD.borrow(section).get());
    set_compare(compare().wrapping_add(u64::from(period)));
}

pub(crate) fn timer_stop() {
    set_compare(u64::MAX);
}

fn time() -> u64 {
    // SAFETY: the board's timer; reading has no effect.
    unsafe { read_halves(TIME) }
}

fn compare() -> u64 {
    // SAFETY: the board's timer; reading has no effect.
    unsafe { read_halves(COMPARE) }
}

fn set_compare(at: u64) {
    // SAFETY: the board's timer. High half out of reach first, so that no half-written deadline fires.
    unsafe {
        COMPARE.add(1).write_volatile(u32::MAX);
        COMPARE.write_volatile(at as u32);
        COMPARE.add(1).write_volatile((at >> 32) as u32);
    }
}

/// # Safety
/// `low` is a register of two halves, low first.
unsafe fn read_halves(low: *const u32) -> u64 {
    loop {
        // SAFETY: by the caller.
        let (high, low, again) = unsafe {
            (
                low.add(1).read_volatile(),
                low.read_volatile(),
                low.add(1).read_volatile(),
            )
        };
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// The present stack pointer.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe { asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// The board's delay.
pub fn delay() -> McycleDelay {
    /// QEMU's cycles are nanoseconds.
    const CLOCK_HZ: u32 = 1_000_000_000;
    McycleDelay::new(CLOCK_HZ)
}
