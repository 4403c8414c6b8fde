//! What a queue can be started with, and what it says to what it can't.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use apiqueue::{ApiQueue, Rate, StartError, Waiter};

fn refusal(builder: apiqueue::Builder) -> String {
    builder.start().unwrap_err().to_string()
}

#[test]
fn a_capacity_is_rounded_up_to_a_power_of_two() {
    for (asked, got) in [(1, 1), (2, 2), (3, 4), (1000, 1024), (1025, 2048)] {
        let queue = ApiQueue::builder()
            .per_second(1)
            .capacity(asked)
            .start()
            .unwrap();
        assert_eq!(queue.capacity(), got);
    }
}

#[test]
fn what_cannot_be_is_named_with_its_range() {
    let builder = ApiQueue::builder;
    let second = Duration::from_secs(1);
    let cases = [
        (
            builder().every(second).capacity(0),
            "a capacity of 0 is not in 1..=16777216",
        ),
        (
            builder().every(second).capacity(usize::MAX),
            "a capacity of 18446744073709551615 is not in 1..=16777216",
        ),
        (
            builder().every(Duration::ZERO),
            "an interval of 0ns is not in 1ns..=72057594.037927935s",
        ),
        (
            builder().every(Duration::MAX),
            "an interval of 18446744073709551615.999999999s is not in 1ns..=72057594.037927935s",
        ),
        (
            builder().per_second(0),
            "0 releases a second is not in 1..=1000000000",
        ),
        (
            builder().per_second(u32::MAX),
            "4294967295 releases a second is not in 1..=1000000000",
        ),
        (
            builder().every(second).burst(0),
            "a burst of 0 is not in 1..=72057594 at this interval",
        ),
        (
            builder().every(second).burst(u32::MAX),
            "a burst of 4294967295 is not in 1..=72057594 at this interval",
        ),
        (
            builder().every(second).catch_up(Duration::MAX),
            "catching up 18446744073709551615.999999999s is not in 0ns..=72057594.037927935s",
        ),
        (builder(), "a queue needs a rate: every, per_second or rate"),
    ];
    for (builder, message) in cases {
        assert_eq!(refusal(builder), message);
    }
}

#[test]
fn a_hold_that_is_too_long_is_refused_and_changes_nothing() {
    let queue = ApiQueue::builder().per_second(1).start().unwrap();
    let why = queue.hold_for(Duration::MAX).unwrap_err().to_string();
    assert_eq!(
        why,
        "a hold of 18446744073709551615.999999999s is not in 0ns..=72057594.037927935s"
    );
    assert!(!queue.enqueue().unwrap().is_waiting());
}

#[test]
fn a_rate_is_never_faster_than_what_was_asked_for() {
    let rate = Rate::per_second(3).unwrap();
    assert_eq!(rate.interval(), Duration::from_nanos(333_333_334));
}

#[test]
fn what_is_set_can_be_read_back() {
    let rate = Rate::per_second(20).unwrap().burst(3).unwrap().strict();
    let queue = ApiQueue::builder().rate(rate).name("ec2").start().unwrap();
    assert_eq!(queue.rate(), rate);
    assert_eq!((rate.burst_size(), rate.is_strict()), (3, true));
    let other = Rate::every(Duration::from_secs(2)).unwrap();
    queue.set_rate(other);
    assert_eq!(queue.clone().rate(), other);
    assert_eq!(queue.name(), "ec2");
}

#[test]
fn a_rate_error_is_a_start_error_as_it_is() {
    let why = Rate::per_second(0).unwrap_err();
    assert_eq!(StartError::from(why).to_string(), why.to_string());
}

#[test]
fn handles_and_waiters_go_to_any_thread() {
    fn handle<T: Clone + Send + Sync + 'static>() {}
    fn waiter<T: Send + Sync + Unpin + 'static>() {}
    handle::<ApiQueue>();
    waiter::<Waiter>();
}
