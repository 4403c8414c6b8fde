//! [`Record`]: what a file says of its limit.

use super::clock::{Anchor, Boot, MAX_TIME, Reading};
use super::encoding::Stored;
use super::reader::Reader;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The limit's name: a file that was copied, or got its name from a hash, may be another one's.
    pub(super) limit: String,
    pub(super) anchor: Anchor,
    /// Slots may have been granted that are not known here: whoever asks next waits out the grace.
    pub(super) owes_grace: bool,
    pub(super) stored: Stored,
}

impl Record {
    /// That of a limit of which nothing is known.
    pub(super) fn new(limit: &str, reading: Reading) -> Self {
        Self {
            limit: limit.to_owned(),
            anchor: Anchor::begin(reading),
            owes_grace: true,
            stored: Stored::default(),
        }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let reading = &self.anchor.reading;
        bytes.push(u8::from(self.owes_grace));
        bytes.extend(reading.boot.id.to_le_bytes());
        let times = [
            reading.boot.namespace,
            reading.since_boot,
            reading.wall,
            self.anchor.now,
        ];
        bytes.extend(times.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend((self.limit.len() as u64).to_le_bytes());
        bytes.extend(self.limit.as_bytes());
        self.stored.encode(bytes);
    }

    /// None if it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let owes_grace = from.byte()? != 0;
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
        let length = usize::try_from(from.number()?).ok()?;
        let limit = String::from_utf8(from.bytes(length)?.to_vec()).ok()?;
        let stored = Stored::decode(&mut from)?;
        (from.is_at_end() && now <= MAX_TIME).then_some(Self {
            limit,
            anchor: Anchor { now, reading },
            owes_grace,
            stored,
        })
    }
}
