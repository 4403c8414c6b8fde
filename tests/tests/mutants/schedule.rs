//! A schedule alone: each of its methods, to the tick.

use apiqueue_core::{Due, Rate, Schedule, Word};

fn strict(interval: u32, burst: u32) -> Rate<u32> {
    let rate = Rate::every(interval).unwrap();
    rate.burst(burst).unwrap().strict()
}

/// An interval of 100, and one permit of `burst` taken at 1,000.
fn taken(burst: u32) -> Schedule<u32> {
    let mut pace = Schedule::new(strict(100, burst));
    pace.take(1_000);
    pace
}

#[test]
fn what_is_given_back_is_there_a_tick_later() {
    let mut pace = taken(1);
    pace.give_back();
    assert_eq!(pace.next(1_000), Due::At(1_001));
    assert_eq!(pace.next(1_001), Due::Now);
}

#[test]
fn nothing_is_given_back_where_nothing_was_taken() {
    for weight in [1, 3] {
        let mut pace = Schedule::new(strict(100, 3));
        pace.give_back_weighted(weight);
        for now in [0, 7, 1_000, u32::MAX_SPAN * 16] {
            assert_eq!(pace.next_weighted(now, 3), Due::Now, "at {now}");
        }
    }
}

#[test]
fn a_weight_is_taken_and_given_back_whole() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.take_weighted(1_000, 3);
    assert_eq!(pace.next_weighted(1_000, 1), Due::Now);
    assert_eq!(pace.next_weighted(1_000, 2), Due::At(1_100));
    pace.give_back_weighted(3);
    assert_eq!(pace.next_weighted(1_001, 4), Due::Now);
    pace.take_weighted(1_001, 1);
    assert_eq!(pace.next_weighted(1_001, 4), Due::At(1_101));
    pace.give_back();
    pace.take_weighted(1_002, 4);
    assert_eq!(pace.next(1_002), Due::At(1_102));
}

#[test]
fn a_weight_of_nothing_takes_and_gives_nothing() {
    let mut pace = taken(2);
    pace.take_weighted(1_000, 0);
    assert_eq!(pace.next(1_000), Due::Now);
    pace.take(1_000);
    pace.give_back_weighted(0);
    assert_eq!(pace.next(1_000), Due::At(1_100));
}

#[test]
fn a_refund_puts_back_so_many_permits_less_a_tick() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.take_weighted(1_000, 4);
    pace.refund(1_000, 2);
    assert_eq!(pace.next_weighted(1_000, 2), Due::At(1_001));
    pace.refund(1_000, 0);
    assert_eq!(pace.next_weighted(1_000, 2), Due::At(1_001));
    pace.refund(1_000, usize::MAX);
    assert_eq!(pace.next_weighted(1_001, 4), Due::Now);
    pace.take_weighted(1_001, 4);
    assert_eq!(pace.next(1_001), Due::At(1_101), "no more than the burst");
}

#[test]
fn refunds_of_a_full_burst_change_nothing_however_many() {
    let mut pace = taken(2);
    for _ in 0..8 {
        pace.refund(9_000, usize::MAX);
        assert_eq!(pace.next_weighted(9_001, 2), Due::Now);
    }
}

#[test]
fn a_charge_moves_the_next_one_back_and_one_of_nothing_does_not() {
    let mut pace = taken(1);
    pace.charge(1_000, 0).unwrap();
    assert_eq!(pace.next(1_000), Due::At(1_100));
    pace.charge(1_050, 2).unwrap();
    assert_eq!(pace.next(1_050), Due::At(1_300));
}

#[test]
fn a_charge_of_nothing_records_no_reading() {
    let mut pace = taken(1);
    pace.charge(9_000, 0).unwrap();
    assert_eq!(pace.next(1_100), Due::Now);
}

#[test]
fn a_charge_takes_a_hold_that_is_over_for_the_start_of_the_grid() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.hold_until(1_000, 2_000);
    pace.charge(2_000, 1).unwrap();
    assert_eq!(pace.next(2_000), Due::At(2_100));
}

#[test]
fn a_refund_takes_a_hold_that_is_over_for_the_start_of_the_grid() {
    let mut pace = taken(4);
    pace.hold_until(1_000, 2_000);
    pace.refund(2_000, 1);
    assert_eq!(pace.next_weighted(2_000, 2), Due::At(2_001));
    assert_eq!(pace.next_weighted(2_001, 2), Due::Now);
}

#[test]
fn a_take_after_a_hold_uses_the_grid_from_its_end() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.hold_until(1_000, 2_000);
    pace.take(2_000);
    assert_eq!(pace.next(2_000), Due::At(2_100));
}

#[test]
fn a_second_hold_after_the_first_is_over_keeps_what_has_gathered() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.hold_until(1_000, 2_000);
    pace.hold_until(2_300, 2_301);
    // One at 2,000, and three more since, which the second hold spends.
    assert_eq!(pace.next_weighted(2_301, 2), Due::At(2_401));
}

#[test]
fn a_hold_is_only_ever_extended() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.hold_until(1_000, 2_000);
    for no_longer in [1_500, 2_000, 900] {
        pace.hold_until(1_000, no_longer);
        assert_eq!(pace.next(1_000), Due::At(2_000), "{no_longer}");
    }
    pace.hold_until(1_000, 2_001);
    assert_eq!(pace.next(1_000), Due::At(2_001));
}

#[test]
fn a_hold_in_the_past_is_none_where_there_is_no_other() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.hold_until(1_000, 900);
    assert_eq!(pace.next_weighted(1_000, 4), Due::Now);
}

#[test]
fn a_resume_ends_a_hold_at_once_and_only_cuts_it() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.hold_until(1_000, 2_000);
    pace.resume(1_500);
    assert_eq!(pace.next(1_500), Due::Now);
    assert_eq!(pace.next_weighted(1_500, 2), Due::At(1_600));
    pace.resume(1_600);
    assert_eq!(pace.next_weighted(1_600, 2), Due::Now);
}

#[test]
fn a_resume_without_a_hold_changes_nothing() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.resume(1_000);
    assert_eq!(pace.next_weighted(1_000, 4), Due::Now);
}

#[test]
fn a_hold_that_is_over_does_not_come_back_when_readings_wrap() {
    for start in [0, u32::MAX_SPAN * 3] {
        let mut pace = Schedule::new(strict(100, 4));
        pace.hold_until(start, start.wrapping_add(10));
        let mut now = start;
        for _ in 0..40 {
            now = now.wrapping_add(u32::MAX_SPAN);
            pace.tidy(now);
            assert_eq!(pace.next_weighted(now, 4), Due::Now, "at {now}");
        }
    }
}

#[test]
fn a_take_ends_the_hold_for_good_wherever_the_readings_are() {
    let start = 0x1800_0000;
    let mut pace = Schedule::new(strict(100, 1));
    pace.hold_until(start, start + 10);
    pace.take(start + 10);
    assert_eq!(pace.next(start + 10), Due::At(start + 110));
}

#[test]
fn tidying_something_recent_records_no_reading() {
    let mut pace = taken(1);
    pace.tidy(9_000);
    pace.tidy(1_150);
    assert_eq!(pace.next(1_100), Due::Now);
}

#[test]
fn a_whole_interval_late_is_a_new_grid() {
    let mut pace = Schedule::new(Rate::<u32>::every(100).unwrap());
    pace.take(0);
    pace.take(200);
    assert_eq!(pace.next(200), Due::At(300));
    pace.take(399);
    assert_eq!(
        pace.next(399),
        Due::At(490),
        "all but a tick: the slack is made up"
    );
}

#[test]
fn a_weight_that_is_due_at_a_burst_is_due_then() {
    let pace = taken(4);
    assert_eq!(pace.next_weighted(1_000, 3), Due::Now);
    assert_eq!(pace.next_weighted(1_000, 4), Due::At(1_100));
    assert_eq!(pace.next_weighted(1_000, 9), Due::At(1_100));
    assert_eq!(pace.next_weighted(1_000, 0), Due::Now);
}

#[test]
fn a_debt_as_long_as_there_is_room_is_the_longest() {
    let most = u32::MAX_SPAN as usize;
    let mut pace = Schedule::new(strict(3, 1));
    pace.take(1_000);
    let refused = pace.charge(1_000, most / 3 + 1).unwrap_err();
    assert_eq!((refused.permits, refused.max), (most / 3 + 1, most / 3));
    pace.charge(1_000, most / 3).unwrap();
    assert_eq!(pace.next(1_000), Due::At(1_000 + u32::MAX_SPAN + 3));
    let refused = pace.charge(1_000, 1).unwrap_err();
    assert_eq!(refused.max, 0);
    let refused = pace.charge(1_003, 2).unwrap_err();
    assert_eq!(refused.max, 1);
}

#[test]
fn the_longest_debt_leaves_no_room_for_an_interval_of_a_tick() {
    let mut pace = Schedule::new(strict(1, 1));
    pace.take(1_000);
    pace.charge(1_000, u32::MAX_SPAN as usize).unwrap();
    assert_eq!(pace.charge(1_000, 1).unwrap_err().max, 0);
    assert_eq!(pace.charge(999, 1).unwrap_err().max, 0);
}

#[test]
fn half_the_range_away_is_neither_due_nor_late() {
    let half = 1_u32 << 28;
    let mut pace = taken(1);
    let now = 1_000 + half;
    pace.take(now);
    assert_eq!(pace.next(1_199), Due::At(1_200), "it counts as on time");
}

#[test]
fn a_second_hold_looks_for_the_end_of_the_first() {
    let mut pace = Schedule::new(strict(100, 4));
    pace.hold_until(1_000, 2_000);
    pace.hold_until(5_000, 5_001);
    pace.resume(5_000);
    assert_eq!(
        pace.next_weighted(5_000, 2),
        Due::At(5_100),
        "a hold spends the burst"
    );
}
