//! Slots that gather while nobody takes them.

use apiqueue_fleet::{Action, Reply};

use crate::{MS, SECOND, ask, call, rested};

fn burst(want: u32, burst: u32, gathered: u32) -> Action {
    Action::Reserve {
        want,
        spacing: 0,
        after: 0,
        horizon: 2 * SECOND,
        burst,
        gathered,
    }
}

/// When each slot is, in milliseconds from `now`.
fn at(now: u64, reply: &Reply) -> Vec<i64> {
    let all = reply
        .slots
        .iter()
        .flat_map(|run| (0..u64::from(run.count)).map(move |k| run.first + k * run.step));
    all.map(|slot| (slot as i64 - now as i64) / MS as i64)
        .collect()
}

#[test]
fn as_many_as_the_burst_gather_and_no_more() {
    let (mut calendar, now) = rested();
    // Nobody has come for long: four of before, the one of now, and one after.
    let reply = calendar.apply(now, &call(1, burst(6, 5, 100)));
    assert_eq!(at(now, &reply), [-40, -30, -20, -10, 0, 10]);
    let reply = calendar.apply(now, &call(1, burst(1, 5, 100)));
    assert_eq!(at(now, &reply), [20], "they are gone");
}

#[test]
fn what_is_not_asked_for_stays_gathered() {
    let (mut calendar, now) = rested();
    for left in (1..=4).rev() {
        let reply = calendar.apply(now, &call(1, burst(1, 5, 1)));
        assert_eq!(at(now, &reply), [-10 * left]);
    }
    let reply = calendar.apply(now, &call(1, burst(1, 5, 1)));
    assert_eq!(at(now, &reply), [0]);
    // So much later, as much has gathered.
    let later = now + 25 * MS;
    let reply = calendar.apply(later, &call(1, burst(0, 5, 9)));
    assert_eq!(at(later, &reply), [-15, -5]);
}

#[test]
fn none_gather_in_a_hold_nor_in_the_grace_of_a_new_state() {
    let (mut calendar, now) = rested();
    calendar.apply(now, &call(1, Action::Hold(100 * MS)));
    let reply = calendar.apply(now + 50 * MS, &call(1, burst(0, 50, 50)));
    assert_eq!(reply.granted(), 0);
    let end = now + 112 * MS;
    let reply = calendar.apply(end, &call(1, burst(0, 50, 50)));
    assert_eq!(at(end, &reply), [-12, -2]);

    let mut calendar = apiqueue_fleet::Calendar::default();
    let begun = calendar.apply(now, &ask(1, 1)).learning_until;
    let reply = calendar.apply(begun + 5 * MS, &call(1, burst(0, 50, 50)));
    assert_eq!(at(begun, &reply), [0]);
}

#[test]
fn who_asks_for_none_of_before_gets_none() {
    let (mut calendar, now) = rested();
    for (size, gathered) in [(1, 100), (0, 100), (100, 0)] {
        let reply = calendar.apply(now, &call(1, burst(1, size, gathered)));
        assert!(reply.slots[0].first >= now);
    }
}

/// Over any time, however often it is asked: the burst, and one each interval.
#[test]
fn in_any_window_there_are_no_more_than_the_burst_and_the_rate() {
    for seed in 0..50 {
        let (mut calendar, mut now) = rested();
        let mut random: u64 = seed;
        let mut below = |n: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % n
        };
        let mut used: Vec<u64> = Vec::new();
        for _ in 0..300 {
            now += below(80) * MS;
            let [want, gathered] = [below(4), below(12)].map(|n| u32::try_from(n).unwrap());
            let reply = calendar.apply(now, &call(below(3), burst(want, 8, gathered)));
            for run in &reply.slots {
                let slots = (0..u64::from(run.count)).map(|k| run.first + k * run.step);
                // Those of before are used now.
                used.extend(slots.map(|slot| slot.max(now)));
            }
        }
        used.sort_unstable();
        for (first, from) in used.iter().enumerate() {
            for (count, to) in (1..60).zip(&used[first..]) {
                assert!(count <= 8 + (to - from) / (10 * MS), "seed {seed}: {count}");
            }
        }
    }
}
