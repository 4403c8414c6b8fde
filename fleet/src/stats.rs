//! [`FleetStats`]: what a fleet's queue tells of itself.

use std::fmt;
use std::time::Duration;

use apiqueue::Stats;

use crate::backend::Epoch;
use crate::host::Host;

/// What one host's queue has done so far, from [`FleetQueue::stats`](crate::FleetQueue::stats). `Display` shows it in one block.
///
/// ```
/// use apiqueue_fleet::FleetQueue;
///
/// let queue = FleetQueue::builder().name("stats").per_second(1000).start()?;
/// let first = queue.stats();
/// assert_eq!((first.backend_calls, first.hosts), (0, 0)); // nobody has come
/// println!("{first}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FleetStats {
    /// This host's line. Its rate is the fleet's, as this host knows it.
    pub queue: Stats,
    /// How often the backend was called.
    pub backend_calls: u64,
    /// How many of these calls failed, or were not answered in time.
    pub backend_failures: u64,
    /// The backend's smoothed round trip; zero before the first answer.
    pub round_trip: Duration,
    /// How often the backend went away: two calls in a row failed.
    pub times_away: u64,
    /// For how long it was away, the present time included.
    pub away: Duration,
    /// Whether it is away now.
    pub is_away: bool,
    /// Slots that the backend granted and that arrived.
    pub slots_granted: u64,
    /// Slots at which somebody was released.
    pub slots_used: u64,
    /// Slots given back.
    pub slots_given_back: u64,
    /// Slots that arrived and were neither used nor given back: nobody came, this host was held up, or the terms changed.
    pub slots_lost: u64,
    /// Slots held now.
    pub slots_held: u64,
    /// Releases without the backend, by [`Away`](crate::Away).
    pub released_alone: u64,
    /// How many hosts the backend has seen lately, this one included; 0 before the first answer.
    pub hosts: u32,
    /// The number of the terms, raised by each hold and new rate; none before the first answer.
    pub epoch: Option<Epoch>,
    /// How many slots this host would ask for with callers enough.
    pub lease_size: u32,
}

impl FleetStats {
    pub(crate) fn new(queue: Stats, host: &Host, now: u64) -> Self {
        let counts = host.counts(now);
        Self {
            queue,
            backend_calls: counts.calls,
            backend_failures: counts.failures,
            round_trip: Duration::from_micros(host.round_trip()),
            times_away: counts.times_away,
            away: Duration::from_micros(counts.away),
            is_away: host.away_since().is_some(),
            slots_granted: counts.granted,
            slots_used: counts.used,
            slots_given_back: counts.given_back,
            slots_lost: counts.lost,
            slots_held: host.held(),
            released_alone: counts.alone,
            hosts: host.hosts(),
            epoch: host.epoch(),
            lease_size: host.lease_size(),
        }
    }
}

impl fmt::Display for FleetStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.queue)?;
        write!(
            f,
            "\n  fleet      {} hosts, leases of {}, round trip {:?}",
            self.hosts, self.lease_size, self.round_trip
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
            "\n  backend    {} calls, {} failed, away {} times for {:?}, {} released alone",
            self.backend_calls,
            self.backend_failures,
            self.times_away,
            self.away,
            self.released_alone
        )
    }
}
