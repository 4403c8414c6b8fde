//! The original's scenarios and the promises, one by one, on a clock that the test moves.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use apiqueue_core::{
    Clock, EnqueueError, HoldError, ManualClock, Next, Queue, Rate, Status, TryAcquireError, Waiter,
};
use apiqueue_tests::wakes::Wakes;

type Line<'c, const N: usize> = Queue<&'c ManualClock<u32>, N>;

fn every(interval: u32) -> Rate<u32> {
    Rate::<u32>::every(interval).unwrap()
}

fn enqueue<'q, 'c, const N: usize>(
    queue: &'q Line<'c, N>,
    count: usize,
) -> Vec<Waiter<&'q Line<'c, N>>> {
    (0..count).map(|_| queue.enqueue().unwrap()).collect()
}

/// Advances at each deadline until the queue has none before `end`; the reading of each release.
fn drive<const N: usize>(queue: &Line<'_, N>, end: u32) -> Vec<u32> {
    let mut released = Vec::new();
    loop {
        let advance = queue.advance();
        released.extend(core::iter::repeat_n(queue.clock().now(), advance.released));
        match advance.next {
            Next::At(at) if at <= end => queue.clock().set(at),
            _ => return released,
        }
    }
}

#[test]
fn ten_waiters_at_500_ms_take_four_and_a_half_seconds() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 16> = Queue::new(&clock, every(500));
    let waiters = enqueue(&queue, 10);
    let expected: Vec<u32> = (0..10).map(|n| n * 500).collect();
    assert_eq!(drive(&queue, u32::MAX), expected);
    assert!(waiters.iter().all(|w| w.status() == Status::Released));
}

#[test]
fn a_hundred_waiters_at_100_ms_take_nine_point_nine_seconds() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 128> = Queue::new(&clock, every(100));
    let _waiters = enqueue(&queue, 100);
    let expected: Vec<u32> = (0..100).map(|n| n * 100).collect();
    assert_eq!(drive(&queue, u32::MAX), expected);
}

#[test]
fn a_rate_reset_to_20_ms_after_a_second_shortens_the_whole_run() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 64> = Queue::new(&clock, every(500));
    let _waiters = enqueue(&queue, 50);
    assert_eq!(drive(&queue, 1_000), [0, 500, 1_000]);
    queue.set_rate(every(20));
    let rest = drive(&queue, u32::MAX);
    assert_eq!(rest.len(), 47);
    assert_eq!(
        (rest.first(), rest.last()),
        (Some(&1_020), Some(&(1_020 + 46 * 20)))
    );
}

#[test]
fn a_drained_queue_releases_those_in_line_at_the_rate_and_then_ends() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 64> = Queue::new(&clock, every(100));
    let waiters = enqueue(&queue, 40);
    queue.drain();
    assert_eq!(queue.enqueue().unwrap_err(), EnqueueError::Closed);
    assert_eq!(queue.try_acquire(), Err(TryAcquireError::Closed));
    assert_eq!(drive(&queue, u32::MAX).last(), Some(&3_900));
    assert!(waiters.iter().all(|w| w.status() == Status::Released));
    assert_eq!(queue.advance().next, Next::Closed);
}

#[test]
fn waiters_are_released_in_the_order_of_their_enqueue() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 8> = Queue::new(&clock, every(10));
    let wakes = Wakes::default();
    let waiters = enqueue(&queue, 8);
    for (name, waiter) in waiters.iter().enumerate() {
        assert!(waiter.poll_release(&wakes.waker(name)).is_pending());
        assert_eq!(waiter.position(), Some(name));
        assert_eq!(waiter.estimate(), Some(u32::try_from(name).unwrap() * 10));
    }
    drive(&queue, u32::MAX);
    assert_eq!(wakes.take(), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_late_driver_makes_no_burst() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 16> = Queue::new(&clock, every(100));
    let _waiters = enqueue(&queue, 16);
    assert_eq!(queue.advance().released, 1);
    clock.set(1_050);
    let advance = queue.advance();
    assert_eq!((advance.released, advance.next), (1, Next::At(1_150)));
}

#[test]
fn a_burst_gathers_and_never_more_than_itself() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 16> = Queue::new(&clock, every(100).burst(4).unwrap());
    let _waiters = enqueue(&queue, 16);
    assert_eq!(queue.advance().released, 4);
    clock.set(10_000);
    assert_eq!(queue.advance().released, 4);
}

#[test]
fn lateness_within_the_slack_costs_no_slot_and_strict_makes_up_none() {
    for (rate, next) in [(every(100), 200), (every(100).strict(), 209)] {
        let clock = ManualClock::<u32>::new(0);
        let queue: Line<'_, 4> = Queue::new(&clock, rate);
        let _waiters = enqueue(&queue, 3);
        assert_eq!(queue.advance().released, 1);
        clock.set(109);
        let advance = queue.advance();
        assert_eq!((advance.released, advance.next), (1, Next::At(next)));
    }
}

#[test]
fn a_cancelled_waiter_costs_nobody_a_turn_at_the_head_in_the_middle_or_at_the_tail() {
    for gone in [0, 2, 4] {
        let clock = ManualClock::<u32>::new(0);
        let queue: Line<'_, 8> = Queue::new(&clock, every(100));
        let mut waiters = enqueue(&queue, 5);
        drop(waiters.remove(gone));
        assert_eq!(drive(&queue, u32::MAX), [0, 100, 200, 300]);
        assert!(waiters.iter().all(|w| w.status() == Status::Released));
    }
}

#[test]
fn a_permit_whose_waiter_never_learned_of_it_goes_to_the_next_one() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 8> = Queue::new(&clock, every(100));
    let mut waiters = enqueue(&queue, 2);
    let wakes = Wakes::default();
    assert_eq!(queue.advance_with(&wakes.waker(0)).next, Next::At(100));
    drop(waiters.remove(0));
    assert_eq!(wakes.take(), [0], "the driver learns that one is due");
    assert_eq!(
        queue.advance().next,
        Next::At(1),
        "a permit comes back less one tick"
    );
    clock.set(1);
    assert_eq!(queue.advance().released, 1);

    let mut waiters = enqueue(&queue, 2);
    clock.set(101);
    assert_eq!(queue.advance().released, 1);
    assert!(!waiters[0].is_waiting());
    drop(waiters.remove(0)); // it was told, and may have made its call
    assert_eq!(queue.advance().released, 0);
}

#[test]
fn a_waker_is_called_once_and_only_the_latest_one() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 2> = Queue::new(&clock, every(100));
    let wakes = Wakes::default();
    let waiter = queue.enqueue().unwrap();
    assert!(waiter.poll_release(&wakes.waker(1)).is_pending());
    assert!(waiter.poll_release(&wakes.waker(2)).is_pending());
    drive(&queue, u32::MAX);
    queue.close();
    assert_eq!(wakes.take(), [2]);
    assert!(waiter.poll_release(&wakes.waker(3)).is_ready());
    drop(queue.enqueue());
    assert_eq!(wakes.take(), Vec::<usize>::new());
}

#[test]
fn a_forgotten_waiter_costs_its_own_turn_and_no_slot_of_the_ring() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 2> = Queue::new(&clock, every(100));
    for lap in 0..10 {
        core::mem::forget(queue.enqueue().unwrap());
        let waiter = queue.enqueue().unwrap();
        assert_eq!(drive(&queue, u32::MAX), [lap * 200, lap * 200 + 100]);
        assert_eq!(waiter.status(), Status::Released);
        clock.advance(100);
    }
}

#[test]
fn a_clock_that_falls_back_only_delays() {
    let clock = ManualClock::<u32>::new(1_000);
    let queue: Line<'_, 8> = Queue::new(&clock, every(100));
    let _waiters = enqueue(&queue, 4);
    assert_eq!(queue.advance().released, 1);
    clock.set(10);
    let advance = queue.advance();
    assert_eq!((advance.released, advance.next), (0, Next::At(1_100)));
    clock.set(1_100);
    assert_eq!(queue.advance().released, 1);
}

#[test]
fn a_32_bit_clock_wraps_without_a_gap() {
    let clock = ManualClock::<u32>::new(u32::MAX - 149);
    let queue: Line<'_, 8> = Queue::new(&clock, every(100));
    let _waiters = enqueue(&queue, 4);
    for expected in [u32::MAX - 49, 50, 150] {
        let advance = queue.advance();
        assert_eq!((advance.released, advance.next), (1, Next::At(expected)));
        clock.set(expected);
    }
}

#[test]
fn a_queue_idle_for_many_wraps_of_its_clock_releases_at_once() {
    let clock = ManualClock::<u32>::new(7);
    let queue: Line<'_, 8> = Queue::new(&clock, every(100));
    for visits in 0..70 {
        let waiter = queue.enqueue().unwrap();
        assert_eq!(queue.advance().released, 1, "after {visits} visits");
        drop(waiter);
        for _ in 0..visits {
            clock.advance(1 << 26);
            assert_eq!(queue.advance().next, Next::OnEnqueue);
        }
        clock.advance(200);
    }
}

#[test]
fn a_permit_given_back_late_does_not_stop_the_queue_after_the_wrap() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 8> = Queue::new(&clock, every(100));
    let waiter = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
    clock.set((1 << 26) - 1);
    assert_eq!(queue.advance().released, 0);
    drop(waiter); // never told
    for _ in 0..2 {
        clock.advance(1 << 26);
        assert_eq!(queue.advance().next, Next::OnEnqueue);
    }
    let _waiter = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
}

#[test]
fn close_wakes_everybody_and_nobody_passes_any_more() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 4> = Queue::new(&clock, every(100));
    let (wakes, driver) = (Wakes::default(), Wakes::default());
    let waiters = enqueue(&queue, 3);
    for (name, waiter) in waiters.iter().enumerate() {
        assert!(waiter.poll_release(&wakes.waker(name)).is_pending());
    }
    assert_eq!(queue.advance_with(&driver.waker(0)).released, 1);
    queue.close();
    assert_eq!(wakes.take(), [0, 1, 2]);
    assert_eq!(driver.take(), [0]);
    let states: Vec<Status> = waiters.iter().map(Waiter::status).collect();
    assert_eq!(states, [Status::Released, Status::Closed, Status::Closed]);
    assert_eq!(queue.enqueue().unwrap_err(), EnqueueError::Closed);
    assert_eq!(queue.try_acquire(), Err(TryAcquireError::Closed));
    clock.set(1_000);
    let advance = queue.advance();
    assert_eq!((advance.released, advance.next), (0, Next::Closed));
}

#[test]
fn a_rate_change_acts_on_those_already_queued_in_both_directions() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 4> = Queue::new(&clock, every(100));
    let _waiters = enqueue(&queue, 3);
    assert_eq!(queue.advance().next, Next::At(100));
    queue.set_rate(every(1_000));
    assert_eq!(queue.advance().next, Next::At(1_000));
    queue.set_rate(every(30));
    assert_eq!(queue.advance().next, Next::At(30));
}

#[test]
fn a_hold_only_extends_and_a_resume_ends_it() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 8> = Queue::new(&clock, every(100).burst(4).unwrap());
    let _waiters = enqueue(&queue, 6);
    queue.hold_until(5_000).unwrap();
    queue.hold_until(2_000).unwrap();
    queue.hold_until(u32::MAX).unwrap(); // in the past
    assert_eq!(
        queue.hold_until(1 << 26),
        Err(HoldError {
            ticks: 1 << 26,
            max: (1 << 26) - 1
        })
    );
    assert_eq!(queue.advance().next, Next::At(5_000));
    clock.set(5_000);
    let advance = queue.advance();
    assert_eq!((advance.released, advance.next), (1, Next::At(5_100)));
    queue.hold_until(9_000).unwrap();
    clock.set(6_000);
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(9_000));
    queue.resume();
    assert_eq!(driver.take(), [0]);
    assert_eq!(queue.advance().released, 1, "evenly spaced after a hold");
}

#[test]
fn a_full_ring_answers_full_at_once() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 2> = Queue::new(&clock, every(100));
    let mut waiters = enqueue(&queue, 2);
    let full = EnqueueError::Full { capacity: 2 };
    assert_eq!(queue.enqueue().unwrap_err(), full);
    assert_eq!((queue.len(), queue.capacity()), (2, 2));
    drop(waiters.remove(1));
    assert_eq!(queue.enqueue().unwrap_err(), full, "the head is in line");
    drop(waiters.remove(0));
    assert!(queue.enqueue().is_ok(), "the ring passes over leavers");
}

#[test]
fn a_permit_taken_at_once_never_overtakes_a_waiter() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 2> = Queue::new(&clock, every(100));
    let waiter = queue.enqueue().unwrap();
    assert_eq!(queue.try_acquire(), Err(TryAcquireError::Queued));
    drop(waiter);
    assert_eq!(queue.try_acquire(), Ok(clock.now()));
    assert_eq!(
        queue.try_acquire(),
        Err(TryAcquireError::NotYet { at: 100 })
    );
}

#[test]
fn who_enters_an_idle_queue_is_released_at_once_and_leaves_its_driver_asleep() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 4> = Queue::new(&clock, every(100));
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::OnEnqueue);
    assert!(!queue.enter().unwrap().is_waiting());
    assert_eq!(driver.take(), Vec::<usize>::new());
    let waiter = queue.enter().unwrap();
    assert!(waiter.is_waiting());
    assert_eq!(driver.take(), [0]);
}

#[test]
fn a_sleeping_driver_is_woken_by_an_earlier_deadline_only() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_, 8> = Queue::new(&clock, every(100));
    let driver = Wakes::default();
    let none = Vec::<usize>::new();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::OnEnqueue);
    let _first = queue.enqueue().unwrap();
    assert_eq!(driver.take(), [0], "the first enqueue on an empty queue");
    let _second = queue.enqueue().unwrap();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(100));
    let third = queue.enqueue().unwrap();
    drop(third);
    queue.set_rate(every(200));
    queue.set_rate(every(200));
    queue.hold_until(300).unwrap();
    assert_eq!(driver.take(), none, "nothing became earlier");
    queue.set_rate(every(50));
    assert_eq!(driver.take(), [0], "a faster rate");
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(300));
    queue.resume();
    assert_eq!(driver.take(), [0], "a resume");
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::At(50));
    queue.resume();
    assert_eq!(driver.take(), none, "there was no hold");
    queue.close();
    assert_eq!(driver.take(), [0], "a close");
}
