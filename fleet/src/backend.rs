//! [`Backend`]: where the schedule of a fleet's release slots is kept.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What a backend gives: a future of its answer.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// Keeps one [`Calendar`](crate::Calendar) of release slots for each limit, by the limit's name, and carries out calls on it.
///
/// An implementation finds the limit's calendar (an empty one where it has none), applies the call with a reading of its own clock
/// ([`Calendar::apply`](crate::Calendar::apply)), stores the calendar and then answers, with no other call in between. What it may not do
/// is answer before the calendar is stored: a slot would be granted twice.
///
/// Its futures are polled by whoever drives the queue, mostly the thread that drives all queues of the process: they must not block.
///
/// # Cancel safety
/// A call whose future is dropped may be carried out or not. Slots granted by it are lost.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Carries out one call. To be sent once, whether it is answered or not.
    fn call<'a>(&'a self, limit: &'a str, call: Call) -> Answer<'a, Reply>;

    /// What an operator wants to know of a limit; none where the backend knows nothing of it. Changes nothing.
    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>>;
}

/// What a host asks of the backend. Spans of time are microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// A random number of the host.
    pub host: u64,
    /// What people call the host. No spaces.
    pub label: Arc<str>,
    /// How important the host is, 0 to 7: higher ones go first.
    pub priority: u8,
    /// The terms as the host knows them. They take the place of the backend's where they are newer, and where it has none.
    pub known: Terms,
    /// How long a backend that knows nothing of the limit grants nothing, as leases of before it forgot may still be in use.
    pub grace: u64,
    /// After how long a host that has not asked for slots counts as gone.
    pub window: u64,
    /// What it is about.
    pub action: Action,
}

/// What a [`Call`] is about. Spans of time are microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Grant the next slots.
    Reserve {
        /// How many at most. 0 asks only for the terms.
        want: u32,
        /// From one slot to the next on average; the slots in between stay free. 0 for consecutive slots.
        spacing: u64,
        /// No slot sooner than so long from now.
        after: u64,
        /// No slot later than so long from now.
        horizon: u64,
        /// How many slots may gather while nobody takes them: those of the time before now are free as long as there are no more. 1
        /// for none.
        burst: u32,
        /// How many of these to grant, beside the others.
        gathered: u32,
    },
    /// Take slots back that nobody has used.
    GiveBack {
        /// The state that they were granted by.
        born: u64,
        /// The number of the terms that they were granted by.
        epoch: u64,
        /// Which.
        slots: Vec<Slots>,
    },
    /// Grant no slot sooner than so long from now. Only extends a hold.
    Hold(u64),
    /// End a hold.
    Resume,
    /// Set the interval for all hosts.
    Retune(u64),
}

/// What all hosts of a limit go by. Microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// From one slot to the next.
    pub interval: u64,
    /// How much longer nothing may be released; 0 for no hold.
    pub hold: u64,
    /// Raised by each change. 0 until the first: then the interval is the one that a host was built with.
    pub epoch: u64,
}

/// Slots, one `step` after the other. Microseconds of the backend's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u32,
    /// From one to the next.
    pub step: u64,
}

/// The answer to a [`Call`]. Times are microseconds of the backend's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The backend's clock when it answered.
    pub now: u64,
    /// When the backend's state was made: another one has forgotten what was granted by this one.
    pub born: u64,
    /// The state is new until then: leases of an older one may be in use before, and no slot is granted there.
    pub learning_until: u64,
    /// The terms now.
    pub terms: Terms,
    /// How many hosts have asked for slots lately, the asking one included.
    pub hosts: u32,
    /// How many of them are less important than the asking one.
    pub below: u32,
    /// How many priorities above its own others have.
    pub above: u32,
    /// How many of the hosts have more important ones above them.
    pub kept_back: u32,
    /// The slots granted, earlier ones first. None when the horizon, a hold or a new state allows none yet.
    pub slots: Vec<Slots>,
    /// Where none were granted, when there may be one.
    pub next: u64,
    /// By how much later than a horizon before it this one may be asked for: where more important hosts go first.
    pub later: u64,
    /// How many slots were taken back.
    pub taken_back: u32,
}

impl Reply {
    /// How many slots were granted.
    #[must_use]
    pub fn granted(&self) -> u64 {
        self.slots.iter().map(|slots| u64::from(slots.count)).sum()
    }
}

/// A limit as an operator sees it. Spans of time are microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitState {
    /// The terms now.
    pub terms: Terms,
    /// How far ahead the schedule is granted; 0 where the next slot is free now.
    pub next: u64,
    /// For how much longer the state is new, and grants nothing.
    pub learning: u64,
    /// Who has asked lately.
    pub hosts: Vec<SeenHost>,
}

/// A host that has asked for slots lately.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenHost {
    /// A random number of the host.
    pub host: u64,
    /// What people call it.
    pub label: String,
    /// Its priority, 0 to 7.
    pub priority: u8,
    /// For how much longer it counts as there, microseconds: 8 s after it asked, for a host with the defaults.
    pub counts_for: u64,
}

impl fmt::Display for LimitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |micros: u64| micros as f64 / 1e3;
        let rate = 1e6 / self.terms.interval.max(1) as f64;
        write!(f, "{rate} a second, next slot in {} ms", ms(self.next))?;
        if self.terms.hold > 0 {
            write!(f, ", held for {} ms", ms(self.terms.hold))?;
        }
        if self.learning > 0 {
            write!(f, ", new for another {} ms", ms(self.learning))?;
        }
        write!(f, ", {} hosts", self.hosts.len())?;
        for host in &self.hosts {
            write!(f, "\n  {} ({:x})", host.label, host.host)?;
            if host.priority > 0 {
                write!(f, ", priority {}", host.priority)?;
            }
            write!(f, ", for another {} ms", ms(host.counts_for))?;
        }
        Ok(())
    }
}

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
