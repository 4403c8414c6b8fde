//! What becomes of a queue that follows: no more go than remain, and no call becomes too heavy.

use std::sync::Arc;

use apiqueue_core::ManualClock;
use proptest::prelude::*;

use super::*;
use crate::account::Account;
use crate::queue::{ApiQueue, Builder};

const MILLI: u64 = 1_000_000;

fn rate(interval: u64, burst: u32) -> Rate {
    let rate = Rate::every(Duration::from_millis(interval)).unwrap();
    rate.burst(burst).unwrap()
}

fn left(remaining: u64, reset: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-ratelimit-remaining", remaining.into());
    headers.insert("x-ratelimit-reset", reset.into());
    headers
}

/// How many of callers that come without end go within so many milliseconds.
fn goes(queue: &ApiQueue, clock: &ManualClock<u64>, millis: u64) -> u64 {
    let calls = (0..millis).map(|_| {
        let free = std::iter::from_fn(|| queue.try_acquire().ok());
        let count = free.map(drop).count();
        clock.advance(MILLI);
        u64::try_from(count).unwrap()
    });
    calls.sum()
}

/// An account that is driven by hand, of so many a second that it keeps nobody back.
fn account(clock: &Arc<ManualClock<u64>>) -> Account {
    let builder = Account::builder().limit(rate(1, 100));
    builder.clock(Arc::clone(clock)).manual().start().unwrap()
}

fn start(builder: Builder, clock: &Arc<ManualClock<u64>>) -> ApiQueue {
    let builder = builder.clock(Arc::clone(clock)).manual();
    builder.start().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_more_go_until_the_reset_than_remain(
        interval in 1u64..300,
        burst in prop_oneof![Just(1u32), 1u32..60],
        catch_up in 0u64..200,
        pause in 0u64..5_000,
        before in 0u64..500,
        remaining in prop_oneof![1u64..10, 1u64..2_000],
        reset in 1u64..8,
        kind in 0..3,
    ) {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let fastest = rate(interval, burst);
        let builder = ApiQueue::builder().rate(fastest).catch_up(Duration::from_millis(catch_up));
        let account = account(&clock);
        let queue = match kind {
            0 => start(builder, &clock),
            1 => start(builder.limit(rate(1, 100)), &clock),
            _ => ApiQueue::builder().rate(fastest).within(&account).start().unwrap(),
        };
        goes(&queue, &clock, before);
        clock.advance(pause * MILLI);
        let follow = Follow::new(rate(100_000, 1), fastest, Throttled::default()).unwrap();
        let advice = follow.advice_of(StatusCode::OK, &left(remaining, reset));
        advice.apply(&queue);
        prop_assert!(queue.enqueue_weighted(usize::try_from(burst).unwrap()).is_ok());
        let gone = goes(&queue, &clock, reset * 1_000);
        prop_assert!(gone <= remaining, "{} of {}", gone, remaining);
    }
}

#[test]
fn a_weight_that_was_valid_stays_so() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let builder = || ApiQueue::builder().rate(rate(10, 50));
    for queue in [
        start(builder(), &clock),
        start(builder().limit(rate(1, 80)), &clock),
        builder().within(&account(&clock)).start().unwrap(),
    ] {
        // The user's fastest says no burst.
        let follow = Follow::new(rate(10_000, 1), rate(10, 1), Throttled::default()).unwrap();
        for remaining in [0, 1, 5, 49, 1_000, 1_000_000] {
            follow
                .advice_of(StatusCode::OK, &left(remaining, 60))
                .apply(&queue);
            assert!(queue.enqueue_weighted(50).is_ok(), "{remaining}");
        }
        assert!(queue.enqueue_weighted(51).is_err());
    }
}

#[test]
fn what_remains_is_used_and_not_less() {
    let builder = || ApiQueue::builder().rate(rate(10, 20));
    let clock = Arc::new(ManualClock::<u64>::new(0));
    for queue in [
        start(builder(), &clock),
        start(builder().limit(rate(1, 80)), &clock),
        builder().within(&account(&clock)).start().unwrap(),
    ] {
        let follow = Follow::new(rate(10_000, 1), rate(10, 20), Throttled::default()).unwrap();
        for (remaining, seconds) in [(1, 4), (5, 4), (50, 5), (400, 4)] {
            follow
                .advice_of(StatusCode::OK, &left(remaining, seconds))
                .apply(&queue);
            let gone = goes(&queue, &clock, seconds * 1_000);
            assert!(
                gone == remaining || gone + 1 == remaining,
                "{gone} of {remaining}"
            );
        }
        // More than can be used: what has gathered stays.
        clock.advance(10_000 * MILLI);
        follow
            .advice_of(StatusCode::OK, &left(100_000, 5))
            .apply(&queue);
        assert_eq!(goes(&queue, &clock, 1), 20);
    }
}

#[test]
fn who_waits_in_line_is_not_told_of_a_hold() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = start(ApiQueue::builder().rate(rate(1_000, 20)), &clock);
    assert_eq!(goes(&queue, &clock, 1), 20);
    let mut waiter = queue.enqueue().unwrap();
    let follow = Follow::new(rate(10_000, 1), rate(1_000, 20), Throttled::default()).unwrap();
    follow.advice_of(StatusCode::OK, &left(5, 10)).apply(&queue);
    clock.advance(3_000 * MILLI);
    let _ = queue.advance();
    let turn = waiter.try_wait().unwrap().unwrap();
    assert_eq!(turn.waited_for(), crate::WaitedFor::Rate);
}

#[test]
fn a_queue_that_had_no_rate_goes_by_the_one_it_follows() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let follow = Follow::new(rate(60_000, 1), Rate::unlimited(), Throttled::default()).unwrap();
    for queue in [
        start(ApiQueue::builder().rate(Rate::unlimited()), &clock),
        start(ApiQueue::builder().at_once(1_000), &clock),
    ] {
        for (remaining, seconds) in [(5, 10), (1_000, 10), (1, 10)] {
            follow
                .advice_of(StatusCode::OK, &left(remaining, seconds))
                .apply(&queue);
            assert_eq!(goes(&queue, &clock, seconds * 1_000), remaining);
        }
    }
}
