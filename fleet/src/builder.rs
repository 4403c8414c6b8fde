//! [`FleetBuilder`]: everything that a fleet's queue is started with.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use apiqueue::{ApiQueue, Rate, RateError};

use crate::backend::Backend;
use crate::calendar::micros;
use crate::error::{FleetError, MAX_NAME};
use crate::host::{Away, Host, News, Terms};
use crate::in_process::InProcess;
use crate::queue::FleetQueue;
use crate::shared::{Shared, Telling};

const DEFAULT_HORIZON: Duration = Duration::from_secs(2);
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(500);
const DEFAULT_CATCH_UP: Duration = Duration::from_millis(10);
const DEFAULT_MAX_LEASE: u32 = 256;
const MAX_MAX_LEASE: u32 = 1 << 16;

/// Sets up a [`FleetQueue`].
///
/// All hosts of a limit are to be set up alike: the schedule's bounds are reckoned with the asking host's horizon.
///
/// ```
/// use apiqueue_fleet::{FleetError, FleetQueue};
///
/// let ec2 = FleetQueue::builder().name("ec2").per_second(100).start()?;
/// assert_eq!(ec2.name(), "ec2");
///
/// let why = FleetQueue::builder().name("a{b}").per_second(100).start().unwrap_err();
/// assert!(why.to_string().contains("without braces"));
/// # Ok::<(), FleetError>(())
/// ```
#[derive(Clone)]
#[must_use = "nothing is started before `start`"]
pub struct FleetBuilder {
    name: String,
    rate: Option<Result<Rate, RateError>>,
    capacity: Option<usize>,
    backend: Option<Arc<dyn Backend>>,
    away: Away,
    horizon: Duration,
    timeout: Duration,
    catch_up: Duration,
    max_lease: u32,
    on_news: Option<Telling>,
}

impl Default for FleetBuilder {
    fn default() -> Self {
        Self {
            name: String::new(),
            rate: None,
            capacity: None,
            backend: None,
            away: Away::default(),
            horizon: DEFAULT_HORIZON,
            timeout: DEFAULT_TIMEOUT,
            catch_up: DEFAULT_CATCH_UP,
            max_lease: DEFAULT_MAX_LEASE,
            on_news: None,
        }
    }
}

impl FleetBuilder {
    /// The limit's name: who uses the same name on the same backend shares one rate. 1 to 200 bytes without braces and control
    /// characters.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// One release each `interval`, in the whole fleet, rounded up to whole microseconds. Counts only where the backend
    /// knows no rate for this name yet; [`FleetQueue::set_rate`] changes it.
    pub fn every(self, interval: Duration) -> Self {
        self.with_rate(Rate::every(interval))
    }

    /// `n` releases each second, in the whole fleet. As for [`every`](Self::every).
    pub fn per_second(self, n: u32) -> Self {
        self.with_rate(Rate::per_second(n))
    }

    /// The rate, ready made. As for [`every`](Self::every).
    pub fn rate(self, rate: Rate) -> Self {
        self.with_rate(Ok(rate))
    }

    fn with_rate(mut self, rate: Result<Rate, RateError>) -> Self {
        self.rate = Some(rate);
        self
    }

    /// How many may be in line on this host at once: [`apiqueue::Builder::capacity`].
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// Where the schedule is kept (default: in this process, by name).
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
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

    /// For how long lateness is made up, as by [`Builder::catch_up`](apiqueue::Builder::catch_up) (default 10 ms; 1 ms to a second): a
    /// slot may still be used so long after its time, by a driver that was held up or a caller who came after it. What is older is
    /// gone, and makes no burst.
    pub fn catch_up(mut self, longest: Duration) -> Self {
        self.catch_up = longest;
        self
    }

    /// The most slots to ask for at once (default 256; 1 to 65,536): what a host that dies costs the fleet at most.
    pub fn max_lease(mut self, max_lease: u32) -> Self {
        self.max_lease = max_lease;
        self
    }

    /// Is told, on the driver's thread, when the backend goes away and comes back: once per change.
    pub fn on_news(mut self, tell: impl Fn(&News) + Send + Sync + 'static) -> Self {
        self.on_news = Some(Arc::new(tell));
        self
    }

    /// Starts the queue. Asks the backend for nothing yet.
    ///
    /// # Errors
    /// [`FleetError`], naming the value and what it may be.
    pub fn start(self) -> Result<FleetQueue, FleetError> {
        let rate = self
            .rate
            .ok_or(FleetError::NoRate)?
            .map_err(FleetError::Rate)?;
        let terms = self.terms(rate)?;
        let mut line = ApiQueue::builder().rate(rate).name(&self.name).granted();
        if let Some(capacity) = self.capacity {
            line = line.capacity(capacity);
        }
        let line = line.start().map_err(FleetError::Line)?;
        let backend = self.backend.unwrap_or_else(of_this_process);
        let host = Host::new(terms);
        FleetQueue::start(Shared::new(self.name, line, host, backend, self.on_news))
    }

    fn terms(&self, rate: Rate) -> Result<Terms, FleetError> {
        let name = &self.name;
        let bad = |c: char| c == '{' || c == '}' || c.is_control();
        if name.is_empty() || name.len() > MAX_NAME || name.contains(bad) {
            return Err(FleetError::Name { name: name.clone() });
        }
        if rate.burst_size() != 1 {
            let burst = rate.burst_size();
            return Err(FleetError::Burst { burst });
        }
        if !(1..=MAX_MAX_LEASE).contains(&self.max_lease) {
            return Err(FleetError::MaxLease {
                max_lease: self.max_lease,
                max: MAX_MAX_LEASE,
            });
        }
        let ms = Duration::from_millis;
        Ok(Terms {
            host: RandomState::new().hash_one(std::process::id()),
            interval: micros(rate.interval()).max(1),
            horizon: span("horizon", self.horizon, ms(100), ms(3_600_000))?,
            timeout: span("timeout", self.timeout, ms(1), ms(60_000))?,
            late: span("time to catch up", self.catch_up, ms(1), ms(1_000))?,
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

fn of_this_process() -> Arc<dyn Backend> {
    static CALENDARS: OnceLock<InProcess> = OnceLock::new();
    Arc::new(CALENDARS.get_or_init(InProcess::new).clone())
}

impl fmt::Debug for FleetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetBuilder")
            .field("name", &self.name)
            .field("rate", &self.rate)
            .field("backend", &self.backend)
            .field("away", &self.away)
            .field("horizon", &self.horizon)
            .field("timeout", &self.timeout)
            .field("catch_up", &self.catch_up)
            .field("max_lease", &self.max_lease)
            .finish_non_exhaustive()
    }
}
