//! [`Tries`]: how long a call comes again to a file that others have.

use std::time::{Duration, Instant};

/// The first pause; each is twice the one before it.
const FIRST: Duration = Duration::from_micros(100);
/// The longest. On a busy machine somebody may have to wait for the processor with the file locked, and be followed by others: who came
/// more rarely could miss all the moments between.
const LONGEST: Duration = Duration::from_millis(1);
/// Less than the time that a call has by default. Whoever has the file for so long stands still.
const PATIENCE: Duration = Duration::from_millis(200);

/// Those of one call.
#[derive(Default)]
pub(super) struct Tries {
    since: Option<Instant>,
    pause: Duration,
}

impl Tries {
    /// How long to wait before the next one. Not any more after 200 ms: then it says how long it was.
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
