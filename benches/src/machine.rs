//! What the machine says of this process and of itself.

use std::process::Command;
use std::time::{Duration, Instant};

/// CPU time and context switches of this process so far, those of ended threads included.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Switches because a thread had to wait: each is a wake-up later on.
    pub voluntary: u64,
    /// Switches because another thread was to run.
    pub involuntary: u64,
}

impl Usage {
    /// Up to now.
    #[must_use]
    pub fn now() -> Self {
        // SAFETY: `usage` lives through the call, which fills it in; all zeros are a valid value.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
            usage
        };
        let time = |at: libc::timeval| {
            Duration::from_secs(at.tv_sec as u64) + Duration::from_micros(at.tv_usec as u64)
        };
        Self {
            cpu: time(usage.ru_utime) + time(usage.ru_stime),
            voluntary: usage.ru_nvcsw as u64,
            involuntary: usage.ru_nivcsw as u64,
        }
    }

    /// Since an earlier one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            voluntary: self.voluntary - earlier.voluntary,
            involuntary: self.involuntary - earlier.involuntary,
        }
    }
}

/// Has this thread woken as precisely as the system can: timer slack of 1 ns instead of 50 µs.
pub fn sharpen() {
    // SAFETY: changes this thread's timer slack and nothing else.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// The system's absolute sleep, bare.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    start: u64,
}

impl Grid {
    /// Begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self { start: monotonic() }
    }

    /// Sleeps until `offset` after the beginning, and says how late that was in nanoseconds.
    #[must_use]
    pub fn sleep_until(self, offset: Duration) -> u64 {
        let due = self.start + offset.as_nanos() as u64;
        let at = libc::timespec {
            tv_sec: (due / 1_000_000_000) as libc::time_t,
            tv_nsec: (due % 1_000_000_000) as libc::c_long,
        };
        // SAFETY: `at` lives through the call; with TIMER_ABSTIME nothing is written back.
        unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &raw const at,
                std::ptr::null_mut(),
            );
        }
        monotonic().saturating_sub(due)
    }
}

fn monotonic() -> u64 {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` lives through the call, which fills it in.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut at) };
    at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64
}

/// Blocks until `done`, for `most` at most, and says whether it came.
pub fn wait_until(most: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > most {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Date, processor, system and compiler, in a line.
#[must_use]
pub fn describe() -> String {
    let said = |command: &str, arguments: &[&str]| {
        let output = Command::new(command).args(arguments).output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| said.trim().to_owned())
    };
    let processor = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(": ")?.1.to_owned())
        });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let unknown = || "unknown".to_owned();
    format!(
        "Measured on {} on {cores} cores of {}, Linux {}, {}.",
        said("date", &["-u", "+%F"]).unwrap_or_else(unknown),
        processor.unwrap_or_else(unknown),
        said("uname", &["-r"]).unwrap_or_else(unknown),
        said("rustc", &["-V"]).unwrap_or_else(unknown),
    )
}
