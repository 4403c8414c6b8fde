//! [`Members`]: the queues that a limit was given to, for its stats.

use std::sync::{Arc, Mutex, Weak};

use crate::guarded::lock;
use crate::host::{Counts, Host};
use crate::stats::FleetStats;

/// One that is counted.
pub(crate) trait Counted: Send + Sync {
    /// Adds what its host has counted.
    fn add_to(&self, stats: &mut FleetStats);
}

pub(crate) struct Members {
    list: Mutex<List>,
    /// Where this was made.
    process: u32,
}

#[derive(Default)]
struct List {
    there: Vec<Weak<dyn Counted>>,
    /// What those have counted who are not there any more.
    gone: Counts,
}

impl Members {
    pub(crate) fn new() -> Self {
        Self {
            list: Mutex::default(),
            process: std::process::id(),
        }
    }

    /// One more. A forked child may not find the list free: then it is not counted there.
    pub(crate) fn join(&self, member: Weak<dyn Counted>) {
        if let Some(mut list) = lock(&self.list, self.process) {
            list.there.retain(|member| member.strong_count() > 0);
            list.there.push(member);
        }
    }

    /// What it has counted stays.
    pub(crate) fn has_gone(&self, host: &Host, now: u64) {
        let mut counts = host.counts(now);
        // Nobody uses them any more.
        counts.lost += host.held();
        if let Some(mut list) = lock(&self.list, self.process) {
            list.gone.add(&counts);
        }
    }

    pub(crate) fn stats(&self, name: &str) -> FleetStats {
        let (there, gone): (Vec<Arc<dyn Counted>>, _) = match lock(&self.list, self.process) {
            Some(list) => (
                list.there.iter().filter_map(Weak::upgrade).collect(),
                list.gone,
            ),
            None => (Vec::new(), Counts::default()),
        };
        let mut stats = FleetStats::new(name);
        stats.count(&gone);
        // Under no lock but its own, as its clock is the user's, and the last handle may be this one.
        for member in there {
            member.add_to(&mut stats);
        }
        stats
    }
}
