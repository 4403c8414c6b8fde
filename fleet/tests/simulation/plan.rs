//! What a run is made of.

use apiqueue_fleet::Away;

pub(crate) const MS: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000_000;

/// A run.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) hosts: usize,
    pub(crate) interval: u64,
    /// Callers of each host, who come back after `think` on average.
    pub(crate) callers: usize,
    pub(crate) think: u64,
    /// Other times for the first hosts, one after the other again and again.
    pub(crate) thinks: Vec<u64>,
    /// They come back after exactly that.
    pub(crate) is_steady: bool,
    /// How late drivers and callers wake up, at most.
    pub(crate) wakes: u64,
    /// How far ahead slots are granted; others for the first hosts.
    pub(crate) horizon: u64,
    pub(crate) horizons: Vec<u64>,
    pub(crate) timeout: u64,
    /// Of the first hosts, the others have 0 and 1.
    pub(crate) priorities: Vec<u8>,
    pub(crate) weights: Vec<u32>,
    pub(crate) late: u64,
    /// Each host has its own one-way delay from this range, and each message up to as much again.
    pub(crate) one_way: (u64, u64),
    /// Of a million messages, how many get lost.
    pub(crate) loss: u64,
    /// How fast or slow a host's clock may go, in millionths.
    pub(crate) skew: u64,
    pub(crate) away: Away,
    pub(crate) until: u64,
    /// A host of another one-way delay.
    pub(crate) far: Option<(usize, u64)>,
    /// The first so many hosts have no callers.
    pub(crate) idle: usize,
    pub(crate) faults: Vec<(u64, Fault)>,
}

impl Plan {
    pub(crate) fn new(seed: u64, hosts: usize, per_second: u64) -> Self {
        Self {
            seed,
            hosts,
            interval: SECOND / per_second,
            callers: 4,
            think: 20 * MS,
            thinks: Vec::new(),
            is_steady: false,
            wakes: 0,
            horizon: 500 * MS,
            horizons: Vec::new(),
            timeout: 250 * MS,
            priorities: Vec::new(),
            weights: Vec::new(),
            late: 10 * MS,
            one_way: (100, 10 * MS),
            loss: 0,
            skew: 100,
            away: Away::Stop,
            until: 20 * SECOND,
            far: None,
            idle: 0,
            faults: Vec::new(),
        }
    }

    pub(crate) fn think(&self, id: usize) -> u64 {
        match self.thinks.len() {
            0 => self.think,
            many => self.thinks[id % many],
        }
    }

    pub(crate) fn horizon(&self, id: usize) -> u64 {
        self.horizons.get(id).copied().unwrap_or(self.horizon)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The server loses everything.
    Forget,
    /// The server's state is kept, for a failover.
    Snapshot,
    /// A replica takes over, with the state of the snapshot.
    Failover,
    /// The server's clock jumps.
    Step(i64),
    /// The server answers nobody for so long.
    Down(u64),
    /// So many more callers of the host.
    Come(usize, usize),
    /// The host's callers leave.
    Go(usize),
    /// The host is gone, with what it holds.
    Kill(usize),
    /// The host does nothing for so long.
    Pause(usize, u64),
    Hold(usize, u64),
    Resume(usize),
    Retune(usize, u64),
}
