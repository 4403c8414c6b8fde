//! [`Backend`]: where the schedule of a fleet's release slots is kept.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What a backend gives: a future of its answer.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// Keeps one calendar of release slots for each limit, by the limit's name.
///
/// The contract of every implementation: a slot is granted once, whatever happens to the hosts; slots of one limit are at
/// least its interval apart; and times are of one clock, the backend's own.
///
/// Its futures are polled by whoever drives the queue, mostly the thread that drives all queues of the process: they must not block.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Grants the next slots.
    ///
    /// # Cancel safety
    /// Dropping the future may leave slots granted that nobody uses: at most the lease asked for.
    fn reserve<'a>(&'a self, limit: &'a str, ask: Ask) -> Answer<'a, Lease>;

    /// Returns the last `count` slots of a lease, unless slots after them were granted meanwhile. Says whether.
    ///
    /// To be sent once, whether it is answered or not: a second one could return slots that were granted to another host
    /// since the first.
    fn give_back<'a>(&'a self, limit: &'a str, lease: Lease, count: u32) -> Answer<'a, bool>;

    /// Grants no slot before `duration` from now, those in leases not begun yet included, once their hosts hear of it. Only
    /// extends. Zero ends a hold.
    fn hold<'a>(&'a self, limit: &'a str, duration: Duration) -> Answer<'a, Epoch>;

    /// Sets the interval for all hosts.
    fn retune<'a>(&'a self, limit: &'a str, interval: Duration) -> Answer<'a, Epoch>;
}

/// What a host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks: a random number of this process.
    pub host: u64,
    /// How many slots at most; 0 takes none.
    pub want: u32,
    /// The interval if the backend knows none for this limit yet.
    pub interval: Duration,
    /// How far ahead the granted slots may reach from now.
    pub horizon: Duration,
    /// How long a limit that the backend knows nothing of grants nothing, as leases of before it forgot may still be in use.
    pub grace: Duration,
    /// After how long a host that has not asked counts as gone.
    pub seen: Duration,
}

/// Consecutive slots, `interval` apart. Times are microseconds of the backend's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// How many. 0 when the horizon, a hold or the grace allows none yet: `start` then says when there may be one.
    pub count: u32,
    /// The backend's clock when it answered.
    pub now: u64,
    /// The first slot.
    pub start: u64,
    /// From one slot to the next, microseconds.
    pub interval: u64,
    /// How many hosts have asked lately, the asking one included.
    pub hosts: u32,
    /// Raised by each hold and retune: leases of before are to be used by their new terms.
    pub epoch: Epoch,
}

/// The number of the terms.
pub type Epoch = u64;

/// Why a backend did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendError {
    /// It can't be reached, or not in time.
    Away(String),
    /// It answered what can't be used.
    Refused(String),
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => write!(f, "the backend is away: {why}"),
            Self::Refused(why) => write!(f, "the backend refused: {why}"),
        }
    }
}

impl std::error::Error for BackendError {}
