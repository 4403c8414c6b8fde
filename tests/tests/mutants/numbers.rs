//! Readings: what is decided by which, and how far a queue counts.

use std::sync::Mutex;

use apiqueue_core::{Clock, ManualClock, Next, Queue, Rate, Status, Waiter, WeightedQueue, Word};
use apiqueue_tests::wakes::Wakes;

type Line = Queue<ManualClock<u32>, 4>;

fn rate(interval: u32, burst: u32) -> Rate<u32> {
    let rate = Rate::every(interval).unwrap().burst(burst).unwrap();
    rate.strict()
}

/// A clock that gives the readings one by one, and then the last again and again.
struct Script(Mutex<Vec<u32>>);

impl Script {
    /// The next ones, the earliest first.
    fn set(&self, readings: &[u32]) {
        *self.0.lock().unwrap() = readings.iter().rev().copied().collect();
    }
}

impl Clock for Script {
    type Tick = u32;

    fn now(&self) -> u32 {
        let mut readings = self.0.lock().unwrap();
        if readings.len() > 1 {
            return readings.pop().unwrap();
        }
        readings[0]
    }
}

#[test]
fn a_late_release_is_not_made_up_twice_when_the_clock_falls_back_after_it() {
    // One reading for the first release's decision, and one for what it uses.
    let queue: Queue<_, 4> = Queue::new(Script(Mutex::new(vec![1_000])), rate(10, 1));
    queue.try_acquire().unwrap();
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    queue.clock().set(&[1_100, 1_010]);
    while queue.advance().released == 0 {}
    queue.clock().set(&[1_105]);
    assert_eq!(queue.advance().next, Next::At(1_110));
    assert_eq!(line[0].status(), Status::Released);
    assert!(line[1].is_waiting());
}

#[test]
fn laps_are_told_apart_through_many_rounds() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(1, 1));
    for round in 0..40 {
        let line: Vec<_> = (0..4).map(|_| queue.enqueue().unwrap()).collect();
        assert!(queue.enqueue().is_err(), "round {round}");
        drop(line);
        let mut line: Vec<_> = (0..4).map(|_| queue.enqueue().unwrap()).collect();
        drop(line.split_off(1));
        queue.clock().advance(1);
        assert_eq!(queue.advance().released, 1, "round {round}");
        assert_eq!(line[0].status(), Status::Released);
    }
}

#[test]
fn a_full_ring_whose_head_has_left_has_room() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(10, 1));
    queue.try_acquire().unwrap();
    for _ in 0..3 {
        let first = queue.enqueue().unwrap();
        let line: Vec<_> = (0..3).map(|_| queue.enqueue().unwrap()).collect();
        drop(first);
        let last = queue.enqueue().unwrap();
        assert!(last.is_waiting());
        assert_eq!(last.position(), Some(3));
        drop((line, last));
    }
}

#[test]
fn an_estimate_is_as_far_as_readings_tell() {
    let far = u32::MAX_SPAN;
    let queue: Line = Queue::new(ManualClock::<u32>::new(5), rate(far, 1));
    queue.try_acquire().unwrap();
    let line: Vec<_> = (0..3).map(|_| queue.enqueue().unwrap()).collect();
    let due: Vec<_> = line.iter().map(Waiter::estimate).collect();
    assert_eq!(due, [Some(5 + far), Some(5 + far * 2), None]);
}

#[test]
fn an_estimate_of_who_is_due_is_now() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(5), rate(10, 3));
    let line: Vec<_> = (0..4).map(|_| queue.enqueue().unwrap()).collect();
    let due: Vec<_> = line.iter().map(Waiter::estimate).collect();
    assert_eq!(due, [Some(5), Some(5), Some(5), Some(15)]);
}

#[test]
fn a_waiter_says_what_it_weighs() {
    let queue: WeightedQueue<_, 4> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(10, 8));
    for weight in [1, 2, 7] {
        assert_eq!(queue.enqueue_weighted(weight).unwrap().weight(), weight);
    }
    let plain: Line = Queue::new(ManualClock::<u32>::new(0), rate(10, 8));
    assert_eq!(plain.enqueue().unwrap().weight(), 1);
}

#[test]
fn a_heavy_waiter_that_enters_wakes_the_driver_only_if_it_has_to_wait() {
    let queue: WeightedQueue<_, 4> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(10, 4));
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::OnEnqueue);
    let first = queue.enter_weighted(3).unwrap();
    assert_eq!(driver.take(), [], "released by itself");
    assert_eq!(first.status(), Status::Released);
    let second = queue.enter_weighted(3).unwrap();
    assert_eq!(driver.take(), [0]);
    assert!(second.is_waiting());
}

#[test]
fn a_heavy_waiter_that_enqueues_wakes_a_driver_that_sleeps() {
    let queue: WeightedQueue<_, 4> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(10, 4));
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::OnEnqueue);
    let place = Waiter::enqueue_weighted(&queue, 2).unwrap();
    assert_eq!(driver.take(), [0]);
    drop(place);
}

#[test]
fn a_drain_and_a_clock_that_was_set_wake_the_driver() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(10, 4));
    let driver = Wakes::default();
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::OnEnqueue);
    queue.wake_driver();
    assert_eq!(driver.take(), [0]);
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::OnEnqueue);
    queue.drain();
    assert_eq!(driver.take(), [0]);
    assert_eq!(queue.advance_with(&driver.waker(0)).next, Next::Closed);
}

#[test]
fn an_unseen_release_of_one_who_was_told_is_kept() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(10, 1));
    let place = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
    assert!(!place.is_waiting());
    drop(place);
    queue.clock().set(1);
    assert!(queue.try_acquire().is_err());
}

#[test]
fn who_leaves_in_line_gives_no_permit_back() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(10, 1));
    let (first, second) = (queue.enqueue().unwrap(), queue.enqueue().unwrap());
    assert_eq!(queue.advance().released, 1);
    drop(second);
    queue.clock().set(1);
    assert!(
        queue.try_acquire().is_err(),
        "the first one's is not the second's"
    );
    drop(first);
}

#[test]
fn who_was_told_of_its_release_by_leaving_may_give_it_back_once() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(10, 1));
    let mut place = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
    let _ = place.leave();
    assert!(place.give_back());
    assert!(!place.give_back());
}
