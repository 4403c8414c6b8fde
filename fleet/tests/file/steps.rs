//! What a process leaves behind that dies at any step of a write, and what a disk does to it later: every byte of every write.

use std::fs;

use apiqueue_fleet::{Action, Backend, Slots};
use futures_lite::future::block_on;

use crate::rig::{GRACE, Granted, HORIZON, INTERVAL, LABEL, LIMIT, Rig, ask, call, consecutive};

/// Where the second place of a file begins.
pub(crate) const PLACE: usize = 1 << 20;
/// The most that a record of these tests has, with its head.
const LONGEST: usize = 400;

/// Takes slots until no more are granted, until long after the grace: nothing may have been granted twice, and something must be granted.
/// Begins with slots as they were granted before the file came to be as it is.
fn go_on(rig: &mut Rig, why: &str) {
    let before = rig.granted.len();
    for _ in 0..4 {
        rig.restart();
        for want in [1, 3, 200] {
            rig.reserve(want)
                .unwrap_or_else(|error| panic!("{why}: {error}"));
        }
        rig.machine.pass(GRACE / 2);
    }
    assert_eq!(rig.granted.twice(INTERVAL), 0, "{why}");
    assert!(
        rig.granted.len() > before,
        "{why}: nobody gets slots any more"
    );
}

/// Runs a call, and then again and again with the file as if it had been cut off after each of its bytes. `is_answered` says whether what it
/// granted counts also where it was cut off.
fn cut_off_everywhere(mut rig: Rig, call: impl Fn(&mut Rig)) {
    let before = rig.bytes();
    let granted = rig.granted.clone();
    call(&mut rig);
    let after = rig.bytes();
    let after_granted = rig.granted.clone();
    let at = rig.machine.clone();
    let place = if before[..LONGEST] != after[..LONGEST] {
        0
    } else {
        PLACE
    };
    assert_ne!(
        before[place..][..LONGEST],
        after[place..][..LONGEST],
        "one place is written"
    );
    let other = PLACE - place;
    assert_eq!(
        before[other..][..LONGEST],
        after[other..][..LONGEST],
        "and only one"
    );
    let now = apiqueue_fleet::file::MachineClock::read(&at);
    for cut in 0..=LONGEST {
        let mut bytes = before.clone();
        bytes[place..place + cut].copy_from_slice(&after[place..place + cut]);
        fs::write(rig.path(), bytes).unwrap();
        at.set(|reading| *reading = now);
        // Only what was written as a whole may have been answered.
        let whole = after[place..][..LONGEST] == fs::read(rig.path()).unwrap()[place..][..LONGEST];
        rig.granted = if whole {
            after_granted.clone()
        } else {
            granted.clone()
        };
        go_on(&mut rig, &format!("cut off after {cut} bytes"));
    }
}

pub(crate) fn a_reserve_that_was_cut_off_at_any_byte_grants_nothing_twice() {
    for calls in 1..3 {
        let mut rig = Rig::ready();
        for _ in 0..calls {
            rig.reserve(5).unwrap();
        }
        cut_off_everywhere(rig, |rig| {
            assert_eq!(rig.reserve(4).unwrap().granted(), 4);
        });
    }
}

pub(crate) fn a_give_back_that_was_cut_off_at_any_byte_grants_nothing_twice() {
    let mut rig = Rig::ready();
    rig.reserve(5).unwrap();
    cut_off_everywhere(rig, |rig| {
        assert_eq!(rig.reserve(0).unwrap().granted(), 0);
    });
    let mut rig = Rig::ready();
    let granted = rig.reserve(5).unwrap();
    cut_off_everywhere(rig, move |rig| assert_eq!(rig.give_back(&granted, 2), 2));
}

pub(crate) fn new_terms_that_were_cut_off_at_any_byte_grant_nothing_twice() {
    let mut rig = Rig::ready();
    rig.reserve(5).unwrap();
    cut_off_everywhere(rig, |rig| {
        rig.order(Action::Hold(HORIZON));
    });
    let mut rig = Rig::ready();
    rig.reserve(5).unwrap();
    cut_off_everywhere(rig, |rig| {
        rig.order(Action::Retune(2 * INTERVAL));
    });
}

/// A file of which there is less than its first record, twice.
pub(crate) fn a_creation_that_was_cut_off_at_any_byte_grants_nothing_before_the_grace() {
    let mut rig = Rig::new();
    rig.reserve(5).unwrap();
    let whole = rig.bytes();
    let now = apiqueue_fleet::file::MachineClock::read(&rig.machine);
    let cuts = (0..=LONGEST)
        .chain(4_090..4_100)
        .chain(PLACE - 2..PLACE + LONGEST);
    for cut in cuts {
        rig.machine.set(|reading| *reading = now);
        fs::write(rig.path(), &whole[..cut]).unwrap();
        rig.granted = Granted::default();
        rig.restart();
        assert_eq!(rig.reserve(5).unwrap().granted(), 0, "{cut}");
        let is_half = cut > 0 && cut < PLACE + record_length(&whole);
        assert_eq!(rig.files.losses(), u64::from(is_half), "{cut}");
        go_on(&mut rig, &format!("{cut} bytes"));
    }
}

pub(crate) fn record_length(whole: &[u8]) -> usize {
    let length = u32::from_le_bytes(whole[16..20].try_into().unwrap());
    24 + length as usize
}

/// Also of the newest record, whose slots are in use.
pub(crate) fn a_byte_that_changed_is_found_and_waited_out() {
    let mut rig = Rig::ready();
    for want in [1, 5, 2] {
        rig.reserve(want).unwrap();
    }
    let whole = rig.bytes();
    let granted = rig.granted.clone();
    let now = apiqueue_fleet::file::MachineClock::read(&rig.machine);
    let length = record_length(&whole);
    for place in [0, PLACE] {
        for at in 0..length {
            for flip in [1, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[place + at] ^= flip;
                fs::write(rig.path(), bytes).unwrap();
                rig.machine.set(|reading| *reading = now);
                rig.granted = granted.clone();
                rig.restart();
                let reply = rig.reserve(2).unwrap();
                assert_eq!(
                    reply.granted(),
                    0,
                    "waits out the grace: byte {at} of place {place}"
                );
                assert_eq!(rig.files.losses(), 1, "and says so");
                rig.reserve(2).unwrap();
                assert_eq!(rig.files.losses(), 1, "once");
                go_on(&mut rig, &format!("byte {at} of place {place}"));
            }
        }
    }
}

/// The terms are still known.
pub(crate) fn what_can_be_read_of_a_damaged_file_goes_on() {
    let mut rig = Rig::ready();
    rig.order(Action::Retune(7 * INTERVAL));
    rig.reserve(1).unwrap();
    rig.reserve(1).unwrap();
    for place in [0, PLACE] {
        let mut bytes = rig.bytes();
        bytes[place + 30] ^= 1;
        fs::write(rig.path(), bytes).unwrap();
        let reply = rig.reserve(1).unwrap();
        assert_eq!((reply.granted(), reply.terms.interval), (0, 7 * INTERVAL));
        rig.machine.pass(2 * GRACE);
        assert_eq!(rig.reserve(1).unwrap().granted(), 1);
    }
}

pub(crate) fn any_bytes_at_all_are_waited_out_and_never_a_panic() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut rig = Rig::ready();
    rig.reserve(4).unwrap();
    let whole = rig.bytes();
    for round in 0..300 {
        let mut bytes = match round % 3 {
            0 => whole.clone(),
            1 => vec![random.u8(..); random.usize(..3 * PLACE)],
            _ => whole[..random.usize(..whole.len())].to_vec(),
        };
        for place in [0, PLACE] {
            for _ in 0..random.usize(1..200) {
                if let Some(byte) = bytes.get_mut(place + random.usize(..LONGEST)) {
                    *byte = random.u8(..);
                }
            }
        }
        fs::write(rig.path(), bytes).unwrap();
        rig.restart();
        assert_eq!(rig.reserve(3).unwrap().granted(), 0, "round {round}");
        go_on(&mut rig, &format!("round {round}"));
    }
}

/// A checksum that is right does not make numbers that can't be reckoned with any better.
pub(crate) fn numbers_of_any_size_in_a_record_are_no_panic() {
    let mut random = fastrand::Rng::with_seed(6);
    let mut rig = Rig::ready();
    // With free slots between others.
    rig.order(Action::Reserve {
        want: 4,
        spacing: 5 * INTERVAL,
        after: 0,
        horizon: HORIZON,
        burst: 1,
        gathered: 0,
    });
    rig.reserve(0).unwrap();
    let whole = rig.bytes();
    let length = record_length(&whole);
    for _ in 0..3_000 {
        let mut bytes = whole.clone();
        for place in [0, PLACE] {
            let record = &mut bytes[place..place + length];
            let at = random.usize(24..length - 8);
            let number = match random.u8(..4) {
                0 => u64::MAX,
                1 => u64::MAX >> random.u8(..64),
                2 => 0,
                _ => random.u64(..),
            };
            record[at..at + 8].copy_from_slice(&number.to_le_bytes());
            sign(record);
        }
        fs::write(rig.path(), bytes).unwrap();
        rig.restart();
        // It may be refused, as another limit's.
        let born = rig.reserve(3).map_or(0, |reply| reply.born);
        for action in [
            consecutive(70, u64::MAX),
            give_back_odd(born),
            Action::Hold(u64::MAX),
            Action::Retune(u64::MAX),
            Action::Resume,
            consecutive(u32::MAX, HORIZON),
        ] {
            let _ = rig.call(call(2, action));
        }
        let _ = block_on(rig.files.look(LIMIT));
        rig.machine.pass(GRACE);
    }
}

fn give_back_odd(born: u64) -> Action {
    let odd = |first, step| Slots {
        first,
        count: u32::MAX,
        step,
    };
    Action::GiveBack {
        born,
        epoch: u64::MAX,
        slots: vec![odd(u64::MAX, u64::MAX), odd(0, INTERVAL), odd(1, 0)],
    }
}

/// As if it had been damaged: the older record goes on, after the grace.
pub(crate) fn a_record_that_makes_no_sense_is_waited_out() {
    let mut rig = Rig::ready();
    for _ in 0..2 {
        rig.reserve(4).unwrap();
        let whole = rig.bytes();
        let length = record_length(&whole);
        let number = |place: usize| u64::from_le_bytes(whole[place + 8..][..8].try_into().unwrap());
        let newest = if number(0) > number(PLACE) { 0 } else { PLACE };
        let mut bytes = whole;
        // The length of the limit's name.
        bytes[newest + 24 + 48..][..8].copy_from_slice(&u64::MAX.to_le_bytes());
        sign(&mut bytes[newest..newest + length]);
        fs::write(rig.path(), bytes).unwrap();
        let losses = rig.files.losses();
        assert_eq!(rig.reserve(1).unwrap().granted(), 0);
        assert_eq!(rig.files.losses(), losses + 1);
        rig.machine.pass(GRACE);
        assert_eq!(rig.reserve(1).unwrap().granted(), 1);
    }
    assert_eq!(rig.granted.twice(INTERVAL), 0);
}

/// Puts the right checksum into a record's head.
pub(crate) fn sign(record: &mut [u8]) {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&record[..20]);
    sum.update(&record[24..]);
    record[20..24].copy_from_slice(&sum.finalize().to_le_bytes());
}

pub(crate) fn a_file_of_another_release_is_refused_and_left_alone() {
    let mut rig = Rig::ready();
    rig.reserve(4).unwrap();
    let mut bytes = rig.bytes();
    let length = record_length(&bytes);
    for place in [0, PLACE] {
        let record = &mut bytes[place..place + length];
        record[4..8].copy_from_slice(&900_u32.to_le_bytes());
        sign(record);
        fs::write(rig.path(), &bytes).unwrap();
        let error = rig.reserve(1).unwrap_err().to_string();
        assert!(
            error.contains("900") && error.contains("ec2.limit"),
            "{error}"
        );
        assert_eq!(rig.bytes(), bytes);
    }
}

/// Long records: many hosts.
pub(crate) fn a_thousand_hosts_are_kept_and_forgotten() {
    let mut rig = Rig::ready();
    for host in 0..1_000 {
        let reply = rig.call(ask(host, 0)).unwrap();
        // Host 1 is there already.
        assert_eq!(u64::from(reply.hosts), (host + 1).max(2));
    }
    rig.restart();
    assert_eq!(rig.reserve(1).unwrap().hosts, 1_000);
    let mut bytes = rig.bytes();
    bytes[9_000] ^= 1;
    bytes[PLACE + 9_000] ^= 1;
    fs::write(rig.path(), bytes).unwrap();
    assert_eq!(
        rig.reserve(1).unwrap().hosts,
        1,
        "also the end of a long record has a checksum"
    );
    rig.machine.pass(11_000_000);
    assert_eq!(rig.reserve(1).unwrap().hosts, 1);
}

pub(crate) fn more_hosts_than_a_record_has_room_for_are_refused_and_harm_nobody() {
    let mut rig = Rig::ready();
    rig.reserve(1).unwrap();
    // Those who have asked are at its end: how many, and of each its number, until when it counts, its priority, and what it is called.
    let bytes = rig.bytes();
    let head = record_length(&bytes) - LABEL.len() - 33;
    let until = bytes[head + 16..head + 24].to_owned();
    let hosts = ((PLACE - head - 8 - LABEL.len()) / 25) as u64;
    let mut bytes = bytes;
    bytes.resize(2 * PLACE, 0);
    for place in [0, PLACE] {
        let record = &mut bytes[place..place + PLACE];
        record[head..head + 8].copy_from_slice(&hosts.to_le_bytes());
        for (host, entry) in (1_u64..=hosts).zip(record[head + 8..].chunks_exact_mut(25)) {
            entry[..8].copy_from_slice(&host.to_le_bytes());
            entry[8..16].copy_from_slice(&until);
            entry[16..].fill(0);
        }
        let length = head + 8 + 25 * usize::try_from(hosts).unwrap();
        record[16..20].copy_from_slice(&u32::try_from(length - 24).unwrap().to_le_bytes());
        sign(&mut record[..length]);
    }
    fs::write(rig.path(), &bytes).unwrap();
    assert_eq!(u64::from(rig.reserve(1).unwrap().hosts), hosts);
    let before = rig.bytes();
    let one_more = rig.call(ask(hosts + 1, 1));
    let error = one_more.unwrap_err().to_string();
    assert!(error.contains("above 1048576"), "{error}");
    assert_eq!(rig.bytes(), before);
    // Once they are gone there is room.
    rig.machine.pass(11_000_000);
    let one_more = rig.call(ask(hosts + 1, 1)).unwrap();
    assert_eq!((one_more.granted(), one_more.hosts), (1, 1));
    assert_eq!(rig.files.losses(), 0);
}
