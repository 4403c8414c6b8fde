//! Calls that cost several permits, on the std runtime: in order, with the mock clock.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, EnqueueError, Rate};

fn by_hand(burst: u32) -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .every(Duration::from_nanos(100))
        .burst(burst)
        .strict()
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    (queue, clock)
}

#[test]
fn a_heavy_call_waits_for_its_permits_and_those_behind_wait_for_theirs() {
    let (queue, clock) = by_hand(10);
    assert!(!queue.enqueue_weighted(10).unwrap().is_waiting());
    let heavy = queue.enqueue_weighted(7).unwrap();
    let light = queue.enqueue().unwrap();
    clock.advance(699);
    assert_eq!(queue.advance().released, 0);
    clock.advance(1);
    assert_eq!(queue.advance().released, 1);
    assert!(!heavy.is_waiting() && light.is_waiting());
    clock.advance(100);
    assert_eq!(queue.advance().released, 1);
    assert!(!light.is_waiting());
}

#[test]
fn what_an_answer_says_it_cost_is_charged_or_refunded_to_those_behind() {
    let (queue, clock) = by_hand(10);
    queue.enqueue_weighted(10).unwrap().wait().unwrap();
    queue.charge(5).unwrap();
    let next = queue.enqueue().unwrap();
    clock.advance(500);
    assert_eq!(queue.advance().released, 0);
    queue.refund(2);
    assert_eq!(queue.advance().released, 1);
    assert!(!next.is_waiting());
}

#[test]
fn a_weight_that_can_not_be_is_counted_as_refused_and_takes_no_place() {
    let (queue, _) = by_hand(10);
    for weight in [0, 11] {
        let refused = queue.enqueue_weighted(weight).unwrap_err();
        assert_eq!(refused, EnqueueError::Weight { weight, max: 10 });
    }
    assert_eq!(queue.stats().refused, 2);
    assert!(queue.is_empty());
}

#[test]
fn heavy_calls_on_threads_pass_in_order_and_no_faster_than_their_permits() {
    let queue = ApiQueue::builder()
        .rate(Rate::per_second(20_000).unwrap().burst(8).unwrap())
        .start()
        .unwrap();
    let start = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    queue.enqueue_weighted(8).unwrap().wait().unwrap();
                }
            });
        }
    });
    // 40 calls of 8 permits, 50 µs each, of which a burst and the slack are free.
    assert!(start.elapsed() >= Duration::from_micros(39 * 8 * 50 - 5));
    assert_eq!(queue.stats().released, 40);
}
