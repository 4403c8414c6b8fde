//! Rates for a window, none at all, queues that start paused, and waits that would be too long. On the mock clock.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{
    ApiQueue, Builder, EnqueueError, Rate, RateError, RefusedError, StartError, TryAcquireError,
    WaitedFor, Waiter,
};

const MS: u64 = 1_000_000;

fn by_hand(builder: Builder) -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let builder = builder.clock(Arc::clone(&clock)).manual();
    (builder.start().unwrap(), clock)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn released(line: &[Waiter]) -> usize {
    line.iter().filter(|waiter| !waiter.is_waiting()).count()
}

/// Whoever is in line goes as early as it can, by a driver that is late as it likes: 60 windows long.
#[test]
fn no_window_holds_more_than_it_may() {
    let mut random = fastrand::Rng::with_seed(7);
    for (count, burst, period) in [
        (1, 1, 50 * MS),
        (2, 2, 50 * MS),
        (10, 1, 100 * MS),
        (10, 5, 100 * MS),
        (10, 10, 100 * MS),
        (100, 30, 1_000 * MS),
    ] {
        let rate = Rate::at_most(count, Duration::from_nanos(period)).unwrap();
        let rate = rate.burst(burst).unwrap();
        let other = Rate::unlimited();
        let builders = [
            ApiQueue::builder().rate(rate),
            ApiQueue::builder().rate(rate).catch_up(ms(40)),
            ApiQueue::builder().rate(rate).strict(),
            ApiQueue::builder().limit(rate).limit(other),
            ApiQueue::builder().rate(rate).at_once(1_000),
        ];
        for builder in builders {
            let (queue, clock) = by_hand(builder.capacity(1 << 15));
            let mut line = std::collections::VecDeque::new();
            let mut times = Vec::new();
            while clock.now() < 60 * period {
                while line.len() < 2 * count as usize {
                    line.push_back(queue.enqueue().unwrap());
                }
                let _ = queue.advance();
                while line.front().is_some_and(|first| !first.is_waiting()) {
                    line.pop_front();
                    times.push(clock.now());
                }
                let late = if random.bool() { 1 } else { 12 * MS };
                clock.advance(random.u64(1..=late.min(period / 3)));
            }
            let n = count as usize;
            let shortest = times.windows(n + 1).map(|many| many[n] - many[0]).min();
            assert!(
                shortest.unwrap() > period,
                "{count} in {period}, burst {burst}: {shortest:?}"
            );
            let due = 60 * period / u64::try_from(queue.rate().interval().as_nanos()).unwrap();
            assert!(times.len() as u64 > due / 2, "{} of {due}", times.len());
        }
    }
}

#[test]
fn a_rate_for_a_window_that_is_set_later_keeps_to_it_too() {
    let (queue, clock) = by_hand(ApiQueue::builder().per_second(10).catch_up(ms(80)));
    queue.wait_turn().unwrap();
    queue.set_rate(Rate::at_most(4, ms(100)).unwrap());
    // ⌊(100 + 80) / interval⌋ must not be above 3.
    assert!(queue.rate().interval() > ms(45));
    let line: Vec<_> = (0..5).map(|_| queue.enqueue().unwrap()).collect();
    clock.advance(100 * MS);
    let _ = queue.advance();
    assert!(released(&line) <= 4);
}

#[test]
fn what_no_window_can_be_is_refused() {
    let why = Rate::at_most(0, ms(10)).unwrap_err();
    assert!(matches!(why, RateError::Window { count: 0, .. }), "{why}");
    assert!(Rate::at_most(1, Duration::ZERO).is_err());
    assert!(Rate::at_most(1, Duration::MAX).is_err());
    let rate = Rate::at_most(3, ms(10)).unwrap();
    assert!(rate.burst(0).is_err() && rate.burst(4).is_err() && rate.burst(3).is_ok());
    assert!(rate.strict().burst(2).unwrap().is_strict());
    let why = ApiQueue::builder().rate(rate).burst(4).start().unwrap_err();
    assert!(matches!(
        why,
        StartError::Rate(RateError::Burst { burst: 4, max: 3 })
    ));
}

#[test]
fn without_a_limit_everybody_goes_at_once_until_there_is_one() {
    let (queue, clock) = by_hand(ApiQueue::builder().rate(Rate::unlimited()));
    for _ in 0..100_000 {
        queue.wait_turn().unwrap();
    }
    queue.hold_for(ms(5)).unwrap();
    let mut held = queue.enqueue().unwrap();
    clock.advance(4 * MS);
    assert_eq!(queue.advance().released, 0);
    clock.advance(MS);
    assert_eq!(queue.advance().released, 1);
    assert_eq!(
        held.try_wait().unwrap().unwrap().waited_for(),
        WaitedFor::Hold
    );
    queue.set_rate(Rate::per_second(10).unwrap());
    clock.advance(100 * MS);
    queue.wait_turn().unwrap();
    assert!(queue.try_acquire().is_err());
}

#[test]
fn a_queue_that_starts_paused_keeps_its_burst() {
    let rate = Rate::every(ms(10)).unwrap().burst(4).unwrap();
    let builders = [
        ApiQueue::builder().rate(rate),
        ApiQueue::builder().limit(rate).limit(Rate::unlimited()),
        ApiQueue::builder().rate(rate).at_once(100),
    ];
    for builder in builders {
        let (queue, clock) = by_hand(builder.paused());
        let line: Vec<_> = (0..6).map(|_| queue.enqueue().unwrap()).collect();
        clock.advance(10_000 * MS);
        assert_eq!(queue.advance().released, 0);
        assert!(queue.try_acquire().is_err());
        queue.resume();
        clock.advance(1); // what is put back is a tick short
        let _ = queue.advance();
        assert_eq!(released(&line), 4);
        clock.advance(10 * MS);
        let _ = queue.advance();
        assert_eq!(released(&line), 5);
        queue.resume();
        let _ = queue.advance();
        assert_eq!(released(&line), 5, "it was paused once");
    }
    let (queue, clock) = by_hand(ApiQueue::builder().rate(rate).paused());
    clock.advance(1 << 57); // longer than a hold can be
    queue.charge(3).unwrap();
    let _first = queue.enqueue_within(Duration::ZERO).unwrap();
    assert_eq!(queue.advance().released, 0);
    queue.resume();
    assert_eq!(queue.advance().released, 1, "one of four is left");
    assert!(queue.try_acquire().is_err());
    clock.advance(10 * MS);
    queue.try_acquire().unwrap().give_back();
    clock.advance(1); // likewise
    queue.try_acquire().unwrap();
    assert!(queue.try_acquire().is_err());
    let queue = ApiQueue::builder().granted().paused().start().unwrap();
    let mut waiter = queue.enqueue().unwrap();
    assert_eq!(queue.grant(1), 0);
    queue.resume();
    assert_eq!(queue.grant(1), 1);
    assert!(waiter.try_wait().unwrap().is_some());
}

#[test]
fn who_would_wait_too_long_is_told_at_once_how_long() {
    let rate = Rate::every(ms(10)).unwrap();
    let builders = [
        ApiQueue::builder().rate(rate),
        ApiQueue::builder().limit(rate).limit(Rate::unlimited()),
    ];
    for builder in builders {
        let (queue, clock) = by_hand(builder);
        let mut first = queue.enqueue_within(Duration::ZERO).unwrap();
        let _ = queue.advance();
        assert!(first.try_wait().unwrap().is_some());
        let second = queue.enqueue_within(ms(10)).unwrap();
        let Err(RefusedError::TooLate { wait, longest }) = queue.enqueue_within(ms(15)) else {
            panic!("20 ms are more than 15");
        };
        assert_eq!(longest, ms(15));
        assert!(wait > ms(19) && wait <= ms(20), "{wait:?}");
        let third = queue.enqueue_within(ms(20)).unwrap();
        let stats = queue.stats();
        assert_eq!((stats.refused, stats.cancelled), (1, 0));
        clock.advance(20 * MS);
        let _ = queue.advance();
        clock.advance(10 * MS);
        let _ = queue.advance();
        assert!(!second.is_waiting() && !third.is_waiting());
        assert_eq!(queue.stats().released, 3);
    }
    let queue = ApiQueue::builder().granted().capacity(1).start().unwrap();
    let _unknown = queue.enqueue_within(Duration::ZERO).unwrap();
    assert_eq!(
        queue.enqueue_within(ms(1)).unwrap_err(),
        RefusedError::Enqueue(EnqueueError::Full { capacity: 1 })
    );
}

#[test]
fn a_caller_of_some_weight_waits_for_room_like_any_other() {
    let rate = Rate::every(ms(10)).unwrap().burst(3).unwrap();
    let (queue, clock) = by_hand(ApiQueue::builder().rate(rate).capacity(1));
    for _ in 0..3 {
        queue.wait_turn().unwrap();
    }
    let mut cx = Context::from_waker(Waker::noop());
    let mut light = pin!(queue.turn());
    let mut heavy = pin!(queue.turn_weighted(3));
    let mut last = pin!(queue.turn());
    assert!(light.as_mut().poll(&mut cx).is_pending());
    assert!(heavy.as_mut().poll(&mut cx).is_pending());
    assert!(last.as_mut().poll(&mut cx).is_pending());
    let mut at = [0; 3];
    for now in 1..=50 {
        clock.advance(MS);
        let _ = queue.advance();
        let polls = [
            at[0] == 0 && light.as_mut().poll(&mut cx).is_ready(),
            at[1] == 0 && matches!(heavy.as_mut().poll(&mut cx), Poll::Ready(Ok(_))),
            at[2] == 0 && last.as_mut().poll(&mut cx).is_ready(),
        ];
        for (at, ready) in at.iter_mut().zip(polls) {
            if ready {
                *at = now;
            }
        }
    }
    assert_eq!(at, [10, 40, 50]);
    let why = queue.wait_turn_weighted(4).unwrap_err();
    assert_eq!(why, EnqueueError::Weight { weight: 4, max: 3 });
}

#[test]
fn a_turn_tells_what_it_has_waited_for() {
    let (queue, clock) = by_hand(ApiQueue::builder().rate(Rate::every(ms(10)).unwrap()));
    let turn = queue.wait_turn().unwrap();
    assert_eq!(
        (turn.waited(), turn.waited_for()),
        (Duration::ZERO, WaitedFor::Nothing)
    );
    let (mut first, mut second) = (queue.enqueue().unwrap(), queue.enqueue().unwrap());
    for _ in 0..2 {
        clock.advance(10 * MS);
        let _ = queue.advance();
    }
    let first = first.try_wait().unwrap().unwrap();
    let second = second.try_wait().unwrap().unwrap();
    assert_eq!(first.waited_for(), WaitedFor::Rate);
    assert_eq!(
        (second.waited(), second.waited_for()),
        (ms(20), WaitedFor::Others)
    );
    clock.advance(3 * MS);
    assert_eq!(second.age(), ms(3));
    assert_eq!(turn.age(), ms(23));
    let mut third = queue.enqueue().unwrap();
    first.throttled(Some(ms(40)));
    clock.advance(39 * MS);
    assert_eq!(queue.advance().released, 0);
    clock.advance(MS);
    assert_eq!(queue.advance().released, 1);
    assert_eq!(
        third.try_wait().unwrap().unwrap().waited_for(),
        WaitedFor::Hold
    );
    // No turn twice.
    assert!(third.try_wait().is_err() && !third.is_waiting());
    // What nobody can say does nothing.
    second.throttled(None);
    turn.ok();
    assert!(matches!(
        queue.try_acquire(),
        Err(TryAcquireError::NotYet { .. })
    ));
    // Longer than a queue can be held: so long.
    clock.advance(10 * MS);
    queue.try_acquire().unwrap().throttled(Some(Duration::MAX));
    clock.advance(1_000_000 * MS);
    assert!(queue.try_acquire().is_err());
}
