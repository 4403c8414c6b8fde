//! The queue against the model, over random operations and clocks.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use apiqueue_core::{Clock, ManualClock, Next, Queue};
use apiqueue_tests::model::Pace;
use apiqueue_tests::ops::{Op, RateOf, Sequence, Start, Ticks, run};
use apiqueue_tests::width::Width;
use apiqueue_tests::window::Releases;
use arbitrary::{Arbitrary, Unstructured};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn op() -> impl Strategy<Value = Op> {
    any::<[u8; 8]>().prop_map(|bytes| Op::arbitrary(&mut Unstructured::new(&bytes)).unwrap())
}

fn sequence(hostile: impl Strategy<Value = bool>) -> impl Strategy<Value = Sequence> {
    let rate = (any::<(u16, u8)>(), prop::option::of(any::<u16>()));
    let start = (0_u8..5, any::<u8>(), hostile, rate);
    (start, prop::collection::vec(op(), 0..120)).prop_map(|(start, ops)| {
        let (capacity, before_wrap, hostile, ((interval, shape), catch_up)) = start;
        let start = Start {
            capacity,
            before_wrap,
            hostile,
            catch_up: catch_up.map(Ticks),
            rate: RateOf { interval, shape },
        };
        Sequence { start, ops }
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_queue_over_32_bit_ticks_does_what_the_model_does(sequence in sequence(Just(false))) {
        run::<u32>(&sequence).map_err(|d| TestCaseError::fail(d.to_string()))?;
    }

    #[test]
    fn a_queue_over_64_bit_ticks_does_what_the_model_does(sequence in sequence(Just(false))) {
        run::<u64>(&sequence).map_err(|d| TestCaseError::fail(d.to_string()))?;
    }

    #[test]
    fn a_clock_that_goes_backward_breaks_neither_order_nor_the_bound_in_32_bits(
        sequence in sequence(Just(true)),
    ) {
        run::<u32>(&sequence).map_err(|d| TestCaseError::fail(d.to_string()))?;
    }

    #[test]
    fn a_clock_that_goes_backward_breaks_neither_order_nor_the_bound_in_64_bits(
        sequence in sequence(Just(true)),
    ) {
        run::<u64>(&sequence).map_err(|d| TestCaseError::fail(d.to_string()))?;
    }

    #[test]
    fn no_window_holds_more_than_burst_plus_window_and_slack_over_interval(
        (interval, burst, strict, catch_up) in
            (1_u16..2_000, 1_u8..9, any::<bool>(), prop::option::of(0_u16..5_000)),
        steps in prop::collection::vec((0_u8..4, any::<u8>()), 1..200),
    ) {
        let pace = u32::fit(Pace {
            interval: interval.into(),
            burst: burst.into(),
            strict,
            catch_up: catch_up.map(i128::from),
            room: i128::MAX,
        });
        let released = late_driver(pace, &steps);
        for (first, &from) in released.iter().enumerate() {
            for (count, &to) in (1..).zip(&released[first..]) {
                let most = pace.burst + (to - from + pace.slack()) / pace.interval;
                prop_assert!(count <= most, "{count} releases in {from}..={to}, at most {most}");
            }
        }
        let mut checked = Releases::new(pace);
        released.iter().for_each(|&at| checked.push(at));
        prop_assert_eq!(checked.too_many(), None);
    }
}

/// When waiters were released, by a driver that comes late now and then, while others try to take permits.
fn late_driver(pace: Pace, steps: &[(u8, u8)]) -> Vec<i128> {
    let clock = ManualClock::<u32>::new(u32::MAX - 5_000);
    let mut queue: Queue<_, 16> = Queue::new(&clock, u32::rate(pace));
    if let Some(ticks) = pace.catch_up {
        queue = queue.catch_up(u32::at(ticks));
    }
    let mut released = Vec::new();
    let (mut now, mut waiters) = (0_i128, Vec::new());
    for &(kind, by) in steps {
        match kind {
            0 => waiters.extend(queue.enqueue()),
            1 if queue.try_acquire().is_ok() => released.push(now),
            2 if !waiters.is_empty() => drop(waiters.swap_remove(usize::from(by) % waiters.len())),
            _ => {
                waiters.extend(queue.enqueue());
                let advance = queue.advance();
                released.extend(core::iter::repeat_n(now, advance.released));
                waiters.retain(|waiter| waiter.is_waiting());
                if let Next::At(at) = advance.next {
                    let late = u32::try_from(pace.interval * i128::from(by) / 100).unwrap();
                    let wait = at.wrapping_sub(queue.clock().now()).wrapping_add(late);
                    now += i128::from(wait);
                    clock.advance(wait);
                }
            }
        }
    }
    released
}
