//! A [`Calendar`] as bytes. All that this backend knows of what is in a calendar.
//!
//! Little-endian numbers: a byte that says which of the first three are there, `tat`, `interval`, `epoch`, `hold`, how many hosts, and
//! of each its number and when it asked last. Whoever changes this raises [`VERSION`].

use std::time::Duration;

use super::clock::MAX_TIME;
use super::reader::Reader;
use crate::backend::Ask;
use crate::calendar::{Calendar, MAX_MICROS, micros};

/// Of what is in a file. A file of another one is not read, and not written either.
pub(super) const VERSION: u32 = 1;

/// A calendar, and who may be among those it has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) calendar: Calendar,
    hosts: Vec<u64>,
}

impl Stored {
    /// `host` is about to ask.
    pub(super) fn note(&mut self, host: u64) {
        if !self.hosts.contains(&host) {
            self.hosts.push(host);
        }
    }

    /// Grants nothing before `grace` from `now`: calls that are forgotten may have granted slots.
    pub(super) fn wait_out(&mut self, now: u64, grace: Duration) {
        let from = now + micros(grace);
        let tat = &mut self.calendar.tat;
        *tat = Some(tat.map_or(from, |tat| tat.max(from)));
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let calendar = &self.calendar;
        let fields = [calendar.tat, calendar.interval, calendar.epoch];
        let there = (0..)
            .zip(fields)
            .map(|(n, field)| u8::from(field.is_some()) << n);
        bytes.push(there.sum());
        for field in fields {
            bytes.extend(field.unwrap_or(0).to_le_bytes());
        }
        bytes.extend(calendar.hold.to_le_bytes());
        let seen = |host: &u64| calendar.seen.at(*host).map(|at| [*host, at]);
        let seen: Vec<[u64; 2]> = self.hosts.iter().filter_map(seen).collect();
        bytes.extend((seen.len() as u64).to_le_bytes());
        bytes.extend(
            seen.as_flattened()
                .iter()
                .flat_map(|word| word.to_le_bytes()),
        );
    }

    /// None if it is no calendar, or one whose numbers can't be reckoned with.
    pub(super) fn decode(from: &mut Reader<'_>) -> Option<Self> {
        let there = from.byte()?;
        let mut field = |n: u8| {
            let number = from.number()?;
            Some((there >> n & 1 == 1).then_some(number))
        };
        let (tat, interval, epoch) = (field(0)?, field(1)?, field(2)?);
        let hold = from.number()?;
        let times = [tat, epoch, Some(hold)];
        if times.into_iter().flatten().any(|time| time > 2 * MAX_TIME)
            || interval.is_some_and(|interval| !(1..=MAX_MICROS).contains(&interval))
        {
            return None;
        }
        let count = from.number()?;
        let mut seen = Vec::new();
        for _ in 0..count {
            let (host, at) = (from.number()?, from.number()?);
            seen.push((at, host));
        }
        seen.sort_unstable();
        let mut stored = Self::default();
        for (at, host) in seen {
            if at > MAX_TIME {
                return None;
            }
            stored.hosts.push(host);
            stored.calendar.reserve(at, look(host));
        }
        let calendar = &mut stored.calendar;
        (calendar.tat, calendar.interval, calendar.epoch) = (tat, interval, epoch);
        calendar.hold = hold;
        Some(stored)
    }
}

/// An ask that takes no slots: what is left of it is that the host was seen.
fn look(host: u64) -> Ask {
    Ask {
        host,
        want: 0,
        interval: Duration::ZERO,
        horizon: Duration::ZERO,
        grace: Duration::ZERO,
        seen: Duration::MAX,
    }
}
