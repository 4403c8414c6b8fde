//! [`Tries`]: how long a call comes again to a file that others have.

use std::time::{Duration, Instant};

/// The first pause; each is twice the one before it.
const FIRST: Duration = Duration::from_micros(100);
/// The longest.
const LONGEST: Duration = Duration::from_millis(5);
/// A file is locked for some microseconds, even by many: somebody who has it for so long stands still.
const PATIENCE: Duration = Duration::from_millis(250);

/// Those of one call.
#[derive(Default)]
pub(super) struct Tries {
    since: Option<Instant>,
    pause: Duration,
}

impl Tries {
    /// How long to wait before the next one. Not any more after a quarter of a second: then it says how long it was.
    pub(super) fn pause(&mut self) -> Result<Duration, Duration> {
        let now = Instant::now();
        let spent = now - *self.since.get_or_insert(now);
        if spent >= PATIENCE {
            return Err(spent);
        }
        self.pause = (self.pause * 2).clamp(FIRST, LONGEST);
        Ok(self.pause)
    }
}
