//! The two places of a file, and how what is in it is replaced, so that whoever dies meanwhile is found out.
//!
//! Records are numbered. Record n is in place n mod 2, behind a head: magic, version, number, length, and a checksum of all this and of the
//! record. The next record overwrites the older one. As long as nobody has died in the middle of that, both places are whole and
//! their numbers follow each other: the file is *sound*. A new file gets its first record as number 0 and as number 1, so that this
//! holds from the beginning.
//!
//! ```text
//! place 0    place 1
//! -          -          a new file
//! 0 half     -
//! 0          1 half     not sound
//! 0          1          sound: its first call may be answered
//! 2 half     1          not sound: the call of record 2 was never answered
//! 2          1          sound
//! ```
//!
//! A file that is not sound, but has one whole record, goes on from that. Whether the other one was never finished (nothing of it was
//! granted), or was finished and damaged later (it was granted), can't be told: so those who ask have to wait out the grace, which is
//! right in both cases. The same goes for a file without any whole record, of which nothing else is known either.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::encoding::VERSION;
use super::reader::Reader;
use super::record::Record;

const MAGIC: u32 = u32::from_le_bytes(*b"apqf");
/// Magic, version, number, length, checksum.
const HEAD: usize = 4 + 4 + 8 + 4 + 4;
/// Where the second place begins: the longest record and its head. What is not written takes no space on the disk.
const PLACE: usize = 1 << 20;
/// What is read at once: most records.
const FIRST: usize = 1024;
/// What is set aside on the disk for each place when the file is made.
const BLOCK: usize = 4096;

/// What is found in a file.
pub(super) struct Found {
    /// The newest whole record and its number.
    pub(super) newest: Option<(u64, Record)>,
    /// Whether no record can be missing.
    pub(super) is_sound: bool,
    /// The version of a record that this program can't read.
    pub(super) foreign: Option<u32>,
}

/// Reads a file.
pub(super) fn read(file: &File) -> io::Result<Found> {
    let mut foreign = None;
    let mut whole = Vec::with_capacity(2);
    for place in 0..2 {
        match Framed::read(file, place)? {
            Some(framed) if framed.version != VERSION => foreign = Some(framed.version),
            Some(framed) if framed.number % 2 == place as u64 => whole.push(framed),
            _ => {}
        }
    }
    whole.sort_unstable_by_key(|framed| std::cmp::Reverse(framed.number));
    let follow = matches!(whole.as_slice(), [new, old] if new.number - old.number == 1);
    let mut newest = None;
    let mut skipped = false;
    for framed in &whole {
        match Record::decode(&framed.record) {
            Some(record) => {
                newest = Some((framed.number, record));
                break;
            }
            None => skipped = true,
        }
    }
    Ok(Found {
        newest,
        is_sound: follow && !skipped,
        foreign,
    })
}

/// Writes the record that follows number `last`, or the first one.
///
/// # Errors
/// Says that there is an error in the file's way, or that the record is too long. Then the file may not be sound any more.
pub(super) fn write(file: &File, last: Option<u64>, record: &Record) -> io::Result<()> {
    let mut bytes = vec![0; HEAD];
    record.encode(&mut bytes);
    if bytes.len() > PLACE {
        let many = format!("a record of {} bytes is above {PLACE}", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, many));
    }
    match last {
        Some(last) => write_as(file, last + 1, &mut bytes),
        None => {
            // The disk sets both places aside now, so that it does not run out of room later.
            let length = bytes.len();
            bytes.resize(length.max(BLOCK), 0);
            for number in 0..2 {
                frame(number, &mut bytes[..length]);
                write_at(file, number, &bytes)?;
            }
            Ok(())
        }
    }
}

fn write_as(file: &File, number: u64, bytes: &mut [u8]) -> io::Result<()> {
    frame(number, bytes);
    write_at(file, number, bytes)
}

fn write_at(file: &File, number: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, number % 2 * PLACE as u64)
}

/// Fills in the head.
fn frame(number: u64, bytes: &mut [u8]) {
    let length = u32::try_from(bytes.len() - HEAD).unwrap_or(u32::MAX);
    let mut head = Vec::with_capacity(HEAD);
    head.extend(MAGIC.to_le_bytes());
    head.extend(VERSION.to_le_bytes());
    head.extend(number.to_le_bytes());
    head.extend(length.to_le_bytes());
    let sum = checksum(&head, &bytes[HEAD..]);
    head.extend(sum.to_le_bytes());
    bytes[..HEAD].copy_from_slice(&head);
}

fn checksum(head: &[u8], record: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    sum.update(record);
    sum.finalize()
}

/// A record that is whole, whatever is in it.
struct Framed {
    version: u32,
    number: u64,
    record: Vec<u8>,
}

impl Framed {
    fn read(file: &File, place: usize) -> io::Result<Option<Self>> {
        let mut bytes = vec![0; FIRST];
        let offset = (place * PLACE) as u64;
        let there = read_at(file, &mut bytes, offset)?;
        bytes.truncate(there);
        let Some((version, number, length, sum)) = head(&bytes) else {
            return Ok(None);
        };
        let all = HEAD + length;
        if all > bytes.len() && there == FIRST {
            bytes.resize(all, 0);
            let more = read_at(file, &mut bytes[FIRST..], offset + FIRST as u64)?;
            bytes.truncate(FIRST + more);
        }
        let Some(record) = bytes.get(HEAD..all) else {
            return Ok(None);
        };
        if checksum(&bytes[..HEAD - 4], record) != sum {
            return Ok(None);
        }
        bytes.truncate(all);
        let record = bytes.split_off(HEAD);
        Ok(Some(Self {
            version,
            number,
            record,
        }))
    }
}

/// Version, number, length and checksum, where there is a head whose numbers can be reckoned with.
fn head(bytes: &[u8]) -> Option<(u32, u64, usize, u32)> {
    let mut from = Reader::new(bytes);
    let magic = from.short()?;
    let (version, number) = (from.short()?, from.number()?);
    let length = usize::try_from(from.short()?).ok()?;
    let sum = from.short()?;
    let usable = magic == MAGIC && number < u64::MAX && length <= PLACE - HEAD;
    usable.then_some((version, number, length, sum))
}

/// Fills `bytes`, as far as the file goes.
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut there = 0;
    while there < bytes.len() {
        match file.read_at(&mut bytes[there..], offset + there as u64) {
            Ok(0) => break,
            Ok(more) => there += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(there)
}
