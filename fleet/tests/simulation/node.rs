//! A host of a [`World`](crate::world::World), with its callers and its clock.

use apiqueue_fleet::host::Host;

pub(crate) struct Node {
    pub(crate) host: Host,
    pub(crate) line: usize,
    pub(crate) one_way: u64,
    /// The clock: what it reads at 0, and how fast it goes.
    pub(crate) offset: u64,
    pub(crate) skew: i64,
    pub(crate) wake: u64,
    pub(crate) dead: bool,
    /// Callers do not come back.
    pub(crate) closed: bool,
    pub(crate) think: u64,
    pub(crate) paused_until: u64,
}

impl Node {
    pub(crate) fn local(&self, t: u64) -> u64 {
        let off = i128::from(t) * i128::from(self.skew) / 1_000_000;
        (self.offset + t).saturating_add_signed(off as i64)
    }

    /// When the clock will have reached `local`.
    pub(crate) fn reaches(&self, local: u64, from: u64) -> u64 {
        let mut t = from;
        while let Some(left) = local.checked_sub(self.local(t)).filter(|&left| left > 0) {
            // From below, even if the clock is fast.
            t += (left - left / 1_000).max(1);
        }
        t
    }
}
