//! [`Line`]: a queue, alone or shared by processes, and the waits in it.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Builder, Closed, Next, StartError, Stop, Turn, WaitError, Waiter};
use apiqueue_fleet::{BackendError, FleetLimit, News};

use super::Demand;
use super::place::unparker;
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
    /// What drives a shared one, unless the one who waits does.
    driver: Option<Arc<JoinHandle<()>>>,
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
    /// A shared line is driven by a thread of its own, or by the one who waits, where that is one: so that its end can be waited for. A process
    /// that ends in the middle of a call would leave a file half written.
    pub(super) fn start(
        builder: Builder,
        limit: Option<FleetLimit>,
        demand: Demand,
    ) -> Result<Self, Failure> {
        let builder = match &limit {
            Some(limit) => builder.shared(limit.clone()).manual(),
            None => builder,
        };
        let queue = builder.start().map_err(|why| match why {
            StartError::Thread(_) => Failure::trouble(why),
            _ => Failure::usage(why),
        })?;
        let driver = match demand {
            Demand::Many if limit.is_some() => Some(Arc::new(driver(&queue)?)),
            _ => None,
        };
        Ok(Self {
            queue,
            limit,
            driver,
        })
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
            let until = Instant::now() + LOOK;
            if self.driver.is_none() {
                if let Some(turn) = self.drive(until, || waiter.try_wait().transpose()) {
                    return Ok(turn?);
                }
            } else {
                match waiter.wait_timeout(LOOK) {
                    Ok(turn) => return Ok(turn),
                    Err(WaitError::TimedOut { .. }) => {}
                    Err(_) => return Err(End::Closed),
                }
            }
            if let Some(why) = never_there(limit, since.elapsed()) {
                return Err(End::Failed(why));
            }
        }
    }

    /// Drives the line until `look` finds something, or the time is over.
    fn drive<T>(&self, until: Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let waker = unparker();
        loop {
            let next = self.queue.advance_with(&waker).next;
            if let Some(found) = look() {
                return Some(found);
            }
            let now = Instant::now();
            let next = match next {
                Next::At(at) => at.min(until),
                Next::OnEnqueue => until,
                Next::Closed => return None,
            };
            if now >= until {
                return None;
            }
            thread::park_timeout(next.saturating_duration_since(now));
        }
    }

    /// Ends the line, and gives back what it holds of a shared limit.
    pub(crate) fn leave(&self) {
        self.queue.stop(Stop::Now);
        let until = Instant::now() + LEAVE;
        match &self.driver {
            Some(driver) => {
                while !driver.is_finished() && Instant::now() < until {
                    thread::sleep(Duration::from_micros(200));
                }
            }
            // Until it says that it is closed.
            None if self.is_shared() => drop(self.drive(until, || None::<()>)),
            None => {}
        }
    }
}

/// A thread that drives the queue until it has ended, and what it held is given back.
fn driver(queue: &ApiQueue) -> Result<JoinHandle<()>, Failure> {
    let queue = queue.clone();
    let name = "apiqueue-line".to_owned();
    let started = thread::Builder::new().name(name).spawn(move || {
        let waker = unparker();
        loop {
            match queue.advance_with(&waker).next {
                Next::At(at) => {
                    thread::park_timeout(at.saturating_duration_since(Instant::now()));
                }
                Next::OnEnqueue => thread::park(),
                Next::Closed => return,
            }
        }
    });
    started.map_err(|why| Failure::trouble(format_args!("no thread for the line: {why}")))
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
