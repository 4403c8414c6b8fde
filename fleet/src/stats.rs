//! [`FleetStats`]: what a limit tells of itself.

use std::fmt;
use std::time::Duration;

use apiqueue::Rate;

use crate::backend::BackendError;
use crate::host::{Counts, Host};

/// What the queues of a limit have done so far in this process, from [`FleetLimit::stats`](crate::FleetLimit::stats). Counts are of all
/// of them, those that have ended included, whose slots held count as lost. `Display` shows it in one block.
///
/// ```
/// use apiqueue::ApiQueue;
/// use apiqueue_fleet::InProcess;
///
/// let limit = InProcess::new().limit("stats");
/// let queue = ApiQueue::builder().per_second(1000).shared(limit.clone()).start()?;
/// let first = limit.stats();
/// assert_eq!((first.queues, first.backend_calls, first.hosts), (1, 0, 0)); // nobody has come
/// println!("{first}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FleetStats {
    /// The limit's name; empty where each queue's own counts.
    pub name: String,
    /// How many queues of it there are.
    pub queues: usize,
    /// How often the backend was called.
    pub backend_calls: u64,
    /// How many of these calls failed, or were not answered in time.
    pub backend_failures: u64,
    /// The backend's smoothed round trip, of several queues the longest; zero before the first answer.
    pub round_trip: Duration,
    /// How often the backend went away: two calls in a row failed.
    pub times_away: u64,
    /// For how long it was away, the present time included.
    pub away: Duration,
    /// Whether it is away now, for any of the queues.
    pub is_away: bool,
    /// How often it had lost its state.
    pub times_forgotten: u64,
    /// For how much longer it grants nothing, as its state is new.
    pub learning: Duration,
    /// What the latest call that failed failed of, and how long ago.
    pub last_error: Option<(BackendError, Duration)>,
    /// The rate in force, as one of the queues knows it; none where there are no queues.
    pub rate: Option<Rate>,
    /// The rate that this queue was built with.
    pub built_rate: Option<Rate>,
    /// For how much longer nobody is released.
    pub hold: Duration,
    /// Slots that the backend granted and that arrived.
    pub slots_granted: u64,
    /// Slots at which somebody was released, or that were charged.
    pub slots_used: u64,
    /// Slots given back.
    pub slots_given_back: u64,
    /// Slots that arrived and were neither used nor given back: nobody came, this host was held up, or the terms changed.
    pub slots_lost: u64,
    /// Slots held now.
    pub slots_held: u64,
    /// Releases without the backend, by [`Away`](crate::Away).
    pub released_alone: u64,
    /// How many hosts the backend has seen lately, these included; 0 before the first answer.
    pub hosts: u32,
    /// The number of the terms, raised by each hold and new rate; none before the first answer.
    pub epoch: Option<u64>,
    /// How many slots one of these queues would ask for with callers enough.
    pub lease_size: u32,
}

impl FleetStats {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            queues: 0,
            backend_calls: 0,
            backend_failures: 0,
            round_trip: Duration::ZERO,
            times_away: 0,
            away: Duration::ZERO,
            is_away: false,
            times_forgotten: 0,
            learning: Duration::ZERO,
            last_error: None,
            rate: None,
            built_rate: None,
            hold: Duration::ZERO,
            slots_granted: 0,
            slots_used: 0,
            slots_given_back: 0,
            slots_lost: 0,
            slots_held: 0,
            released_alone: 0,
            hosts: 0,
            epoch: None,
            lease_size: 0,
        }
    }

    pub(crate) fn count(&mut self, counts: &Counts) {
        self.backend_calls += counts.calls;
        self.backend_failures += counts.failures;
        self.times_away += counts.times_away;
        self.times_forgotten += counts.forgotten;
        self.away += Duration::from_micros(counts.away);
        self.slots_granted += counts.granted;
        self.slots_used += counts.used;
        self.slots_given_back += counts.given_back;
        self.slots_lost += counts.lost;
        self.released_alone += counts.alone;
    }

    pub(crate) fn add(&mut self, host: &Host, now: u64) {
        self.count(&host.counts(now));
        self.queues += 1;
        self.round_trip = self
            .round_trip
            .max(Duration::from_micros(host.round_trip()));
        self.is_away |= host.away_since().is_some();
        let left = |until: u64| Duration::from_micros(until.saturating_sub(now));
        self.learning = self.learning.max(left(host.learning_until()));
        self.hold = self.hold.max(left(host.held_until()));
        if let Some((error, at)) = host.last_error() {
            let age = Duration::from_micros(now.saturating_sub(*at));
            if self
                .last_error
                .as_ref()
                .is_none_or(|(_, before)| age < *before)
            {
                self.last_error = Some((error.clone(), age));
            }
        }
        self.rate = rate(host.interval());
        self.built_rate = rate(host.built_interval());
        self.slots_held += host.held();
        self.hosts = self.hosts.max(host.hosts());
        self.epoch = self.epoch.max(host.epoch());
        self.lease_size = self.lease_size.max(host.lease_size());
    }
}

fn rate(interval: u64) -> Option<Rate> {
    Rate::every(Duration::from_micros(interval)).ok()
}

impl fmt::Display for FleetStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() {
            "fleet"
        } else {
            &self.name
        };
        write!(
            f,
            "{name}: {} hosts, {} of them here, leases of {}, round trip {:?}",
            self.hosts, self.queues, self.lease_size, self.round_trip
        )?;
        write!(
            f,
            "\n  slots      {} granted, {} used, {} given back, {} lost, {} held",
            self.slots_granted,
            self.slots_used,
            self.slots_given_back,
            self.slots_lost,
            self.slots_held
        )?;
        write!(
            f,
            "\n  backend    {} calls, {} failed, away {} times for {:?}, {} released alone, state lost {} times",
            self.backend_calls,
            self.backend_failures,
            self.times_away,
            self.away,
            self.released_alone,
            self.times_forgotten
        )?;
        if let Some((error, age)) = &self.last_error {
            write!(f, "\n  last error {age:?} ago: {error}")?;
        }
        if let (Some(rate), Some(built)) = (self.rate, self.built_rate)
            && rate.interval() != built.interval()
        {
            write!(f, "\n  rate       {rate}, built with {built}")?;
        }
        if self.hold > Duration::ZERO {
            write!(f, "\n  held       for another {:?}", self.hold)?;
        }
        if self.learning > Duration::ZERO {
            write!(f, "\n  new state  for another {:?}", self.learning)?;
        }
        Ok(())
    }
}
