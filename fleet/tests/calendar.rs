//! The calendar: what a backend keeps of one limit.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use apiqueue_fleet::calendar::{Calendar, MAX_MICROS, micros};
use apiqueue_fleet::{Ask, Lease};

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// The server's clock at the start of a test: of today.
const NOW: u64 = 1_760_000_000 * SECOND;

fn ask(host: u64, want: u32) -> Ask {
    Ask {
        host,
        want,
        interval: Duration::from_millis(10),
        horizon: Duration::from_secs(2),
        grace: Duration::from_millis(2_510),
        seen: Duration::from_secs(10),
    }
}

/// A calendar that is past its grace, and when.
fn rested() -> (Calendar, u64) {
    let mut calendar = Calendar::default();
    calendar.reserve(NOW, ask(0, 0));
    (calendar, NOW + 10 * SECOND)
}

fn slots(lease: Lease) -> Vec<u64> {
    (0..u64::from(lease.count))
        .map(|k| lease.start + k * lease.interval)
        .collect()
}

#[test]
fn slots_are_consecutive_and_go_on_where_the_last_lease_ended() {
    let (mut calendar, now) = rested();
    let first = calendar.reserve(now, ask(1, 3));
    assert_eq!(
        (first.count, first.now, first.start, first.interval),
        (3, now, now, 10 * MS)
    );
    let second = calendar.reserve(now + 5 * MS, ask(2, 2));
    assert_eq!((second.count, second.start), (2, now + 30 * MS));
    assert_eq!(second.hosts, 2);
    assert_eq!(first.epoch, second.epoch);
}

#[test]
fn slots_that_nobody_asked_for_in_time_are_gone() {
    let (mut calendar, now) = rested();
    calendar.reserve(now, ask(1, 1));
    let late = calendar.reserve(now + SECOND, ask(1, 2));
    assert_eq!((late.count, late.start), (2, now + SECOND));
}

/// A bug of the prototype: the value put in for a missing `tat` was not stored, so that each call saw its own grace before it, and
/// all hosts stalled for ever.
#[test]
fn the_grace_of_an_unknown_limit_begins_once_and_ends() {
    let mut calendar = Calendar::default();
    let first = calendar.reserve(NOW, ask(1, 4));
    assert_eq!((first.count, first.start), (0, NOW + 2_510 * MS));
    let again = calendar.reserve(NOW + 400 * MS, ask(1, 4));
    assert_eq!((again.count, again.start), (0, first.start));
    let granted = calendar.reserve(NOW + 510 * MS, ask(1, 4));
    assert_eq!((granted.count, granted.start), (1, first.start));
}

/// The other bug of the prototype: the same for the value that takes the place of a `tat` too far ahead.
#[test]
fn a_clock_that_steps_backward_stalls_all_for_the_grace_once() {
    let (mut calendar, now) = rested();
    calendar.reserve(now, ask(1, 4));
    let back = now - 3600 * SECOND;
    let first = calendar.reserve(back, ask(1, 4));
    assert_eq!((first.count, first.start), (0, back + 2_510 * MS));
    assert_eq!(first.hosts, 1, "who was seen in the future is forgotten");
    let again = calendar.reserve(back + 500 * MS, ask(1, 4));
    assert_eq!(again.start, first.start);
    let granted = calendar.reserve(back + SECOND, ask(1, 4));
    assert_eq!((granted.count, granted.start), (4, first.start));
}

#[test]
fn a_clock_that_steps_forward_goes_on_there() {
    let (mut calendar, now) = rested();
    calendar.reserve(now, ask(1, 4));
    let ahead = now + 3600 * SECOND;
    let lease = calendar.reserve(ahead, ask(1, 4));
    assert_eq!((lease.count, lease.start, lease.hosts), (4, ahead, 1));
}

#[test]
fn no_slot_is_beyond_the_horizon() {
    let (mut calendar, now) = rested();
    let lease = calendar.reserve(now, ask(1, 1_000));
    assert_eq!(lease.count, 201, "now and 200 in two seconds");
    let refused = calendar.reserve(now, ask(2, 1));
    assert_eq!((refused.count, refused.start), (0, now + 2_010 * MS));
    let next = calendar.reserve(now + 10 * MS, ask(2, 5));
    assert_eq!((next.count, next.start), (1, now + 2_010 * MS));
}

#[test]
fn an_ask_for_none_takes_none() {
    let (mut calendar, now) = rested();
    let look = calendar.reserve(now, ask(1, 0));
    assert_eq!((look.count, look.start), (0, now));
    assert_eq!(calendar.reserve(now, ask(1, 1)).start, now);
}

#[test]
fn the_end_of_a_lease_can_be_given_back_until_others_were_granted_after_it() {
    let (mut calendar, now) = rested();
    let lease = calendar.reserve(now, ask(1, 8));
    assert!(calendar.give_back(lease, 3));
    assert!(!calendar.give_back(lease, 3), "once");
    let other = calendar.reserve(now, ask(2, 2));
    assert_eq!(other.start, now + 50 * MS);
    assert!(!calendar.give_back(lease, 1));
    for count in [0, 3, u32::MAX] {
        assert!(!calendar.give_back(other, count), "{count} of 2");
    }
    assert!(calendar.give_back(other, 2));
}

#[test]
fn what_is_not_of_these_terms_can_not_be_given_back() {
    let (mut calendar, now) = rested();
    let lease = calendar.reserve(now, ask(1, 8));
    calendar.hold(now, Duration::from_secs(1));
    assert!(!calendar.give_back(lease, 1));
    let forged = Lease {
        count: u32::MAX,
        interval: u64::MAX,
        start: u64::MAX,
        ..lease
    };
    assert!(!calendar.give_back(forged, 1));
    assert!(!Calendar::default().give_back(lease, 1));
}

#[test]
fn a_hold_only_extends_and_zero_ends_it() {
    let (mut calendar, now) = rested();
    let before = calendar.reserve(now, ask(1, 1)).epoch;
    let held = calendar.hold(now, Duration::from_secs(60));
    assert!(held > before);
    calendar.hold(now, Duration::from_secs(1));
    let refused = calendar.reserve(now, ask(1, 1));
    assert_eq!((refused.count, refused.start), (0, now + 60 * SECOND));
    let ended = calendar.hold(now, Duration::ZERO);
    let granted = calendar.reserve(now, ask(1, 1));
    assert_eq!(
        (granted.count, granted.start, granted.epoch),
        (1, now + 10 * MS, ended)
    );
}

#[test]
fn a_new_interval_counts_from_the_last_slot_granted() {
    let (mut calendar, now) = rested();
    let old = calendar.reserve(now, ask(1, 3));
    calendar.retune(now, Duration::from_millis(50));
    let slower = calendar.reserve(now, ask(1, 1));
    assert_eq!((slower.start, slower.interval), (now + 70 * MS, 50 * MS));
    assert!(slower.epoch > old.epoch);
    calendar.retune(now, Duration::from_millis(1));
    assert_eq!(calendar.reserve(now, ask(1, 1)).start, now + 71 * MS);
}

#[test]
fn a_new_interval_does_not_cut_the_grace_short() {
    let mut calendar = Calendar::default();
    calendar.reserve(NOW, ask(1, 1));
    calendar.retune(NOW, Duration::from_micros(1));
    let lease = calendar.reserve(NOW, ask(1, 1));
    assert_eq!(lease.count, 0);
    // A slot of before is at most a horizon away, and its use at most half a second late.
    assert!(lease.start >= NOW + 2_500 * MS);
}

#[test]
fn hosts_that_have_not_asked_for_a_while_are_not_counted() {
    let (mut calendar, now) = rested();
    for host in 1..=5 {
        calendar.reserve(now + host * SECOND, ask(host, 1));
    }
    let lease = calendar.reserve(now + 13 * SECOND, ask(5, 1));
    assert_eq!(lease.hosts, 3, "3, 4 and 5");
    assert_eq!(calendar.seen.at(5), Some(now + 13 * SECOND));
    assert_eq!(calendar.seen.at(2), None);
}

#[test]
fn the_terms_of_a_limit_that_was_forgotten_have_another_number() {
    let (mut calendar, now) = rested();
    let mut last = 0;
    for _ in 0..3 {
        let epoch = calendar.retune(now, Duration::from_millis(10));
        assert!(epoch > last);
        last = epoch;
    }
    let fresh = Calendar::default().reserve(now + SECOND, ask(1, 1));
    assert!(fresh.epoch > last);
}

#[test]
fn durations_are_rounded_up_to_microseconds_within_what_a_script_can_count() {
    assert_eq!(micros(Duration::ZERO), 0);
    assert_eq!(micros(Duration::from_nanos(1)), 1);
    assert_eq!(micros(Duration::from_nanos(1_000)), 1);
    assert_eq!(micros(Duration::from_nanos(1_001)), 2);
    assert_eq!(micros(Duration::MAX), MAX_MICROS);
    const { assert!(MAX_MICROS + NOW < 1 << 53) }
}

#[test]
fn bad_numbers_are_reckoned_with() {
    let mut calendar = Calendar::default();
    let long = Ask {
        host: u64::MAX,
        want: u32::MAX,
        interval: Duration::ZERO,
        horizon: Duration::MAX,
        grace: Duration::MAX,
        seen: Duration::MAX,
    };
    let lease = calendar.reserve(NOW, long);
    assert_eq!(
        (lease.count, lease.interval),
        (1, 1),
        "the slot at the horizon's end"
    );
    calendar.retune(NOW, Duration::MAX);
    calendar.hold(NOW, Duration::MAX);
    assert_eq!(calendar.reserve(NOW, long).count, 0);
    assert_eq!(Calendar::default().reserve(0, long).now, 0);
}

/// Whatever is asked in whatever order, no slot is granted twice and none comes sooner than the interval after the one before.
#[test]
fn random_calls_grant_no_slot_twice_and_none_too_close() {
    for seed in 0..200 {
        let mut random = seed;
        let mut below = |n: u64| {
            random = u64::wrapping_add(random, 0x9e37_79b9_7f4a_7c15);
            let z = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) % n
        };
        let mut calendar = Calendar::default();
        let mut now = NOW;
        let mut granted = BTreeSet::new();
        let mut leases: Vec<Lease> = Vec::new();
        let mut shortest = 10 * MS;
        for _ in 0..400 {
            now += below(20 * MS);
            match below(10) {
                0 => {
                    let interval = 1 + below(15) * MS;
                    calendar.retune(now, Duration::from_micros(interval));
                    shortest = shortest.min(interval);
                }
                1 => drop(calendar.hold(now, Duration::from_millis(below(30)))),
                2 | 3 if !leases.is_empty() => {
                    let lease =
                        leases.swap_remove(usize::try_from(below(leases.len() as u64)).unwrap());
                    let count = u32::try_from(below(6)).unwrap();
                    if calendar.give_back(lease, count) {
                        for slot in slots(lease).iter().rev().take(count as usize) {
                            assert!(
                                granted.remove(slot),
                                "seed {seed}: gave back what was not granted"
                            );
                        }
                    }
                }
                _ => {
                    let lease =
                        calendar.reserve(now, ask(below(5), u32::try_from(below(9)).unwrap()));
                    assert!(lease.start >= now);
                    for slot in slots(lease) {
                        assert!(slot <= now + 2 * SECOND, "seed {seed}: beyond the horizon");
                        let before = granted.range(..=slot).next_back();
                        let after = granted.range(slot..).next();
                        assert!(
                            before.is_none_or(|b| slot - b >= shortest),
                            "seed {seed}: too close"
                        );
                        assert!(after.is_none(), "seed {seed}: out of order");
                        granted.insert(slot);
                    }
                    leases.push(lease);
                }
            }
        }
        assert!(granted.len() > 100, "seed {seed}: {} slots", granted.len());
    }
}
