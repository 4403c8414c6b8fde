//! [`RedisStatus`]: what an operator sees of the connection.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::backend::BackendError;
use crate::guarded::lock;

/// How a [`RedisBackend`](crate::RedisBackend) and its server are doing, from [`status`](crate::RedisBackend::status). `Display` shows
/// it in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisStatus {
    /// Whether there is a connection, as of the last call: that one has broken since is noticed by the next.
    pub connected: bool,
    /// How many connections were made so far.
    pub connects: u64,
    /// How many attempts to make one failed.
    pub failed_connects: u64,
    /// How many commands were sent so far. Those that make a connection do not count.
    pub commands: u64,
    /// The last error that a call ended with. Without secrets.
    pub last_error: Option<BackendError>,
    /// When that was.
    pub last_error_at: Option<SystemTime>,
}

impl fmt::Display for RedisStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.connected {
            "connected"
        } else {
            "not connected"
        };
        write!(
            f,
            "{state}; {} commands, {} connections made, {} failed",
            self.commands, self.connects, self.failed_connects
        )?;
        if let (Some(error), Some(at)) = (&self.last_error, self.last_error_at) {
            // A clock that was set back meanwhile.
            let ago = at.elapsed().unwrap_or_default().as_secs_f64();
            write!(f, "; {ago:.1} s ago: {error}")?;
        }
        Ok(())
    }
}

/// What a status is made of.
pub(super) struct Record {
    /// Who made it: a child forked from that process finds the lock held, perhaps for ever.
    process: u32,
    commands: AtomicU64,
    rest: Mutex<Rest>,
}

#[derive(Default)]
struct Rest {
    connected: bool,
    connects: u64,
    failed_connects: u64,
    last_error: Option<(BackendError, SystemTime)>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            process: std::process::id(),
            commands: AtomicU64::new(0),
            rest: Mutex::default(),
        }
    }

    pub(super) fn command(&self) {
        self.commands.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    pub(super) fn connected(&self) {
        self.with(|rest| {
            rest.connected = true;
            rest.connects += 1;
        });
    }

    pub(super) fn not_connected(&self) {
        self.with(|rest| rest.failed_connects += 1);
    }

    pub(super) fn disconnected(&self) {
        self.with(|rest| rest.connected = false);
    }

    pub(super) fn failed(&self, error: &BackendError) {
        self.with(|rest| rest.last_error = Some((error.clone(), SystemTime::now())));
    }

    pub(super) fn status(&self) -> RedisStatus {
        let mut status = RedisStatus {
            connected: false,
            connects: 0,
            failed_connects: 0,
            commands: self.commands(),
            last_error: None,
            last_error_at: None,
        };
        self.with(|rest| {
            status.connected = rest.connected;
            status.connects = rest.connects;
            status.failed_connects = rest.failed_connects;
            (status.last_error, status.last_error_at) = rest.last_error.clone().unzip();
        });
        status
    }

    fn with(&self, does: impl FnOnce(&mut Rest)) {
        if let Some(mut rest) = lock(&self.rest, self.process) {
            does(&mut rest);
        }
    }
}
