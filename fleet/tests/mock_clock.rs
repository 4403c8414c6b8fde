//! Queues of a fleet's limit on a clock that the test moves: no thread, no real time, every release to the microsecond.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{ApiQueue, Builder, Next, Rate, Stop, TryAcquireError, Turn, Waiter};
use apiqueue_fleet::{FleetLimit, InProcess};

const MS: u64 = 1_000_000;
/// What the clock reads at the begin.
const BEGINS: u64 = 10 * MS;

struct World {
    clock: Arc<ManualClock<u64>>,
    backend: InProcess,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::<u64>::new(BEGINS));
        let backend = InProcess::with_clock(Arc::clone(&clock));
        Self { clock, backend }
    }

    fn limit(&self) -> FleetLimit {
        self.backend.limit("limit")
    }

    /// One each 10 ms.
    fn start(&self, limit: &FleetLimit) -> ApiQueue {
        self.started(limit, ApiQueue::builder().per_second(100))
    }

    fn started(&self, limit: &FleetLimit, builder: Builder) -> ApiQueue {
        let builder = builder.shared(limit.clone());
        builder
            .catch_up(Duration::from_millis(10))
            .clock(Arc::clone(&self.clock))
            .manual()
            .start()
            .unwrap()
    }

    fn started_every(&self, nanos: u64) -> ApiQueue {
        let rate = Rate::every(Duration::from_nanos(nanos)).unwrap();
        self.started(&self.limit(), ApiQueue::builder().rate(rate))
    }

    /// When, in milliseconds from now, how many were released, until `end`, looking each half of one.
    fn releases(&self, queues: &[&ApiQueue], end: u64) -> Vec<(f64, usize)> {
        let begun = self.clock.now();
        let mut released = Vec::new();
        loop {
            let now = self.clock.now() - begun;
            let count: usize = queues.iter().map(|queue| queue.advance().released).sum();
            if count > 0 {
                released.push((now as f64 / MS as f64, count));
            }
            if now >= end * MS {
                return released;
            }
            self.clock.advance(MS / 2);
        }
    }
}

fn line(queue: &ApiQueue, count: usize) -> Vec<Waiter> {
    (0..count).map(|_| queue.enqueue().unwrap()).collect()
}

/// What is still to do for a queue that has ended.
fn leaves(queue: &ApiQueue) -> bool {
    (0..10).any(|_| queue.advance().next == Next::Closed)
}

#[test]
fn it_paces_exactly() {
    let world = World::new();
    let limit = world.limit();
    let queue = world.start(&limit);
    assert_eq!(queue.advance().next, Next::OnEnqueue, "nobody waits");
    assert_eq!(limit.stats().backend_calls, 0);
    let _line = line(&queue, 5);
    assert_eq!(
        world.releases(&[&queue], 60),
        [(0.0, 1), (10.0, 1), (20.0, 1), (30.0, 1), (40.0, 1)]
    );
    assert_eq!(queue.stats().released, 5);
    assert_eq!(limit.stats().slots_used, 5);
}

#[test]
fn two_queues_share_the_slots_whichever_is_driven() {
    let world = World::new();
    let limit = world.limit();
    let hosts = [world.start(&limit), world.start(&limit)];
    let _lines = hosts.each_ref().map(|host| line(host, 4));
    let releases = world.releases(&[&hosts[0], &hosts[1]], 100);
    assert_eq!(
        releases,
        (0..8).map(|n| (10.0 * f64::from(n), 1)).collect::<Vec<_>>()
    );
    let stats = limit.stats();
    assert_eq!((stats.queues, stats.hosts, stats.slots_used), (2, 2, 8));
}

#[test]
fn what_is_missed_is_made_up_for_as_long_as_it_may_be_and_no_longer() {
    let world = World::new();
    let queue = world.start(&world.limit());
    let _line = line(&queue, 20);
    assert_eq!(queue.advance().released, 1);
    // Slots at 10 to 100 ms, of which those from 90 ms on are not too old.
    world.clock.advance(100 * MS);
    assert_eq!(queue.advance().released, 2);
}

#[test]
fn slots_are_given_back_when_it_is_stopped_and_another_gets_them() {
    let world = World::new();
    let limit = world.limit();
    let queue = world.start(&limit);
    let mut line = line(&queue, 10);
    assert_eq!(queue.advance().released, 1);
    let held = limit.stats().slots_held;
    assert!(held > 0);
    assert_eq!(queue.stop(Stop::Now).abandoned, 9);
    assert!(line.pop().unwrap().try_wait().is_err());
    assert!(leaves(&queue));
    let stats = limit.stats();
    assert_eq!((stats.slots_held, stats.slots_given_back), (0, held));
    let other = world.start(&limit);
    let _line = [other.enqueue().unwrap()];
    assert_eq!(world.releases(&[&other], 20), [(10.0, 1)], "the next slot");
}

#[test]
fn a_drain_goes_on_at_the_rate_and_ends() {
    let world = World::new();
    let limit = world.limit();
    let queue = world.start(&limit);
    let line = line(&queue, 4);
    let timeout = Duration::from_secs(3600);
    let mut stop = pin!(queue.stop_async(Stop::Drain { timeout }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(stop.as_mut().poll(&mut context).is_pending());
    assert!(queue.enqueue().is_err());
    assert_eq!(
        world.releases(&[&queue], 30),
        [(0.0, 1), (10.0, 1), (20.0, 1), (30.0, 1)]
    );
    let Poll::Ready(report) = stop.as_mut().poll(&mut context) else {
        unreachable!("all are released")
    };
    assert_eq!((report.released, report.abandoned), (4, 0));
    assert!(line.into_iter().all(|waiter| waiter.wait().is_ok()));
    assert!(leaves(&queue));
    assert_eq!(limit.stats().slots_held, 0);
}

#[test]
fn a_hold_by_one_holds_all_and_so_does_its_end() {
    let world = World::new();
    let limit = world.limit();
    let (one, other) = (world.start(&limit), world.start(&limit));
    one.hold_for(Duration::from_millis(100)).unwrap();
    let _ = one.advance();
    let _lines = [line(&one, 1), line(&other, 1)];
    assert_eq!(
        world.releases(&[&one, &other], 130),
        [(100.0, 1), (110.0, 1)]
    );
    other.hold_for(Duration::from_secs(3600)).unwrap();
    let _ = other.advance();
    let _lines = [line(&one, 1), line(&other, 1)];
    assert_eq!(world.releases(&[&one, &other], 100), []);
    one.resume();
    assert_eq!(world.releases(&[&one], 20).len(), 1);
}

#[test]
fn a_new_rate_acts_from_the_last_slot_on() {
    let world = World::new();
    let queue = world.start(&world.limit());
    let _line = line(&queue, 4);
    assert_eq!(queue.advance().released, 1);
    let rate = Rate::every(Duration::from_millis(25)).unwrap();
    queue.set_rate(rate);
    assert_eq!(queue.rate(), rate);
    assert_eq!(
        world.releases(&[&queue], 80),
        [(25.0, 1), (50.0, 1), (75.0, 1)]
    );
}

#[test]
fn a_paused_queue_begins_when_it_is_told_to() {
    let world = World::new();
    let queue = world.started(&world.limit(), ApiQueue::builder().per_second(100).paused());
    let _line = line(&queue, 2);
    assert_eq!(world.releases(&[&queue], 50), []);
    queue.resume();
    assert_eq!(world.releases(&[&queue], 20), [(0.0, 1), (10.0, 1)]);
}

#[test]
fn a_permit_is_taken_without_waiting_where_a_slot_is_held_and_due() {
    let world = World::new();
    let limit = world.limit();
    let queue = world.start(&limit);
    let now = |queue: &ApiQueue| queue.try_acquire().map(drop);
    assert_eq!(now(&queue), Err(TryAcquireError::NotYet { at: None }));
    let mut line = line(&queue, 3);
    assert_eq!(queue.advance().released, 1);
    assert!(line.remove(0).wait().is_ok());
    assert_eq!(now(&queue), Err(TryAcquireError::Queued));
    line.clear();
    let _ = queue.advance();
    assert!(matches!(
        now(&queue),
        Err(TryAcquireError::NotYet { at: Some(_) })
    ));
    world.clock.advance(10 * MS);
    assert_eq!(now(&queue), Ok(()));
    assert_eq!(queue.stats().released, 2);
    assert_eq!(limit.stats().slots_used, 2);
}

#[test]
fn what_was_charged_uses_up_the_next_slots_of_this_host() {
    let world = World::new();
    let limit = world.limit();
    let (queue, other) = (world.start(&limit), world.start(&limit));
    let _line = line(&queue, 3);
    assert_eq!(queue.advance().released, 1);
    queue.charge(3).unwrap();
    queue.refund(1);
    assert_eq!(world.releases(&[&queue], 50), [(30.0, 1), (40.0, 1)]);
    // Where nobody waits, too: the others are to have that much less.
    queue.charge(2).unwrap();
    let _ = queue.advance();
    let _line = line(&other, 1);
    let after = world.releases(&[&queue, &other], 60);
    // A host that was busy asks for a few more than it needs.
    assert!(matches!(after[..], [(at, 1)] if at >= 20.0), "{after:?}");
    assert_eq!(limit.stats().slots_used, 8);
    queue.refund(usize::MAX);
    let why = queue.charge(usize::MAX).unwrap_err();
    assert!(why.max > 1_000_000 && why.permits == usize::MAX);
}

#[test]
fn of_turns_given_back_at_once_one_goes_to_the_next_in_line() {
    let world = World::new();
    let queue = world.start(&world.limit());
    let mut waiters = line(&queue, 10);
    assert_eq!(world.releases(&[&queue], 90).len(), 10);
    let turns: Vec<_> = waiters
        .drain(..)
        .map(|waiter| waiter.wait().unwrap())
        .collect();
    let _line = line(&queue, 20);
    turns.into_iter().for_each(Turn::give_back);
    assert_eq!(
        world.releases(&[&queue], 20),
        [(0.0, 1), (10.0, 1), (20.0, 1)]
    );
}

#[test]
fn of_turns_given_back_one_by_one_one_goes_to_the_next_in_line_at_each_slot() {
    let world = World::new();
    let queue = world.start(&world.limit());
    let mut waiters = line(&queue, 10);
    assert_eq!(world.releases(&[&queue], 90).len(), 10);
    let turns: Vec<_> = waiters
        .drain(..)
        .map(|waiter| waiter.wait().unwrap())
        .collect();
    let _line = line(&queue, 20);
    let mut released = 0;
    for turn in turns {
        turn.give_back();
        released += queue.advance().released;
    }
    assert_eq!(released, 1);
}

#[test]
fn a_turn_given_back_is_used_in_the_time_of_its_slot_or_not_at_all() {
    for (late, goes) in [(10, 1), (11, 0)] {
        let world = World::new();
        let queue = world.started_every(100 * MS);
        let mut waiters = line(&queue, 2);
        assert_eq!(queue.advance().released, 1);
        let turn = waiters.remove(0).wait().unwrap();
        world.clock.advance(late * MS);
        turn.give_back();
        assert_eq!(queue.advance().released, goes, "{late} ms late");
    }
}

#[test]
fn what_comes_back_in_a_hold_or_after_a_new_rate_goes_to_nobody() {
    type Change = fn(&ApiQueue);
    let changes: [(&str, Change, u64); 2] = [
        (
            "hold",
            |queue| queue.hold_for(Duration::from_secs(10)).unwrap(),
            10_000,
        ),
        (
            "rate",
            |queue| queue.set_rate(Rate::every(Duration::from_millis(20)).unwrap()),
            20,
        ),
    ];
    for (what, change, next) in changes {
        for is_told in [false, true] {
            for is_seen in [false, true] {
                let world = World::new();
                let queue = world.start(&world.limit());
                let mut waiters = line(&queue, 2);
                assert_eq!(queue.advance().released, 1);
                let first = waiters.remove(0);
                let given_back = if is_seen {
                    Err(first.wait().unwrap())
                } else {
                    Ok(first)
                };
                change(&queue);
                if is_told {
                    assert_eq!(queue.advance().released, 0);
                }
                match given_back {
                    Ok(waiter) => drop(waiter),
                    Err(turn) => turn.give_back(),
                }
                assert_eq!(
                    world.releases(&[&queue], next),
                    [(next as f64, 1)],
                    "{what}, {is_told}, {is_seen}"
                );
            }
        }
    }
}

/// Random callers who leave, give turns back at once or late, and hold.
#[test]
fn whatever_comes_back_no_slot_goes_to_more_than_two_and_nobody_goes_in_a_hold() {
    for seed in 0..20 {
        let world = World::new();
        let queue = world.start(&world.limit());
        let mut random: u64 = seed;
        let mut below = |n: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % n
        };
        let (mut waiters, mut turns, mut released) = (Vec::new(), Vec::new(), Vec::new());
        let mut held_until = 0;
        for _ in 0..2_000 {
            world.clock.advance(below(4) * MS);
            let now = world.clock.now();
            match below(100) {
                0..30 => waiters.push(queue.enqueue().unwrap()),
                30..40 if !waiters.is_empty() => {
                    drop(waiters.swap_remove(below(waiters.len() as u64) as usize));
                }
                40..60 if !turns.is_empty() => {
                    let turn: Turn = turns.swap_remove(below(turns.len() as u64) as usize);
                    turn.give_back();
                }
                80 => {
                    held_until = now + below(100) * MS;
                    queue
                        .hold_for(Duration::from_nanos(held_until - now))
                        .unwrap();
                }
                81 => {
                    held_until = 0;
                    queue.resume();
                }
                _ => {}
            }
            let count = queue.advance().released;
            assert!(count == 0 || now >= held_until, "in a hold, seed {seed}");
            released.extend((0..count).map(|_| now));
            let (seen, unseen): (Vec<_>, _) = waiters
                .drain(..)
                .partition(|waiter: &Waiter| !waiter.is_waiting() && below(3) > 0);
            waiters = unseen;
            turns.extend(seen.into_iter().map(|one| one.wait().unwrap()));
        }
        for (n, from) in released.iter().enumerate() {
            for (count, to) in (1..=30).zip(&released[n..]) {
                let slots = 1 + (to - from + 10 * MS) / (10 * MS);
                assert!(
                    count <= 2 * slots,
                    "{count} in {} ns, seed {seed}",
                    to - from
                );
            }
        }
    }
}

#[test]
fn no_more_calls_are_under_way_than_may_be_at_once() {
    let world = World::new();
    let limit = world.limit();
    let queue = world.started(&limit, ApiQueue::builder().per_second(100).at_once(2));
    let mut line = line(&queue, 4);
    assert_eq!(world.releases(&[&queue], 50), [(0.0, 1), (10.0, 1)]);
    assert_eq!(queue.under_way(), 2);
    let turn = line.remove(0).wait().unwrap();
    assert_eq!(world.releases(&[&queue], 50), []);
    drop(turn);
    assert_eq!(world.releases(&[&queue], 50), [(0.0, 1)]);
    assert_eq!(queue.under_way(), 2);
    line.remove(0).wait().unwrap().ok();
    assert_eq!(world.releases(&[&queue], 50).len(), 1);
    drop(line);
    assert!(!queue.is_closed() && queue.under_way() == 0);
    let stats = limit.stats();
    assert_eq!(stats.slots_used, 4);
    queue.stop(Stop::Now);
    assert!(leaves(&queue));
    assert_eq!(limit.stats().slots_held, 0);
}

#[test]
fn a_clock_may_wrap() {
    let world = World::new();
    world.clock.set(u64::MAX - 15 * MS);
    let limit = InProcess::new().limit("limit");
    let queue = world.start(&limit);
    let _line = line(&queue, 3);
    for _ in 0..3 {
        assert_eq!(queue.advance().released, 1);
        world.clock.advance(10 * MS);
    }
}
