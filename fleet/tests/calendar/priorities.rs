//! Hosts of several priorities on one calendar.

use apiqueue_fleet::{Action, Calendar, Call, Reply};

use crate::{MS, SECOND, ask, call, each, rested};

/// With the interval of 10 ms and the horizon of 2 s: less important hosts book 125 ms ahead.
fn of(priority: u8, host: u64, want: u32) -> Call {
    Call {
        priority,
        ..ask(host, want)
    }
}

/// How far ahead of `now` each slot is, in milliseconds.
fn ahead(reply: &Reply) -> Vec<u64> {
    let slots = each(&reply.slots).into_iter();
    slots.map(|slot| (slot - reply.now) / MS).collect()
}

/// A calendar that host 1 of priority 3 has asked, and booked so many slots of.
fn booked(count: u32) -> (Calendar, u64) {
    let (mut calendar, now) = rested();
    let reply = calendar.apply(now, &of(3, 1, count));
    assert_eq!(reply.granted(), u64::from(count));
    (calendar, now)
}

#[test]
fn what_the_important_ones_do_not_want_the_others_get_in_full() {
    let (mut calendar, now) = booked(0);
    let reply = calendar.apply(now, &of(0, 2, 50));
    assert_eq!(ahead(&reply), (0..50).map(|n| n * 10).collect::<Vec<_>>());
}

#[test]
fn behind_a_busy_one_they_get_one_slot_in_ten() {
    let (mut calendar, now) = booked(25);
    let reply = calendar.apply(now, &of(0, 2, 50));
    assert_eq!(
        ahead(&reply),
        (0..18).map(|n| 250 + n * 100).collect::<Vec<_>>()
    );
    // Who asks a little late gets no less: one more. Then there are no more of them.
    assert_eq!(ahead(&calendar.apply(now, &of(0, 3, 50))), [1960]);
    let reply = calendar.apply(now, &of(0, 3, 50));
    assert_eq!(reply.granted(), 0);
    assert_eq!((reply.next, reply.later), (now + 2050 * MS, 0));
    let mut early = calendar.clone();
    assert_eq!(early.apply(now + 49 * MS, &of(0, 3, 1)).granted(), 0);
    let now = now + 50 * MS;
    assert_eq!(calendar.apply(now, &of(0, 3, 1)).granted(), 1);
    // The slots that were passed over are there for the important one.
    let reply = calendar.apply(now, &of(3, 1, 8));
    let first = (260..340).step_by(10).map(|at| at - 50);
    assert_eq!(ahead(&reply), first.collect::<Vec<_>>());
}

#[test]
fn in_ten_seconds_of_asking_all_the_time_they_get_a_tenth_and_no_more() {
    for lows in [1, 3] {
        let (mut calendar, start) = booked(0);
        let mut granted = [0; 2];
        for step in 0..10_000 {
            let now = start + step * MS;
            granted[1] += calendar.apply(now, &of(3, 1, 200)).granted();
            let low = calendar.apply(now, &of(0, 2 + step % lows, 50));
            granted[0] += low.granted();
        }
        // Twelve seconds with the horizon.
        assert_eq!(granted.iter().sum::<u64>(), 1_200);
        assert!((90..=122).contains(&granted[0]), "{granted:?}");
    }
}

#[test]
fn each_priority_books_later_than_those_above_it() {
    let (mut calendar, now) = booked(0);
    for (priority, host) in [(2, 2), (1, 3), (0, 4)] {
        calendar.apply(now, &of(priority, host, 0));
    }
    calendar.apply(now, &of(3, 1, 20));
    // The slots of those whom nobody asks are given away.
    for (host, reach) in [(2, 125), (3, 62), (4, 31)] {
        let opens = now + 200 * MS - reach * MS;
        let priority = 4 - host as u8;
        let low = |at| {
            let mut calendar = calendar.clone();
            let reply = calendar.apply(at, &of(priority, host, 2));
            ahead(&reply)
        };
        assert_eq!(low(opens)[1] - low(opens)[0], 10, "host {host}");
        assert_eq!(low(opens - 2 * MS)[1] - low(opens - 2 * MS)[0], 100);
    }
}

#[test]
fn one_that_is_gone_keeps_nobody_back_for_longer_than_it_counts() {
    let (mut calendar, now) = booked(25);
    let gone = now + 10 * SECOND + 1;
    // Nobody is more important.
    let reply = calendar.apply(gone, &of(0, 2, 200));
    assert_eq!((reply.granted(), reply.hosts, reply.above), (200, 1, 0));
    // Before, they get all of it a little at a time.
    let (mut calendar, now) = booked(25);
    let all = (0..100).map(|n| calendar.apply(now + n * 50 * MS, &of(0, 2, 5)).granted());
    assert!(all.sum::<u64>() >= 475);
}

#[test]
fn the_answer_tells_who_is_above_and_who_is_below() {
    let (mut calendar, now) = booked(0);
    for (priority, host) in [(7, 2), (0, 3), (0, 4), (200, 5)] {
        calendar.apply(now, &of(priority, host, 0));
    }
    let told = |calendar: &mut Calendar, priority, host| {
        let reply = calendar.apply(now, &of(priority, host, 0));
        (reply.hosts, reply.below, reply.above, reply.kept_back)
    };
    assert_eq!(told(&mut calendar, 3, 1), (6, 3, 1, 4));
    assert_eq!(told(&mut calendar, 7, 2), (6, 4, 0, 4));
    assert_eq!(told(&mut calendar, 0, 3), (6, 0, 2, 4));
    let seen = calendar.look(now).unwrap().hosts;
    let mut seen: Vec<_> = seen.iter().map(|host| (host.host, host.priority)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(0, 0), (1, 3), (2, 7), (3, 0), (4, 0), (5, 7)]);
}

#[test]
fn after_a_step_of_the_clock_or_another_rate_they_wait_no_longer_than_before() {
    let (mut calendar, now) = booked(25);
    calendar.apply(now, &of(0, 2, 50));
    // An hour back: as far ahead as it was.
    let back = now - 3600 * SECOND;
    calendar.apply(back, &of(3, 1, 1));
    let low = calendar.state.as_ref().unwrap().low;
    assert!(low <= back + 2_100 * MS, "{}", low - back);
    // From one slot a minute to a hundred a second.
    let minute = call(1, Action::Retune(60 * SECOND));
    calendar.apply(back, &minute);
    for n in 0..100 {
        calendar.apply(back + n * 60 * SECOND, &of(3, 1, 1));
        calendar.apply(back + n * 60 * SECOND, &of(0, 2, 1));
    }
    let now = back + 6_000 * SECOND;
    calendar.apply(now, &call(1, Action::Retune(10 * MS)));
    let state = calendar.state.as_ref().unwrap();
    assert!(state.low <= state.tat + 100 * MS);
}
