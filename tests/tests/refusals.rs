//! Bad input: each refusal names the value and the allowed range.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, missing_docs)]

use apiqueue_core::{ManualClock, Queue, QueueOver, Rate, RateError, Slot};

fn refusal(rate: Result<Rate<u32>, RateError<u32>>) -> String {
    rate.unwrap_err().to_string()
}

#[test]
fn an_interval_of_zero_or_too_long_is_refused_with_the_range() {
    assert_eq!(
        refusal(Rate::<u32>::every(0)),
        "an interval of 0 ticks is not in 1..=67108863"
    );
    assert_eq!(
        refusal(Rate::<u32>::every(67_108_864)),
        "an interval of 67108864 ticks is not in 1..=67108863"
    );
    assert_eq!(
        Rate::<u32>::every(67_108_863).unwrap().interval(),
        67_108_863
    );
}

#[test]
fn a_rate_of_zero_or_faster_than_the_clock_is_refused_with_the_range() {
    assert_eq!(
        refusal(Rate::<u32>::per_second(0, 1_000)),
        "0 releases a second is not in 1..=1000"
    );
    assert_eq!(
        refusal(Rate::<u32>::per_second(1_001, 1_000)),
        "1001 releases a second is not in 1..=1000, the ticks in a second"
    );
}

#[test]
fn a_burst_of_zero_or_too_long_is_refused_with_the_range() {
    let rate = Rate::<u32>::every(1_000).unwrap();
    assert_eq!(refusal(rate.burst(0)), "a burst of 0 is not in 1..=67108");
    assert_eq!(
        refusal(rate.burst(67_109)),
        "a burst of 67109 is not in 1..=67108 at this interval"
    );
    assert_eq!(rate.burst(67_108).unwrap().burst_size(), 67_108);
}

#[test]
fn a_rate_that_is_no_whole_number_of_ticks_is_rounded_to_the_slower_side_and_says_so() {
    let rate = Rate::<u32>::per_second(300, 1_000).unwrap();
    assert_eq!(rate.interval(), 4);
}

#[test]
fn a_burst_and_strictness_are_kept_in_either_order() {
    let rate = Rate::<u64>::every(64).unwrap();
    let a = rate.strict().burst(3).unwrap();
    assert_eq!(a, rate.burst(3).unwrap().strict());
    assert_eq!((a.burst_size(), a.is_strict(), a.slack()), (3, true, 0));
    assert_eq!(rate.slack(), 6);
}

#[test]
fn a_hold_longer_than_readings_can_tell_is_refused_with_the_range() {
    let rate = Rate::<u32>::every(10).unwrap();
    let queue: Queue<_, 1> = Queue::new(ManualClock::<u32>::new(5), rate);
    assert_eq!(
        queue.hold_until(5 + 67_108_864).unwrap_err().to_string(),
        "a hold of 67108864 ticks is not in 0..=67108863"
    );
    queue.hold_until(5 + 67_108_863).unwrap();
}

#[test]
fn storage_that_is_no_power_of_two_is_refused_with_the_range() {
    for capacity in [0, 3, 12] {
        let slots: Box<[Slot]> = (0..capacity).map(|_| Slot::new()).collect();
        let rate = Rate::<u32>::every(10).unwrap();
        let refused = QueueOver::over(ManualClock::<u32>::new(0), rate, slots).unwrap_err();
        assert!(
            refused.to_string().starts_with(&format!(
                "a capacity of {capacity} is not a power of two in 1..="
            )),
            "{refused}"
        );
    }
}
