//! A change of rate keeps permits as permits, on a schedule alone and in a queue: what is in hand, what is owed, and the part
//! gained towards the next one.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, missing_docs)]

use apiqueue_core::{Clock, Due, ManualClock, Next, Queue, Rate, Schedule, Word};
use apiqueue_tests::wakes::Wakes;
use proptest::prelude::*;

type Line<'c> = Queue<&'c ManualClock<u32>, 32>;

fn strict(interval: u32, burst: u32) -> Rate<u32> {
    let rate = Rate::every(interval).unwrap();
    rate.burst(burst).unwrap().strict()
}

/// How many permits can be taken at this very moment.
fn at_once(queue: &Line<'_>) -> usize {
    (0..1_000)
        .take_while(|_| queue.try_acquire().is_ok())
        .count()
}

#[test]
fn a_faster_rate_of_the_same_burst_gives_no_permit_that_was_not_there() {
    let clock = ManualClock::<u32>::new(5_000);
    let queue: Line<'_> = Queue::new(&clock, strict(1_000, 10));
    for _ in 0..9 {
        queue.try_acquire().unwrap();
    }
    queue.set_rate(strict(10, 10));
    assert_eq!(at_once(&queue), 1, "nine of the ten were used");
}

#[test]
fn a_refund_at_a_slow_rate_is_one_permit_at_a_fast_one() {
    let clock = ManualClock::<u32>::new(5_000);
    let queue: Line<'_> = Queue::new(&clock, strict(10, 100));
    assert_eq!(at_once(&queue), 100);
    queue.set_rate(strict(1_000, 100));
    queue.refund(1);
    queue.set_rate(strict(10, 100));
    clock.advance(1);
    assert_eq!(at_once(&queue), 1);
}

#[test]
fn the_burst_in_hand_stays_up_to_the_new_one() {
    for (burst, new, expected) in [(10, 10, 10), (10, 3, 3), (3, 10, 3)] {
        let clock = ManualClock::<u32>::new(5_000);
        let queue: Line<'_> = Queue::new(&clock, strict(1_000, burst));
        queue.set_rate(strict(10, new));
        assert_eq!(at_once(&queue), expected, "{burst} before, {new} after");
    }
}

#[test]
fn half_an_interval_stays_half_an_interval() {
    let mut pace = Schedule::new(strict(1_000, 1));
    pace.take(5_000);
    pace.set_rate(5_500, strict(20, 1));
    assert_eq!(pace.next(5_500), Due::At(5_510));
    pace.set_rate(5_505, strict(100, 1));
    assert_eq!(pace.next(5_505), Due::At(5_530), "a quarter is missing");
}

#[test]
fn what_is_owed_stays_owed_in_permits() {
    let mut pace = Schedule::new(strict(1_000, 1));
    pace.take(0);
    pace.charge(0, 4).unwrap();
    assert_eq!(pace.next(0), Due::At(5_000));
    pace.set_rate(0, strict(10, 1));
    assert_eq!(pace.next(0), Due::At(50));
}

#[test]
fn the_end_of_a_hold_is_on_the_grid_before_the_rate_changes() {
    let mut pace = Schedule::new(strict(1_000, 10));
    pace.hold_until(0, 100);
    pace.set_rate(600, strict(10, 10));
    // At the hold's end one permit was there, and half of one has gathered since.
    assert_eq!(pace.next_weighted(600, 2), Due::At(605));
}

#[test]
fn a_hold_until_the_present_moment_spends_nothing() {
    let clock = ManualClock::<u32>::new(5_000);
    let queue: Line<'_> = Queue::new(&clock, strict(10, 4));
    queue.hold_until(5_000).unwrap();
    assert_eq!(at_once(&queue), 4);
    let mut pace = Schedule::new(strict(10, 4));
    pace.hold_until(7, 7);
    assert_eq!(pace.next_weighted(7, 4), Due::Now);
}

#[test]
fn a_weight_waits_after_a_hold_until_it_has_gathered() {
    let mut pace = Schedule::new(strict(10, 4));
    pace.hold_until(0, 100);
    assert_eq!(pace.next_weighted(100, 3), Due::At(120));
}

#[test]
fn a_schedule_that_is_kept_tidy_is_never_late_after_a_pause() {
    let mut pace = Schedule::new(strict(100, 3));
    pace.take(7);
    let mut now = 7_u32;
    for _ in 0..40 {
        now = now.wrapping_add(u32::MAX_SPAN);
        pace.tidy(now);
        assert_eq!(pace.next_weighted(now, 3), Due::Now, "at {now}");
    }
}

#[test]
fn the_longest_rates_are_due_after_any_pause_that_is_visited() {
    let longest = u32::MAX_SPAN;
    for burst in 1..=8 {
        for part in 0..=64 {
            let interval = longest / burst - longest / burst / 640 * part;
            let clock = ManualClock::<u32>::new(0);
            let rate = Rate::<u32>::every(interval).unwrap();
            let queue: Line<'_> = Queue::new(&clock, rate.burst(burst).unwrap());
            queue.try_acquire().unwrap();
            for late in 0..=10 {
                // From exactly full, and as late as could be made up, on.
                clock.set(clock.now().wrapping_add(interval + interval / 100 * late));
                let _ = queue.advance();
                for _ in 0..5 {
                    clock.set(clock.now().wrapping_add(longest + 1));
                    let _ = queue.advance();
                }
                assert_eq!(at_once(&queue), burst as usize, "{burst} × {interval}");
            }
        }
    }
}

#[test]
fn a_reading_far_ahead_while_nobody_is_there_admits_nobody_early() {
    for ahead in [u32::MAX_SPAN + 1, u32::MAX_SPAN + 1_000, u32::MAX_SPAN * 2] {
        let clock = ManualClock::<u32>::new(5_000);
        let queue: Line<'_> = Queue::new(&clock, strict(100, 1));
        assert_eq!(at_once(&queue), 1);
        clock.set(5_000 + ahead);
        let _ = queue.advance();
        clock.set(5_001);
        assert_eq!(at_once(&queue), 0, "the clock was {ahead} ahead for once");
    }
}

#[test]
fn a_permit_that_comes_back_to_an_empty_line_is_told_to_a_driver_that_sleeps_until_later() {
    let clock = ManualClock::<u32>::new(1_000);
    let queue: Line<'_> = Queue::new(&clock, strict(100, 1));
    let driver = Wakes::default();
    let (released, waits) = (queue.enqueue().unwrap(), queue.enqueue().unwrap());
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(1_100));
    drop(waits);
    assert_eq!(queue.advance().next, Next::OnEnqueue); // somebody else's look
    drop(released); // unseen
    assert_eq!(driver.take(), [0]);
}

#[test]
fn an_unseen_release_is_given_back_though_those_behind_it_have_left() {
    let clock = ManualClock::<u32>::new(1_000);
    let queue: Line<'_> = Queue::new(&clock, strict(100, 1));
    let mut line: Vec<_> = (0..5).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(queue.advance().released, 1);
    let last = line.pop().unwrap();
    line.drain(1..).for_each(drop);
    assert_eq!(queue.advance().released, 0); // passes over the three
    drop(line);
    clock.advance(1);
    assert_eq!(queue.advance().released, 1);
    assert!(!last.is_waiting());
}

#[test]
fn to_ask_for_place_or_time_is_not_to_be_told_of_a_release() {
    let clock = ManualClock::<u32>::new(1_000);
    let queue: Line<'_> = Queue::new(&clock, strict(100, 1));
    let first = queue.enqueue().unwrap();
    let _ = queue.advance();
    assert_eq!((first.position(), first.estimate()), (None, None));
    drop(first); // still unseen
    let second = queue.enqueue().unwrap();
    clock.advance(1);
    assert_eq!(queue.advance().released, 1);
    assert!(!second.is_waiting());
}

#[test]
fn a_smaller_burst_tells_the_driver_that_a_heavy_head_is_due_sooner() {
    let clock = ManualClock::<u32>::new(1_000);
    let queue: apiqueue_core::WeightedQueue<_, 4> =
        apiqueue_core::WeightedQueue::new(&clock, strict(10, 50));
    for _ in 0..50 {
        queue.try_acquire().unwrap();
    }
    let driver = Wakes::default();
    let _heavy = queue.enqueue_weighted(50).unwrap();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(1_500));
    queue.set_rate(strict(10, 2));
    assert_eq!(driver.take(), [0]);
    assert_eq!(queue.advance().next, Next::At(1_020));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Whatever is taken, put back and changed, a whole permit is in hand at each taking, in a bucket that is counted in
    /// fractions of one and shares no code with the schedule.
    #[test]
    fn no_sequence_of_changes_makes_a_permit(
        first in (1_u32..2_000, 1_u32..12),
        steps in prop::collection::vec((0_u8..6, 0_u32..4_000, 1_u32..2_000, 1_u32..12), 1..80),
    ) {
        let (mut interval, mut burst) = (f64::from(first.0), f64::from(first.1));
        let (mut now, mut in_hand) = (1_000_u32, burst);
        let mut pace = Schedule::new(strict(first.0, first.1));
        for (kind, by, new, gathered) in steps {
            match kind {
                0 | 1 => {
                    now += by;
                    in_hand = (in_hand + f64::from(by) / interval).min(burst);
                }
                2 => {
                    pace.set_rate(now, strict(new, gathered));
                    (interval, burst) = (f64::from(new), f64::from(gathered));
                    in_hand = in_hand.min(burst);
                }
                3 => {
                    pace.refund(now, gathered as usize);
                    in_hand = (in_hand + f64::from(gathered)).min(burst);
                }
                4 => {
                    pace.charge(now, gathered as usize).unwrap();
                    in_hand -= f64::from(gathered);
                }
                _ => while pace.next(now) == Due::Now {
                    pace.take(now);
                    in_hand -= 1.0;
                    prop_assert!(in_hand > -1e-6, "{in_hand} permits left");
                },
            }
        }
    }

    /// And what was in hand is not lost either, but for a tick or two each time.
    #[test]
    fn no_sequence_of_changes_loses_a_permit(
        burst in 1_u32..12,
        changes in prop::collection::vec((0_u32..500, 100_u32..2_000), 1..20),
    ) {
        let mut pace = Schedule::new(strict(1_000, burst));
        let (mut now, mut interval) = (1_000_u32, 1_000.0);
        for _ in 0..burst {
            pace.take(now);
        }
        let (mut in_hand, mut lost) = (0.0_f64, 0.0);
        for (by, new) in changes {
            now += by;
            in_hand = (in_hand + f64::from(by) / interval).min(f64::from(burst));
            lost += 1.0 / f64::from(new);
            pace.set_rate(now, strict(new, burst));
            interval = f64::from(new);
        }
        let whole = (in_hand - lost - 1e-6).floor();
        for _ in 0..whole.max(0.0) as u32 {
            prop_assert_eq!(pace.next(now), Due::Now);
            pace.take(now);
        }
    }
}
