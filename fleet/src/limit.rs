//! [`FleetLimit`]: one limit of a fleet, as the source of a queue's permits.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Weak};
use std::time::Duration;

use apiqueue::{Permits, Rate, Setup, Source};

use crate::backend::{Backend, BackendError, LimitState};
use crate::calendar::micros;
use crate::error::{FleetError, MAX_NAME, number};
use crate::host::{Away, Config, News};
use crate::member::{Chain, Member, checked_burst, not_strict};
use crate::members::{Counted, Members};
use crate::stats::FleetStats;
use crate::telling::Telling;

const DEFAULT_HORIZON: Duration = Duration::from_millis(500);
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);
const DEFAULT_CATCH_UP: Duration = Duration::from_millis(100);
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
/// only where the backend knows none for this name yet ([`News::OtherRate`] tells of another one, [`rate_wins`](Self::rate_wins) has it
/// replaced); [`ApiQueue::set_rate`](apiqueue::ApiQueue::set_rate) changes it for all.
///
/// With a [burst](apiqueue::Builder::burst) of n, up to 65,536, the slots of a time in which nobody on any host took them gather, up to n; a
/// call may then [cost](apiqueue::ApiQueue::enqueue_weighted) up to n of them. The burst is each queue's own: all of them should have the same.
/// Without the backend nothing gathers.
///
/// The builder's [`catch_up`](apiqueue::Builder::catch_up) is 100 ms by default here, and 1 ms to a second: so long after its time a slot may
/// still be used by a driver that was held up. Somebody who came after it may use it for up to an interval, or 10 ms. What is older is gone, and makes no burst.
///
/// A clone is the same limit, and is counted in the same stats; each queue that is started with it is a host of its own.
#[derive(Clone)]
#[must_use = "a limit does nothing before a queue is started with it"]
pub struct FleetLimit {
    name: String,
    backend: Arc<dyn Backend>,
    away: Away,
    horizon: Duration,
    timeout: Duration,
    max_lease: u32,
    weight: u32,
    expected_hosts: u32,
    rate_wins: bool,
    at_once: bool,
    host_name: Option<Arc<str>>,
    on_news: Option<Arc<Telling>>,
    members: Arc<Members>,
    around: Option<Arc<Around>>,
}

/// A limit that another one is within, and its rate.
struct Around {
    limit: FleetLimit,
    rate: Rate,
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
            weight: 1,
            expected_hosts: 0,
            rate_wins: false,
            at_once: false,
            host_name: None,
            on_news: None,
            members: Arc::new(Members::new()),
            around: None,
        }
    }

    /// Within another limit, such as that of a whole account: a release takes a permit of both. The other one has a rate and a burst
    /// of its own, which counts as that of a queue's builder does, and may be within a third one. Their names have to differ.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, Rate};
    /// use apiqueue_fleet::InProcess;
    ///
    /// let backend = InProcess::new();
    /// let account = backend.limit("account");
    /// let whole = Rate::per_second(100)?;
    /// let list = backend.limit("list").within(&account, whole);
    /// let delete = backend.limit("delete").within(&account, whole);
    /// let list = ApiQueue::builder().per_second(80).shared(list).start()?;
    /// let delete = ApiQueue::builder().per_second(40).shared(delete).start()?;
    /// list.wait_turn()?;
    /// delete.wait_turn()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The first in line takes a permit of its own limit first and then one of the account's, so that the account's are not
    /// used up by calls that their own limit keeps back. A queue has at most one permit of each in hand that it has not used: in any window a
    /// limit may have one release more for each of its queues. Of the queue's calls
    /// [`set_rate`](apiqueue::ApiQueue::set_rate), [`hold_for`](apiqueue::ApiQueue::hold_for) and [`resume`](apiqueue::ApiQueue::resume) change
    /// its own limit; weights, charges and refunds count on all. [`stats`](Self::stats) are of each limit by itself.
    pub fn within(mut self, account: &Self, rate: Rate) -> Self {
        let around = Around {
            limit: account.clone(),
            rate,
        };
        self.around = Some(Arc::new(around));
        self
    }

    /// What to do while the backend is away (default: [`Away::Share`] for a minute).
    pub fn away(mut self, away: Away) -> Self {
        self.away = away;
        self
    }

    /// How far ahead slots may be granted (default 500 ms; 100 ms to an hour). It is how long it takes at most for a hold or a new
    /// rate to reach all hosts that release anybody, and most of the time that a limit waits which the backend does not know. A fleet with
    /// more hosts than there are releases in this time works better with a longer one.
    ///
    /// It and the [`timeout`](Self::timeout) are to be alike on all hosts of a limit: a host with a much longer horizon may hold slots for longer
    /// than others wait after a state was lost, and one with much longer times remembers how many hosts there were for longer than others
    /// take to be counted.
    pub fn horizon(mut self, horizon: Duration) -> Self {
        self.horizon = horizon;
        self
    }

    /// How long a call to the backend may take (default 250 ms; 1 ms to a minute), alike on all hosts.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The most slots to ask for at once (default 256; 1 to 65,536): what a host that dies costs the fleet at most.
    pub fn max_lease(mut self, max_lease: u32) -> Self {
        self.max_lease = max_lease;
        self
    }

    /// How many times the slots of the others a queue gets when all want more than there are (default 1; 1 to 1,000).
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// How many queues of this limit there are at most in all processes (1 to a million), for [`Away::Share`]: with it each goes on at its part of
    /// the rate, even where the backend has not been there since the process started. If there are more, the rate is exceeded by
    /// as much while the backend is away.
    pub fn expected_hosts(mut self, hosts: u32) -> Self {
        self.expected_hosts = hosts;
        self
    }

    /// Sets the rate of each queue's builder for all hosts when the queue first reaches a backend that has another one. Where processes
    /// of two configurations run, the rate is that of the one that started last.
    pub fn rate_wins(mut self) -> Self {
        self.rate_wins = true;
        self
    }

    /// Has a limit that the backend knows nothing of begin at once, and not after horizon + timeout + interval. If it was not
    /// unknown but forgotten, up to that much of the rate is released twice, each time.
    pub fn begin_at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// What this host is called where an operator looks at the limit (default: the process's number). Up to 200 bytes without spaces and
    /// control characters.
    pub fn host_name(mut self, name: impl Into<String>) -> Self {
        self.host_name = Some(name.into().into());
        self
    }

    /// Is told by each host when the backend goes away, comes back, has lost its state, or knows another rate: once per change. On
    /// a thread of its own, so that it may block; of more than 256 news that wait for it the oldest are dropped.
    pub fn on_news(mut self, tell: impl Fn(&News) + Send + Sync + 'static) -> Self {
        self.on_news = Some(Arc::new(Telling::new(tell)));
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

    /// The limit as the backend sees it now: its rate, its hold, and who is there. None where it knows nothing of it.
    ///
    /// # Errors
    /// [`BackendError`](crate::BackendError) where it can't be reached.
    pub async fn look(&self) -> Result<Option<LimitState>, BackendError> {
        self.backend.look(&self.name).await
    }

    /// This one and those that it is within.
    fn with_those_around(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |limit| Some(&limit.around.as_deref()?.limit))
    }

    fn member(&self, name: &str, rate: Rate, setup: &Setup<'_>) -> Result<Arc<Member>, FleetError> {
        Ok(Arc::new(Member::new(
            name,
            self.config(name, rate, setup.catch_up)?,
            setup.clock.clone(),
            Arc::clone(&self.backend),
            self.on_news.clone(),
            Arc::clone(&self.members),
        )))
    }

    fn config(&self, name: &str, rate: Rate, catch_up: Option<u64>) -> Result<Config, FleetError> {
        let bad = |c: char| c == '{' || c == '}' || c.is_control();
        if name.is_empty() || name.len() > MAX_NAME || name.contains(bad) {
            let name = name.to_owned();
            return Err(FleetError::Name { name });
        }
        not_strict(rate)?;
        let ms = Duration::from_millis;
        let catch_up = catch_up.map_or(DEFAULT_CATCH_UP, Duration::from_nanos);
        Ok(Config {
            host: RandomState::new().hash_one(std::process::id()),
            label: self.label()?,
            interval: micros(rate.interval()).max(1),
            burst: checked_burst(rate)?,
            interval_wins: self.rate_wins,
            horizon: span("horizon", self.horizon, ms(100), ms(3_600_000))?,
            timeout: span("timeout", self.timeout, ms(1), ms(60_000))?,
            late: span("time to catch up", catch_up, ms(1), ms(1_000))?,
            max_lease: number("largest lease", self.max_lease, 1, MAX_MAX_LEASE)?,
            weight: number("weight", self.weight, 1, 1_000)?,
            at_once: self.at_once,
            expected_hosts: number("number of hosts", self.expected_hosts, 0, 1_000_000)?,
            away: self.away,
        })
    }

    fn label(&self) -> Result<Arc<str>, FleetError> {
        let Some(name) = &self.host_name else {
            return Ok(format!("process-{}", std::process::id()).into());
        };
        let bad = |c: char| c.is_whitespace() || c.is_control();
        if name.is_empty() || name.len() > MAX_NAME || name.contains(bad) {
            let name = name.to_string();
            return Err(FleetError::HostName { name });
        }
        Ok(Arc::clone(name))
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
        let own = match self.name.as_str() {
            "" => setup.name,
            name => name,
        };
        let mut names = vec![own];
        let mut members = vec![self.member(own, setup.rate, setup)?];
        let mut around = self.around.as_deref();
        while let Some(Around { limit, rate }) = around {
            let name = limit.name.as_str();
            if names.contains(&name) {
                let name = name.to_owned();
                return Err(FleetError::Twice { name }.into());
            }
            names.push(name);
            members.push(limit.member(name, *rate, setup)?);
            around = limit.around.as_deref();
        }
        for (limit, member) in self.with_those_around().zip(&members) {
            let counted: Weak<dyn Counted> = Arc::downgrade(member) as _;
            limit.members.join(counted);
        }
        Ok(match members.len() {
            1 => members.remove(0),
            _ => Arc::new(Chain::new(members)),
        })
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
            .field("weight", &self.weight)
            .field("expected_hosts", &self.expected_hosts)
            .finish_non_exhaustive()
    }
}
