//! What the adaptive controllers do with single outcomes, and with worlds that are unkind.
#![cfg(not(loom))]
#![allow(missing_docs, clippy::unwrap_used)]

use apiqueue_core::{
    Aimd, Bounds, Change, Constants, Controller, Cubic, ManualClock, Outcome, Queue, Rate, Word,
};
use apiqueue_tests::server::{Paced, Server, World};
use proptest::prelude::*;

const MILLIS: u32 = 1000;

/// Milliseconds; between one each 2 s and 100 a second.
fn bounds() -> Bounds<u32> {
    let slowest = Rate::<u32>::every(2_000).unwrap();
    Bounds::new(slowest, Rate::<u32>::every(10).unwrap(), MILLIS).unwrap()
}

fn both(start: Rate<u32>) -> [Box<dyn Controller<u32>>; 2] {
    [
        Box::new(Aimd::new(bounds(), start, 500).unwrap()),
        Box::new(Cubic::new(bounds(), start, Constants::AWS).unwrap()),
    ]
}

fn every(ticks: u32) -> Rate<u32> {
    Rate::<u32>::every(ticks).unwrap()
}

#[test]
fn one_congestion_decreases_once_however_many_it_refuses() {
    for mut controller in both(every(50)) {
        let first = controller.outcome(100, 0, Outcome::Throttled);
        let lower = first.rate.unwrap();
        assert!(lower.interval() > 50);
        for waiter in 1..30 {
            let change = controller.outcome(100 + waiter, waiter, Outcome::Throttled);
            assert_eq!((change.rate, change.hold_until), (None, None));
        }
        assert_eq!(controller.rate(), lower);
    }
}

/// Released before the decrease, answered long after it.
#[test]
fn a_late_refusal_is_no_news() {
    for mut controller in both(every(50)) {
        let _ = controller.outcome(100, 0, Outcome::Throttled);
        let late = controller.outcome(60_100, 90, Outcome::Throttled);
        assert_eq!(late.rate, None);
        let news = controller.outcome(60_200, 60_110, Outcome::Throttled);
        assert!(news.rate.is_some());
    }
}

#[test]
fn retry_after_holds_the_queue_and_an_absurd_one_is_cut() {
    for mut controller in both(every(50)) {
        let clock = ManualClock::<u32>::new(100);
        let queue: Queue<_, 4> = Queue::new(&clock, every(50));
        controller
            .outcome(100, 0, Outcome::RetryAfter(5_000))
            .apply(&queue);
        let waiter = queue.enqueue().unwrap();
        clock.set(5_099);
        assert_eq!(queue.advance().released, 0);
        clock.set(5_100);
        assert_eq!(queue.advance().released, 1);
        drop(waiter);

        // Nothing was tried in the hold, so nothing was learnt from it.
        let early = controller.outcome(5_150, 5_100, Outcome::Throttled);
        assert_eq!(early.rate, None);
        let news = controller.outcome(5_700, 5_600, Outcome::RetryAfter(u32::MAX));
        assert_eq!(news.hold_until, Some(5_700 + u32::MAX_SPAN));
        assert!(news.rate.is_some());
    }
}

#[test]
fn a_server_that_takes_nothing_for_a_while_is_found_again() {
    let slowest = Rate::<u64>::every(2_000_000).unwrap();
    let fastest = Rate::<u64>::every(5_000).unwrap();
    let bounds = Bounds::new(slowest, fastest, 1_000_000).unwrap();
    let mut world = World::new(Server::new(20, 10));
    world.join(Paced::new(Aimd::new(bounds, slowest, 500).unwrap(), 0));
    world.join(Paced::new(
        Cubic::new(bounds, slowest, Constants::AWS).unwrap(),
        0,
    ));
    world.run(120);
    world.server.per_second = 0;
    world.run(120);
    let tried = world.sum(0, 200, 240).refused;
    assert!((19..=21).contains(&tried), "{tried} tried at one each 2 s");
    world.server.per_second = 20;
    world.run(120);
    let taken = world.sum(0, 300, 360).taken + world.sum(1, 300, 360).taken;
    assert!(taken > 1_140, "{taken} of 1200");
}

#[test]
fn a_server_that_says_when_is_asked_no_earlier() {
    let slowest = Rate::<u64>::every(2_000_000).unwrap();
    let bounds = Bounds::new(slowest, Rate::<u64>::every(5_000).unwrap(), 1_000_000).unwrap();
    let mut world = World::new(Server::new(20, 20));
    world.server.retry_after = Some(1_000_000);
    world.join(Paced::new(Aimd::new(bounds, slowest, 150).unwrap(), 0));
    world.run(1_200);
    let steady = world.sum(0, 600, 1_200);
    assert!(steady.taken > 11_400, "{} of 12000", steady.taken);
    assert!(steady.refused < 100, "{} refused", steady.refused);
}

#[test]
fn calls_that_take_two_seconds_are_paced_as_well() {
    let start = Rate::<u64>::every(500_000).unwrap();
    let fastest = Rate::<u64>::every(5_000).unwrap();
    let bounds = Bounds::new(start, fastest, 1_000_000).unwrap();
    let mut world = World::new(Server::new(20, 50));
    world.way = (800_000, 1_200_000);
    world.join(Paced::new(Aimd::new(bounds, start, 150).unwrap(), 0));
    world.run(1_200);
    let steady = world.sum(0, 600, 1_200);
    assert!(steady.taken > 11_400, "{} of 12000", steady.taken);
    assert!(steady.refused < 240, "{} refused", steady.refused);
}

/// A million ticks a second: 32 bits wrap after 71 minutes, here in the tenth second.
#[test]
fn a_clock_that_wraps_makes_no_difference() {
    let mut wide = World::new(Server::new(20, 20));
    let fastest = Rate::<u64>::every(5_000).unwrap();
    let slowest = Rate::<u64>::every(2_000_000).unwrap();
    let bounds = Bounds::new(slowest, fastest, 1_000_000).unwrap();
    wide.join(Paced::new(
        Cubic::new(bounds, slowest, Constants::CALM).unwrap(),
        0,
    ));
    let mut narrow = World::new(Server::new(20, 20));
    let slowest = every(2_000_000);
    let bounds = Bounds::new(slowest, every(5_000), 1_000_000).unwrap();
    narrow.join(Paced::new(
        Cubic::new(bounds, slowest, Constants::CALM).unwrap(),
        i128::from(u32::MAX) - 10_000_000,
    ));
    wide.run(300);
    narrow.run(300);
    let (wide, narrow) = (wide.sum(0, 0, 300), narrow.sum(0, 0, 300));
    assert_eq!((wide.taken, wide.refused), (narrow.taken, narrow.refused));
}

#[test]
fn a_pause_teaches_nothing_and_readings_that_wrap_in_it_do_no_harm() {
    for mut controller in both(every(50)) {
        let mut now = 0_u32;
        let _ = controller.outcome(now, now, Outcome::Throttled);
        let before = controller.rate();
        for _ in 0..20 {
            now = now.wrapping_add(0xa000_0000);
            assert_eq!(controller.outcome(now, now, Outcome::Ok).rate, None);
        }
        assert_eq!(controller.rate(), before);
        let news = controller.outcome(now + 50, now, Outcome::Throttled);
        assert!(news.rate.is_some(), "still reacts");
    }
}

#[test]
fn readings_that_wrapped_in_a_pause_do_not_stop_the_time() {
    for mut controller in both(every(50)) {
        let _ = controller.outcome(0, 0, Outcome::Throttled);
        let _ = controller.outcome(0xa000_0000, 0xa000_0000, Outcome::Ok);
        let news = controller.outcome(0xa000_0400, 0xa000_03f0, Outcome::Throttled);
        assert!(news.rate.is_some());
    }
}

/// smithy-rs#4632: what waited while denied was deducted too, and the capacity never came back from below zero.
#[test]
fn no_number_of_refusals_takes_the_rate_below_the_slowest() {
    let mut aimd = Aimd::new(bounds(), every(50), 500).unwrap();
    let mut now = 0;
    for _ in 0..200 {
        now += 1_000;
        let _ = aimd.outcome(now, now - 10, Outcome::Throttled);
    }
    assert_eq!(aimd.rate().interval(), 2_000);
    // Two seconds at half a call per second more each second: one and a half.
    let _ = aimd.outcome(now + 2_000, now + 1_990, Outcome::Ok);
    assert_eq!(aimd.rate().interval(), 667);
}

#[test]
fn burst_and_strictness_stay_those_of_the_start() {
    let start = every(50).burst(5).unwrap().strict();
    for mut controller in both(start) {
        let rate = controller.outcome(100, 0, Outcome::Throttled).rate.unwrap();
        assert_eq!((rate.burst_size(), rate.is_strict()), (5, true));
        assert_eq!(rate, every(rate.interval()).burst(5).unwrap().strict());
    }
}

#[test]
fn what_can_not_be_is_named_with_its_range() {
    let says = |error: apiqueue_core::SettingError| error.to_string();
    let slow = every(2_000);
    assert_eq!(
        says(Bounds::new(every(10), slow, MILLIS).unwrap_err()),
        "interval of the slowest rate, in ticks, of 10 is not in 2000..=67108863"
    );
    assert_eq!(
        says(Bounds::new(slow, every(10), 0).unwrap_err()),
        "ticks per second of 0 is not in 1..=1000000000"
    );
    assert_eq!(
        says(bounds().ramp(0).unwrap_err()),
        "ramp, in ticks, of 0 is not in 1..=67108863"
    );
    assert_eq!(
        says(bounds().settle(u32::MAX).unwrap_err()),
        "settling, in ticks, of 4294967295 is not in 0..=67108863"
    );
    assert_eq!(
        says(Aimd::new(bounds(), every(5), 1).unwrap_err()),
        "interval of the start rate, in ticks, of 5 is not in 10..=2000"
    );
    let burst = every(20).burst(1_000_000).unwrap();
    assert_eq!(
        says(Aimd::new(bounds(), burst, 1).unwrap_err()),
        "burst of 1000000 is not in 1..=33554"
    );
    assert_eq!(
        says(Aimd::new(bounds(), slow, 0).unwrap_err()),
        "growth, in thousandths, of 0 is not in 1..=1000000000"
    );
    let aimd = Aimd::new(bounds(), slow, 1).unwrap();
    assert_eq!(
        says(aimd.keep(1000).unwrap_err()),
        "part kept, in thousandths, of 1000 is not in 1..=999"
    );
    let steep = Constants {
        scale_micro: 0,
        ..Constants::AWS
    };
    assert_eq!(
        says(Cubic::new(bounds(), slow, steep).unwrap_err()),
        "scale, in millionths, of 0 is not in 1..=100000000"
    );
}

fn outcome<W: core::fmt::Debug + Clone>(
    retry: impl Strategy<Value = W>,
) -> impl Strategy<Value = Outcome<W>> {
    prop_oneof![
        4 => Just(Outcome::Ok),
        1 => Just(Outcome::Throttled),
        1 => retry.prop_map(Outcome::RetryAfter),
    ]
}

/// Whatever it is told, at whatever readings, it stays within its bounds and says only what is new.
fn stays_within<W: Word + Into<u64>>(
    mut controller: impl Controller<W>,
    (fastest, slowest): (W, W),
    steps: &[(W, W, Outcome<W>)],
) {
    for &(now, released, outcome) in steps {
        let before = controller.rate();
        let Change { rate, .. } = controller.outcome(now, released, outcome);
        assert_ne!(rate, Some(before));
        let interval = controller.rate().interval();
        assert!((fastest..=slowest).contains(&interval), "{interval}");
    }
}

proptest! {
    #[test]
    fn any_history_stays_within_the_bounds_narrow(
        fastest in 1_u32..2000,
        more in 0_u32..1_000_000,
        second in 1_u32..1_000_000_000,
        steps in prop::collection::vec((any::<u32>(), any::<u32>(), outcome(any::<u32>())), 1..60),
    ) {
        let ends = (fastest, fastest + more);
        let bounds = Bounds::new(every(ends.1), every(ends.0), second).unwrap();
        stays_within(Aimd::new(bounds, every(ends.1), 1_000_000_000).unwrap(), ends, &steps);
        for constants in [Constants::AWS, Constants::CALM] {
            stays_within(Cubic::new(bounds, every(ends.1), constants).unwrap(), ends, &steps);
        }
    }

    #[test]
    fn any_history_stays_within_the_bounds_wide(
        fastest in 1_u64..2000,
        more in 0_u64..1 << 55,
        second in 1_u64..1_000_000_000,
        steps in prop::collection::vec((any::<u64>(), any::<u64>(), outcome(any::<u64>())), 1..60),
    ) {
        let rate = |interval| Rate::<u64>::every(interval).unwrap();
        let ends = (fastest, fastest + more);
        let bounds = Bounds::new(rate(ends.1), rate(ends.0), second).unwrap();
        stays_within(Aimd::new(bounds, rate(ends.1), 1_000_000_000).unwrap(), ends, &steps);
        for constants in [Constants::AWS, Constants::CALM] {
            stays_within(Cubic::new(bounds, rate(ends.1), constants).unwrap(), ends, &steps);
        }
    }
}

#[test]
fn a_reading_that_goes_back_does_not_count_twice() {
    let mut aimd = Aimd::new(bounds(), every(100), 500).unwrap();
    let _ = aimd.outcome(0, 0, Outcome::Throttled);
    let lower = aimd.rate().interval(); // 118
    for i in 0..1_000 {
        let now = if i % 2 == 0 { 1_000 } else { 600 };
        let _ = aimd.outcome(now, now, Outcome::Ok);
    }
    // A second, at half a call per second more each second, would be one each 111 ms.
    assert!(aimd.rate().interval() >= 111, "from {lower}");
}
