//! [`FleetLimit`]: one limit of a fleet, as the source of a queue's permits.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Weak};
use std::time::Duration;

use apiqueue::{Permits, Setup, Source};

use crate::backend::Backend;
use crate::calendar::micros;
use crate::error::{FleetError, MAX_NAME};
use crate::host::{Away, News, Terms};
use crate::member::{Member, Telling};
use crate::members::{Counted, Members};
use crate::stats::FleetStats;

const DEFAULT_HORIZON: Duration = Duration::from_secs(2);
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(500);
const DEFAULT_MAX_LEASE: u32 = 256;
const MAX_MAX_LEASE: u32 = 1 << 16;

/// A limit whose rate a fleet of processes shares: what [`Builder::shared`](apiqueue::Builder::shared) takes.
///
/// ```
/// use apiqueue::ApiQueue;
/// use apiqueue_fleet::InProcess;
///
/// let backend = InProcess::new(); // or a Redis that all hosts reach
/// let limit = backend.limit("ec2");
/// let ec2 = ApiQueue::builder().per_second(200).shared(limit.clone()).start()?;
/// ec2.wait_turn()?;
/// println!("{}", limit.stats());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The rate comes from the queue's builder: one release each interval, in the whole fleet, rounded up to whole microseconds. It counts
/// only where the backend knows none for this name yet; [`ApiQueue::set_rate`](apiqueue::ApiQueue::set_rate) changes it. So does
/// [`catch_up`](apiqueue::Builder::catch_up), 1 ms to a second here: a slot may still be used so long after its time, by a driver
/// that was held up or a caller who came after it. What is older is gone, and makes no burst.
///
/// All hosts of a limit are to be set up alike: the schedule's bounds are reckoned with the asking host's horizon. A clone is the same
/// limit, and is counted in the same stats; each queue that is started with it is a host of its own.
#[derive(Clone)]
#[must_use = "a limit does nothing before a queue is started with it"]
pub struct FleetLimit {
    name: String,
    backend: Arc<dyn Backend>,
    away: Away,
    horizon: Duration,
    timeout: Duration,
    max_lease: u32,
    on_news: Option<Telling>,
    members: Arc<Members>,
}

impl FleetLimit {
    /// The limit called `name` on a backend of your own; those of this crate have a method `limit`.
    ///
    /// Who uses the same name on the same backend shares one rate. 1 to 200 bytes without braces and control characters. An empty one
    /// stands for the name of each queue, so that one limit can be given to many of them.
    pub fn new(name: impl Into<String>, backend: impl Backend) -> Self {
        Self {
            name: name.into(),
            backend: Arc::new(backend),
            away: Away::default(),
            horizon: DEFAULT_HORIZON,
            timeout: DEFAULT_TIMEOUT,
            max_lease: DEFAULT_MAX_LEASE,
            on_news: None,
            members: Arc::new(Members::new()),
        }
    }

    /// What to do while the backend is away (default: [`Away::Share`] for a minute).
    pub fn away(mut self, away: Away) -> Self {
        self.away = away;
        self
    }

    /// How far ahead slots may be granted (default 2 s; 100 ms to an hour). It is how long it takes at most for a hold or a new
    /// rate to reach all hosts, and most of the pause after a backend has forgotten its state. A fleet with more hosts
    /// than there are releases in this time works better with a longer one.
    pub fn horizon(mut self, horizon: Duration) -> Self {
        self.horizon = horizon;
        self
    }

    /// How long a call to the backend may take (default 500 ms; 1 ms to a minute).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The most slots to ask for at once (default 256; 1 to 65,536): what a host that dies costs the fleet at most.
    pub fn max_lease(mut self, max_lease: u32) -> Self {
        self.max_lease = max_lease;
        self
    }

    /// Is told by each host, on the thread that drives its queue, when the backend goes away and comes back: once per change.
    pub fn on_news(mut self, tell: impl Fn(&News) + Send + Sync + 'static) -> Self {
        self.on_news = Some(Arc::new(tell));
        self
    }

    /// The name. Empty where it is that of each queue.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the queues that were started with it have done so far, those of this process and of its clones.
    #[must_use]
    pub fn stats(&self) -> FleetStats {
        self.members.stats(&self.name)
    }

    fn terms(&self, name: &str, setup: &Setup<'_>) -> Result<Terms, FleetError> {
        let bad = |c: char| c == '{' || c == '}' || c.is_control();
        if name.is_empty() || name.len() > MAX_NAME || name.contains(bad) {
            let name = name.to_owned();
            return Err(FleetError::Name { name });
        }
        if setup.rate.burst_size() != 1 {
            let burst = setup.rate.burst_size();
            return Err(FleetError::Burst { burst });
        }
        if setup.rate.is_strict() {
            return Err(FleetError::Strict);
        }
        if !(1..=MAX_MAX_LEASE).contains(&self.max_lease) {
            return Err(FleetError::MaxLease {
                max_lease: self.max_lease,
                max: MAX_MAX_LEASE,
            });
        }
        let ms = Duration::from_millis;
        let catch_up = Duration::from_nanos(setup.catch_up);
        Ok(Terms {
            host: RandomState::new().hash_one(std::process::id()),
            interval: micros(setup.rate.interval()).max(1),
            horizon: span("horizon", self.horizon, ms(100), ms(3_600_000))?,
            timeout: span("timeout", self.timeout, ms(1), ms(60_000))?,
            late: span("time to catch up", catch_up, ms(1), ms(1_000))?,
            max_lease: self.max_lease,
            away: self.away,
        })
    }
}

fn span(
    what: &'static str,
    span: Duration,
    min: Duration,
    max: Duration,
) -> Result<u64, FleetError> {
    if (min..=max).contains(&span) {
        Ok(micros(span))
    } else {
        Err(FleetError::Span {
            what,
            span,
            min,
            max,
        })
    }
}

impl Source for FleetLimit {
    /// Asks the backend for nothing yet.
    ///
    /// # Errors
    /// [`FleetError`], naming the value and what it may be.
    fn open(&self, setup: &Setup<'_>) -> Result<Arc<dyn Permits>, Box<dyn Error + Send + Sync>> {
        let name = match self.name.as_str() {
            "" => setup.name,
            name => name,
        };
        let member = Arc::new(Member::new(
            name,
            self.terms(name, setup)?,
            setup.clock.clone(),
            Arc::clone(&self.backend),
            self.on_news.clone(),
            Arc::clone(&self.members),
        ));
        let counted: Weak<dyn Counted> = Arc::downgrade(&member) as _;
        self.members.join(counted);
        Ok(member)
    }
}

impl fmt::Debug for FleetLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetLimit")
            .field("name", &self.name)
            .field("backend", &self.backend)
            .field("away", &self.away)
            .field("horizon", &self.horizon)
            .field("timeout", &self.timeout)
            .field("max_lease", &self.max_lease)
            .finish_non_exhaustive()
    }
}
