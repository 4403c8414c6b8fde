//! [`Calendar`]: what a backend keeps of one limit, as a plain value, and what each call does to it.
//!
//! Every backend does exactly this, whatever it is written in. All numbers are whole microseconds; `now` is the reading of
//! the backend's own clock at the call; durations of callers go through [`micros`] first.
//!
//! ```text
//! reserve(host, want, interval', horizon, grace, seen):
//!   interval = stored, or interval' and stored          (at least 1)
//!   epoch    = stored, or now and stored
//!   reach    = max(grace, horizon + interval)
//!   tat      = stored; if there is none: now + grace; if above now + reach: now + reach; stored whatever is granted
//!   seen     = those of now - seen ..= now, and the host at now; stored
//!   start    = max(tat, now, hold)
//!   free     = 0 if start > now + horizon, else (now + horizon - start) / interval + 1, rounded down
//!   count    = min(want, free)
//!   tat      = start + count * interval if count > 0, stored
//!   answer     count, now, start, interval, the number of seen, epoch
//!
//! give_back(lease, count):
//!   if epoch = lease.epoch, tat = lease.start + lease.count * lease.interval and 0 < count <= lease.count:
//!     tat = tat - count * lease.interval, stored; answer yes
//!   else answer no, and nothing changes
//!
//! hold(duration):     hold = 0 if the duration is, else max(hold, now + duration);      epoch = raised; answer epoch
//! retune(interval'):  if there is a tat and an interval: tat = max(tat - interval, 0) + interval';
//!                     interval = interval';                                             epoch = raised; answer epoch
//! raised:             max(epoch + 1, now), or now where there is none
//! ```
//!
//! `tat` is the last slot granted plus the interval, so that a retune takes effect right after the last slot granted by the
//! old terms. The value put in for a missing `tat`, and the one that takes the place of a `tat` too far ahead, are stored even
//! if nothing is granted: otherwise each call would push them ahead of itself, and nobody would ever get a slot.
//!
//! An epoch that begins at the clock, and not at 0, differs from those of before a loss of state.

mod seen;

use std::time::Duration;

pub use seen::Seen;

use crate::backend::{Ask, Epoch, Lease};

/// The longest span that a calendar reckons with, about 35 years: sums of it and of a clock's reading are whole numbers in
/// the 53 bits that Lua has for them.
pub const MAX_MICROS: u64 = 1 << 50;

/// Whole microseconds of `duration`, rounded up, at most [`MAX_MICROS`].
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1000)).map_or(MAX_MICROS, |us| us.min(MAX_MICROS))
}

/// The state of one limit. See the head of this page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// The next free slot.
    pub tat: Option<u64>,
    /// From one slot to the next.
    pub interval: Option<u64>,
    /// The number of the terms.
    pub epoch: Option<Epoch>,
    /// No slot is granted before; 0 for no hold.
    pub hold: u64,
    /// When each host asked last.
    pub seen: Seen,
}

impl Calendar {
    /// Grants the next slots.
    pub fn reserve(&mut self, now: u64, ask: Ask) -> Lease {
        let interval = *self.interval.get_or_insert(micros(ask.interval).max(1));
        let epoch = *self.epoch.get_or_insert(now);
        let horizon = micros(ask.horizon);
        let grace = micros(ask.grace);
        let reach = grace.max(horizon + interval);
        let tat = self.tat.unwrap_or(now + grace).min(now + reach);

        let since = now.saturating_sub(micros(ask.seen));
        self.seen.keep(since, now);
        self.seen.ask(ask.host, now);

        let start = tat.max(now).max(self.hold);
        let free = (now + horizon)
            .checked_sub(start)
            .map_or(0, |room| room / interval + 1);
        let count = free.min(u64::from(ask.want));
        self.tat = Some(match count {
            0 => tat,
            _ => start + count * interval,
        });
        Lease {
            // Not above `want`.
            count: u32::try_from(count).unwrap_or(ask.want),
            now,
            start,
            interval,
            hosts: u32::try_from(self.seen.len()).unwrap_or(u32::MAX),
            epoch,
        }
    }

    /// Takes back the last `count` slots of `lease`. Says whether they are free again.
    pub fn give_back(&mut self, lease: Lease, count: u32) -> bool {
        let end = u64::from(lease.count)
            .saturating_mul(lease.interval)
            .saturating_add(lease.start);
        let given = self.epoch == Some(lease.epoch)
            && self.tat == Some(end)
            && (1..=lease.count).contains(&count);
        if given {
            self.tat = Some(end - u64::from(count) * lease.interval);
        }
        given
    }

    /// Grants nothing before `duration` from now, and if that is zero, ends a hold.
    pub fn hold(&mut self, now: u64, duration: Duration) -> Epoch {
        self.hold = match micros(duration) {
            0 => 0,
            span => self.hold.max(now + span),
        };
        self.raise(now)
    }

    /// Sets the interval from the last slot granted on.
    pub fn retune(&mut self, now: u64, interval: Duration) -> Epoch {
        let interval = micros(interval).max(1);
        if let (Some(tat), Some(old)) = (self.tat, self.interval) {
            self.tat = Some(tat.saturating_sub(old) + interval);
        }
        self.interval = Some(interval);
        self.raise(now)
    }

    fn raise(&mut self, now: u64) -> Epoch {
        let epoch = self.epoch.map_or(now, |epoch| now.max(epoch + 1));
        self.epoch = Some(epoch);
        epoch
    }
}
