//! [`Metrics`]: what a queue of a limit tells the `metrics` ecosystem.

use std::sync::Mutex;

use metrics::{Counter, Gauge};

use crate::guarded::{guarded, lock};
use crate::host::{Counts, Host};

/// One number of what a host has counted.
type Count = fn(&Counts) -> u64;

/// What is counted, by name.
const COUNTERS: [(&str, Count); 9] = [
    ("apiqueue_fleet_backend_calls_total", |all| all.calls),
    ("apiqueue_fleet_backend_failures_total", |all| all.failures),
    ("apiqueue_fleet_backend_away_total", |all| all.times_away),
    ("apiqueue_fleet_states_lost_total", |all| all.forgotten),
    ("apiqueue_fleet_slots_granted_total", |all| all.granted),
    ("apiqueue_fleet_slots_used_total", |all| all.used),
    ("apiqueue_fleet_slots_given_back_total", |all| {
        all.given_back
    }),
    ("apiqueue_fleet_slots_lost_total", |all| all.lost),
    ("apiqueue_fleet_released_alone_total", |all| all.alone),
];

const GAUGES: [&str; 4] = [
    "apiqueue_fleet_slots_held",
    "apiqueue_fleet_hosts",
    "apiqueue_fleet_backend_is_away",
    "apiqueue_fleet_state_is_new",
];

/// The handles of one queue. Queues of one limit add up what they count, and each sets the gauges.
pub(crate) struct Metrics {
    counters: [Counter; COUNTERS.len()],
    gauges: [Gauge; GAUGES.len()],
    /// What was counted when it was told last.
    told: Mutex<[u64; COUNTERS.len()]>,
    process: u32,
}

/// What is told at one moment, in the order of these names.
pub(crate) struct Levels {
    counts: [u64; COUNTERS.len()],
    gauges: [f64; GAUGES.len()],
}

impl Levels {
    pub(crate) fn of(host: &Host, now: u64) -> Self {
        let counts = host.counts(now);
        let is_away = host.away_since().is_some();
        let is_learning = host.learning_until() > now;
        Self {
            counts: COUNTERS.map(|(_, count)| count(&counts)),
            gauges: [
                host.held() as f64,
                f64::from(host.hosts()),
                f64::from(u8::from(is_away)),
                f64::from(u8::from(is_learning)),
            ],
        }
    }
}

impl Metrics {
    pub(crate) fn register(limit: &str) -> Option<Self> {
        let name = limit.to_owned();
        // A recorder is user code.
        guarded(|| Self {
            counters: COUNTERS.map(|(what, _)| metrics::counter!(what, "limit" => name.clone())),
            gauges: GAUGES.map(|what| metrics::gauge!(what, "limit" => name.clone())),
            told: Mutex::default(),
            process: std::process::id(),
        })
    }

    pub(crate) fn tell(&self, levels: &Levels) {
        let Some(more) = self.more(levels.counts) else {
            return;
        };
        // One that panics costs no other.
        for (counter, more) in self.counters.iter().zip(more) {
            guarded(|| counter.increment(more));
        }
        for (gauge, level) in self.gauges.iter().zip(levels.gauges) {
            guarded(|| gauge.set(level));
        }
    }

    /// What was counted since it was told last. A release that came back is not counted less, and its slot not again.
    fn more(&self, counts: [u64; COUNTERS.len()]) -> Option<[u64; COUNTERS.len()]> {
        let mut told = lock(&self.told, self.process)?;
        let mut more = counts;
        for (more, told) in more.iter_mut().zip(told.iter_mut()) {
            let counted = *more;
            *more = counted.saturating_sub(*told);
            *told = counted.max(*told);
        }
        Some(more)
    }
}
