//! What the images ask of a board in QEMU: a start, a timer interrupt, a line of text, an exit code.
#![no_std]

#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod arch;
pub mod timer;

use core::panic::PanicInfo;

pub use arch::{delay, stack_pointer};
use semihosting::experimental::env::args;
pub use semihosting::println;
use semihosting::process::exit;

unsafe extern "Rust" {
    // SAFETY: `main!` defines it, with this signature.
    safe fn board_run();
}

/// Names the function that is the program. When it returns, QEMU exits with 0; when anything panics, with 1.
#[macro_export]
macro_rules! main {
    ($run:path) => {
        // SAFETY: the one symbol of this name, as an image has one program.
        #[unsafe(no_mangle)]
        fn board_run() {
            $run();
        }
    };
}

fn start() -> ! {
    board_run();
    pass()
}

/// Ends the program: all is well.
pub fn pass() -> ! {
    exit(0)
}

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    println!("FAILED {info}");
    exit(1)
}

/// Whether QEMU was told `arg=exact`: it counts instructions (`-icount`), so that the timer comes where it is sent.
pub fn is_exact() -> bool {
    args::<64>().is_ok_and(|args| (&args).into_iter().any(|arg| matches!(arg, Ok("exact"))))
}
