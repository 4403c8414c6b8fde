//! What `stats` tells, on a clock that the test moves: exact numbers.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Stats, Stop};

const MS: u64 = 1_000_000;

fn queue() -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(5));
    let queue = ApiQueue::builder()
        .every(Duration::from_millis(10))
        .capacity(4)
        .name("ec2")
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    (queue, clock)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_new_queue_has_nothing_to_tell() {
    let Stats {
        depth,
        released,
        cancelled,
        refused,
        since_last_release,
        intervals,
        waits,
        ..
    } = queue().0.stats();
    assert_eq!((depth, released, cancelled, refused), (0, 0, 0, 0));
    assert_eq!((since_last_release, intervals, waits), (None, None, None));
}

#[test]
fn everybody_counts_once_and_in_one_place() {
    let (queue, clock) = queue();
    let passed = queue.enqueue().unwrap();
    let waited = queue.enqueue().unwrap();
    let left = queue.enqueue().unwrap();
    let forgotten = queue.enqueue().unwrap();
    let in_line = queue.enqueue().unwrap();
    assert!(queue.enqueue().is_err());
    drop(left);
    clock.advance(10 * MS);
    assert_eq!(queue.advance().released, 1);
    assert!(!waited.is_waiting());
    std::mem::forget(forgotten);
    clock.advance(10 * MS);
    assert_eq!(queue.advance().released, 1);
    let stats = queue.stats();
    assert_eq!(
        (stats.depth, stats.released, stats.cancelled, stats.refused),
        (1, 3, 1, 1)
    );
    queue.stop(Stop::Now);
    assert!(queue.enqueue().is_err());
    drop((passed, in_line));
    let stats = queue.stats();
    assert_eq!((stats.released, stats.cancelled, stats.refused), (3, 1, 2));
}

#[test]
fn a_permit_that_came_back_was_no_release() {
    let (queue, _clock) = queue();
    drop(queue.enqueue().unwrap()); // released at once, and nobody looked
    assert!(queue.enqueue().unwrap().is_waiting(), "less one tick");
    let stats = queue.stats();
    assert_eq!((stats.released, stats.cancelled), (0, 2));
}

#[test]
fn intervals_are_those_of_releases_that_somebody_waited_for() {
    let (queue, clock) = queue();
    queue.enqueue().unwrap().wait().unwrap();
    clock.advance(3_600_000 * MS); // nobody comes for an hour
    queue.enqueue().unwrap().wait().unwrap();
    for late in [0, 0, 0, 0, 4] {
        let waiter = queue.enqueue().unwrap();
        clock.advance((10 + late) * MS);
        assert_eq!(queue.advance().released, 1);
        waiter.wait().unwrap();
    }
    let intervals = queue.stats().intervals.unwrap();
    assert_eq!(intervals.count, 5);
    assert_eq!(
        (intervals.mean, intervals.p50, intervals.p99),
        (Duration::from_micros(10_800), ms(10), ms(14))
    );
    // Four at 0.8 ms below the mean, one at 3.2 above: √(12.8 / 5).
    assert_eq!(intervals.deviation, ms(1) * 16 / 10);
}

#[test]
fn the_first_release_ends_no_interval() {
    let (queue, clock) = queue();
    queue.hold_for(ms(1)).unwrap();
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    clock.advance(MS);
    assert_eq!(queue.advance().released, 1);
    assert_eq!(queue.stats().intervals, None);
    clock.advance(10 * MS);
    assert_eq!(queue.advance().released, 1);
    assert_eq!(queue.stats().intervals.unwrap().count, 1);
    drop(line);
}

#[test]
fn waits_are_counted_from_the_place_to_the_look_at_the_release() {
    let (queue, clock) = queue();
    queue.enqueue().unwrap().wait().unwrap(); // at once
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    for waiter in line {
        clock.advance(10 * MS);
        assert_eq!(queue.advance().released, 1);
        assert!(!waiter.is_waiting());
        clock.advance(1);
        waiter.wait().unwrap(); // told before: not counted twice
    }
    let waits = queue.stats().waits.unwrap();
    assert_eq!(waits.count, 3);
    let near =
        |told: Duration, is: Duration| told.abs_diff(is).as_secs_f64() <= 0.032 * is.as_secs_f64();
    assert!(near(waits.p50, ms(10)), "{waits:?}");
    assert!(near(waits.p99, ms(20)), "{waits:?}");
    assert_eq!(waits.max, ms(20) + Duration::from_nanos(1));
}

#[test]
fn the_time_since_the_latest_release_goes_on() {
    let (queue, clock) = queue();
    assert!(queue.try_acquire().is_ok());
    clock.advance(7 * MS);
    assert_eq!(queue.stats().since_last_release, Some(ms(7)));
    assert_eq!(queue.stats().released, 1);
}

#[test]
fn stats_show_in_one_block() {
    let (queue, clock) = queue();
    queue.enqueue().unwrap().wait().unwrap();
    let line = [
        queue.enqueue().unwrap(),
        queue.enqueue().unwrap(),
        queue.enqueue().unwrap(),
    ];
    for _ in 0..2 {
        clock.advance(10 * MS);
        let _ = queue.advance();
    }
    assert!(!line[0].is_waiting());
    clock.advance(MS / 2);
    let shown = queue.stats().to_string();
    assert_eq!(
        shown,
        "ec2: one each 10ms\n  \
           in line    1 of 4\n  \
           released   3, the last one 500.0µs ago\n  \
           cancelled  0\n  \
           refused    0\n  \
           interval   mean 10.000ms ± 0.000ns, p50 10.000ms, p99 10.000ms (last 2)\n  \
           wait       p50 0.000ns, p99 20.000ms, max 20.000ms"
    );
}

/// A queue of one each 100 ms that tells waits from 200 ms on.
fn impatient() -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(5));
    let builder = ApiQueue::builder().every(ms(100)).long_wait(ms(200));
    let builder = builder.clock(Arc::clone(&clock)).manual();
    (builder.start().unwrap(), clock)
}

#[test]
fn a_long_wait_tells_who_was_ahead_the_rate_and_how_long_the_queue_was_held() {
    let (queue, clock) = impatient();
    queue.wait_turn().unwrap();
    let line = [(); 4].map(|()| queue.enqueue().unwrap());
    queue.hold_for(ms(50)).unwrap();
    let mut turns = Vec::new();
    for waiter in line {
        clock.advance(100 * MS);
        assert_eq!(queue.advance().released, 1);
        turns.push(waiter.wait().unwrap());
        queue.hold_for(ms(20)).unwrap();
    }
    // One that is held meanwhile for 50 ms, and 20 after each release.
    let told = |turn: &apiqueue::Turn| (turn.waited(), turn.waited_behind(), turn.held());
    let told: Vec<_> = turns.iter().map(told).collect();
    assert_eq!(
        told,
        [
            (ms(100), 0, ms(50)),
            (ms(200), 1, ms(70)),
            (ms(300), 2, ms(90)),
            (ms(400), 3, ms(110)),
        ]
    );
    let stats = queue.stats();
    let latest = stats.latest_long_wait.unwrap();
    assert_eq!(stats.long_waits, 3, "100 ms is not long");
    assert_eq!(
        (latest.waited, latest.ahead, latest.held, latest.rate),
        (ms(400), 3, ms(110), queue.rate())
    );
    let shown = "400.0ms behind 3 others, at 10/s, of it 110.0ms held";
    assert_eq!(latest.to_string(), shown);
    let block = stats.to_string();
    assert!(block.ends_with(&format!("long waits 3, the latest {shown}")));
}

#[test]
fn a_long_wait_that_nobody_held_says_so_and_one_who_left_had_none() {
    let (queue, clock) = impatient();
    queue.wait_turn().unwrap();
    let (waits, leaves) = (queue.enqueue().unwrap(), queue.enqueue().unwrap());
    // Over before it came, and after it went.
    queue.hold_for(ms(1)).unwrap();
    queue.resume();
    clock.advance(250 * MS);
    drop(leaves);
    assert_eq!(queue.advance().released, 1);
    assert!(!waits.is_waiting());
    clock.advance(250 * MS);
    queue.hold_for(ms(10)).unwrap();
    let turn = waits.wait().unwrap();
    assert_eq!((turn.waited(), turn.held()), (ms(250), ms(0)));
    let stats = queue.stats();
    assert_eq!(stats.long_waits, 1, "told once, and who left was not told");
    assert_eq!(
        stats.latest_long_wait.unwrap().to_string(),
        "250.0ms, at 10/s"
    );
    // Who passes waits for nothing.
    clock.advance(500 * MS);
    let turn = queue.wait_turn().unwrap();
    assert_eq!((turn.waited_behind(), turn.held()), (0, ms(0)));
}

#[test]
fn the_time_before_a_paused_queue_is_resumed_is_a_hold() {
    let clock = Arc::new(ManualClock::<u64>::new(5));
    let builder = ApiQueue::builder().every(ms(100)).paused();
    let builder = builder.long_wait(ms(1)).clock(Arc::clone(&clock)).manual();
    let queue = builder.start().unwrap();
    let waiter = queue.enqueue().unwrap();
    clock.advance(300 * MS);
    queue.resume();
    clock.advance(5 * MS);
    let _ = queue.advance();
    assert_eq!(waiter.wait().unwrap().held(), ms(300));
    assert_eq!(queue.stats().latest_long_wait.unwrap().waited, ms(305));
}

#[test]
fn a_queue_may_tell_no_wait_or_every_one() {
    for (from, told) in [(Duration::MAX, 0), (Duration::ZERO, 1)] {
        let clock = Arc::new(ManualClock::<u64>::new(5));
        let builder = ApiQueue::builder().every(ms(1)).long_wait(from);
        let queue = builder.clock(Arc::clone(&clock)).manual().start().unwrap();
        queue.wait_turn().unwrap();
        let waiter = queue.enqueue().unwrap();
        clock.advance(60_000 * MS);
        let _ = queue.advance();
        waiter.wait().unwrap();
        assert_eq!(queue.stats().long_waits, told);
    }
}
