//! [`Metrics`]: what a queue of a limit tells the `metrics` ecosystem.

use std::sync::Mutex;

use metrics::{Counter, Gauge};

use crate::guarded::{guarded, lock};
use crate::host::{Counts, Host};

/// The handles of one queue. Queues of one limit add up what they count, and each sets the gauges.
pub(crate) struct Metrics {
    calls: Counter,
    failures: Counter,
    times_away: Counter,
    forgotten: Counter,
    granted: Counter,
    used: Counter,
    given_back: Counter,
    lost: Counter,
    alone: Counter,
    held: Gauge,
    hosts: Gauge,
    away: Gauge,
    learning: Gauge,
    /// What was counted when it was told last.
    told: Mutex<Counts>,
    process: u32,
}

/// What is told at one moment.
pub(crate) struct Levels {
    counts: Counts,
    held: u64,
    hosts: u32,
    is_away: bool,
    is_learning: bool,
}

impl Levels {
    pub(crate) fn of(host: &Host, now: u64) -> Self {
        Self {
            counts: host.counts(now),
            held: host.held(),
            hosts: host.hosts(),
            is_away: host.away_since().is_some(),
            is_learning: host.learning_until() > now,
        }
    }
}

impl Metrics {
    pub(crate) fn register(limit: &str) -> Option<Self> {
        let name = limit.to_owned();
        // A recorder is user code.
        guarded(|| {
            let counter = |what: &'static str| metrics::counter!(what, "limit" => name.clone());
            let gauge = |what: &'static str| metrics::gauge!(what, "limit" => name.clone());
            Self {
                calls: counter("apiqueue_fleet_backend_calls_total"),
                failures: counter("apiqueue_fleet_backend_failures_total"),
                times_away: counter("apiqueue_fleet_backend_away_total"),
                forgotten: counter("apiqueue_fleet_states_lost_total"),
                granted: counter("apiqueue_fleet_slots_granted_total"),
                used: counter("apiqueue_fleet_slots_used_total"),
                given_back: counter("apiqueue_fleet_slots_given_back_total"),
                lost: counter("apiqueue_fleet_slots_lost_total"),
                alone: counter("apiqueue_fleet_released_alone_total"),
                held: gauge("apiqueue_fleet_slots_held"),
                hosts: gauge("apiqueue_fleet_hosts"),
                away: gauge("apiqueue_fleet_backend_is_away"),
                learning: gauge("apiqueue_fleet_state_is_new"),
                told: Mutex::default(),
                process: std::process::id(),
            }
        })
    }

    pub(crate) fn tell(&self, levels: &Levels) {
        let Some(more) = self.more(&levels.counts) else {
            return;
        };
        guarded(|| {
            self.calls.increment(more.calls);
            self.failures.increment(more.failures);
            self.times_away.increment(more.times_away);
            self.forgotten.increment(more.forgotten);
            self.granted.increment(more.granted);
            self.used.increment(more.used);
            self.given_back.increment(more.given_back);
            self.lost.increment(more.lost);
            self.alone.increment(more.alone);
            self.held.set(levels.held as f64);
            self.hosts.set(f64::from(levels.hosts));
            self.away.set(f64::from(u8::from(levels.is_away)));
            self.learning.set(f64::from(u8::from(levels.is_learning)));
        });
    }

    /// What was counted since it was told last. A release that came back is not counted less, and its slot not again.
    fn more(&self, now: &Counts) -> Option<Counts> {
        let mut guard = lock(&self.told, self.process)?;
        let told = &mut *guard;
        let mut more = Counts::default();
        for (more, now, told) in [
            (&mut more.calls, now.calls, &mut told.calls),
            (&mut more.failures, now.failures, &mut told.failures),
            (&mut more.times_away, now.times_away, &mut told.times_away),
            (&mut more.forgotten, now.forgotten, &mut told.forgotten),
            (&mut more.granted, now.granted, &mut told.granted),
            (&mut more.used, now.used, &mut told.used),
            (&mut more.given_back, now.given_back, &mut told.given_back),
            (&mut more.lost, now.lost, &mut told.lost),
            (&mut more.alone, now.alone, &mut told.alone),
        ] {
            *more = now.saturating_sub(*told);
            *told = now.max(*told);
        }
        Some(more)
    }
}
