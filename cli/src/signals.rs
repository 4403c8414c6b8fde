//! Signals that ask a program to end.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Failure;

/// Calls `tell` on a thread of its own for each of SIGINT, SIGTERM and SIGHUP, with which it is and how many there were.
///
/// One that this process was started with as ignored stays so: `nohup` and the background jobs of scripts ask for that.
///
/// # Errors
/// The system's, where no signal can be caught or no thread be started.
pub(crate) fn on_end(mut tell: impl FnMut(i32, u32) + Send + 'static) -> Result<(), Failure> {
    let failed = |why: io::Error| Failure::trouble(format_args!("signals can't be caught: {why}"));
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter();
    let caught = wanted.filter(|signal| ignored & (1 << (signal - 1)) == 0);
    let mut signals = Signals::new(caught).map_err(failed)?;
    thread::Builder::new()
        .name("apiqueue-signals".to_owned())
        .spawn(move || {
            for (before, signal) in signals.forever().enumerate() {
                tell(
                    signal,
                    u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1),
                );
            }
        })
        .map_err(failed)?;
    Ok(())
}

/// What a shell says of a process that this signal has ended.
pub(crate) fn exit_code(signal: i32) -> u8 {
    u8::try_from(signal).unwrap_or(0).saturating_add(128)
}

/// The signals that this process ignores, a bit each from the first on; none where the system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
