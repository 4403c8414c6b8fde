//! [`Record`]: what a file says of its limit.

use super::clock::{Anchor, Boot, MAX_TIME, Reading};
use super::encoding;
use super::reader::Reader;
use crate::calendar::Calendar;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The limit's name: a file that was copied, or got its name from a hash, may be another one's.
    pub(super) limit: String,
    pub(super) anchor: Anchor,
    pub(super) calendar: Calendar,
}

impl Record {
    /// That of a limit of which nothing is known.
    pub(super) fn new(limit: &str, reading: Reading) -> Self {
        Self {
            limit: limit.to_owned(),
            anchor: Anchor::begin(reading),
            calendar: Calendar::default(),
        }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let reading = &self.anchor.reading;
        bytes.extend(reading.boot.id.to_le_bytes());
        let times = [
            reading.boot.namespace,
            reading.since_boot,
            reading.wall,
            self.anchor.now,
        ];
        bytes.extend(times.iter().flat_map(|number| number.to_le_bytes()));
        encoding::put_text(bytes, &self.limit);
        encoding::encode(&self.calendar, bytes);
    }

    /// None if it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let boot = Boot {
            id: from.long()?,
            namespace: from.number()?,
        };
        let reading = Reading {
            boot,
            since_boot: from.number()?,
            wall: from.number()?,
        };
        let now = from.number()?;
        let limit = from.text()?.to_owned();
        let calendar = encoding::decode(&mut from)?;
        (from.is_at_end() && now <= MAX_TIME).then_some(Self {
            limit,
            anchor: Anchor { now, reading },
            calendar,
        })
    }
}
