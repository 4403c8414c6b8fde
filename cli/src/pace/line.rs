//! [`Line`]: a queue, alone or shared by processes, and the waits in it.

use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Builder, Closed, StartError, Stop, Turn, WaitError, Waiter};
use apiqueue_fleet::{BackendError, FleetLimit, News};

use crate::error::Failure;

/// How often those who wait look at how the shared limit is doing.
const LOOK: Duration = Duration::from_millis(100);
/// How long a shared limit that has never answered is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long slots are given back for.
const LEAVE: Duration = Duration::from_millis(500);

/// A line of this process. A handle.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) queue: ApiQueue,
    limit: Option<FleetLimit>,
}

/// Why there is no turn.
#[derive(Debug)]
pub(crate) enum End {
    /// The line was closed.
    Closed,
    /// The shared limit can't be reached, and never could.
    Failed(Failure),
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl Line {
    pub(super) fn start(builder: Builder, limit: Option<FleetLimit>) -> Result<Self, Failure> {
        let builder = match &limit {
            Some(limit) => builder.shared(limit.clone()),
            None => builder,
        };
        let queue = builder.start().map_err(|why| match why {
            StartError::Thread(_) => Failure::trouble(why),
            _ => Failure::usage(why),
        })?;
        Ok(Self { queue, limit })
    }

    /// Whether other processes go by it, too.
    pub(crate) fn is_shared(&self) -> bool {
        self.limit.is_some()
    }

    /// A place in line.
    pub(crate) fn enqueue(&self) -> Result<Waiter, End> {
        Ok(self.queue.enqueue_wait()?)
    }

    /// Waits for the turn of one in line.
    pub(crate) fn wait(&self, mut waiter: Waiter) -> Result<Turn<'static>, End> {
        let Some(limit) = &self.limit else {
            return Ok(waiter.wait()?);
        };
        let since = Instant::now();
        loop {
            match waiter.wait_timeout(LOOK) {
                Ok(turn) => return Ok(turn),
                Err(WaitError::TimedOut { .. }) => {}
                Err(_) => return Err(End::Closed),
            }
            if let Some(why) = never_there(limit, since.elapsed()) {
                return Err(End::Failed(why));
            }
        }
    }

    /// Ends the line, and gives back what it holds of a shared limit.
    pub(crate) fn leave(&self) {
        self.queue.stop(Stop::Now);
        let Some(limit) = &self.limit else {
            return;
        };
        let until = Instant::now() + LEAVE;
        while limit.stats().slots_held > 0 && Instant::now() < until {
            thread::sleep(Duration::from_micros(200));
        }
    }
}

fn never_there(limit: &FleetLimit, waited: Duration) -> Option<Failure> {
    let stats = limit.stats();
    if stats.slots_granted > 0 || !stats.is_away {
        return None;
    }
    let (error, _) = stats.last_error?;
    let is_over = match error {
        BackendError::Refused(_) => true,
        _ => waited >= PATIENCE,
    };
    is_over.then(|| Failure::trouble(format_args!("the limit {:?}: {error}", limit.name())))
}

/// What news of a shared limit say to the user.
pub(super) fn in_words(news: &News) -> String {
    let ms = |span: Duration| format!("{} ms", span.as_micros() as f64 / 1e3);
    match news {
        News::Away(why) => format!("the shared limit can't be reached: {why}"),
        News::Spent => "nothing more is started until the shared limit can be reached".to_owned(),
        News::Back { after } => {
            format!(
                "the shared limit can be reached again, after {}",
                ms(*after)
            )
        }
        News::Forgot { learning } => format!(
            "the shared limit is new: nothing is granted for {}, as others may hold slots of before",
            ms(*learning)
        ),
        News::OtherRate { built, in_force } => format!(
            "others share this limit at one each {}: that stays in force, not one each {}",
            ms(*in_force),
            ms(*built)
        ),
        other => format!("the shared limit: {other:?}"),
    }
}
