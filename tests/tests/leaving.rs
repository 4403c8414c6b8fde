//! Leaving the line, and giving back a permit, told apart: what `Waiter::leave` and `Waiter::give_back` answer.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use apiqueue_core::{Left, ManualClock, Queue, Rate, Schedule, Status, Waiter, WeightedQueue};

type Line<'a> = Queue<&'a ManualClock<u32>, 4>;

fn line(clock: &ManualClock<u32>) -> Line<'_> {
    Queue::new(clock, Rate::<u32>::every(10).unwrap())
}

#[test]
fn who_leaves_in_line_is_told_so_and_the_turn_goes_to_the_next() {
    let clock = ManualClock::<u32>::new(0);
    let queue = line(&clock);
    let mut first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    assert_eq!(first.leave(), Left::InLine);
    assert_eq!(queue.advance().released, 1);
    assert!(!second.is_waiting());
    assert_eq!(second.status(), Status::Released);
}

#[test]
fn who_has_left_says_closed_even_when_the_place_is_anothers() {
    let clock = ManualClock::<u32>::new(0);
    let queue = line(&clock);
    let mut gone = queue.enqueue().unwrap();
    assert_eq!(gone.leave(), Left::InLine);
    for _ in 0..9 {
        let next = queue.enqueue().unwrap();
        assert_eq!(queue.advance().released, 1);
        assert_eq!(next.status(), Status::Released);
        clock.advance(10);
    }
    assert_eq!(gone.status(), Status::Closed);
    assert_eq!(gone.leave(), Left::Over);
    assert_eq!(gone.position(), None);
    assert!(!gone.give_back());
}

#[test]
fn who_leaves_after_an_unseen_release_is_told_and_keeps_the_permit() {
    let clock = ManualClock::<u32>::new(0);
    let queue = line(&clock);
    let mut first = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
    assert_eq!(first.leave(), Left::Released);
    assert_eq!(first.status(), Status::Released);
    assert_eq!(first.leave(), Left::Over);
    drop(first);
    assert!(queue.try_acquire().is_err(), "the permit was kept");
}

#[test]
fn a_permit_that_is_given_back_serves_the_next_one_a_tick_later_and_once() {
    let clock = ManualClock::<u32>::new(0);
    let queue = line(&clock);
    let mut first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    let third = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
    assert_eq!(first.status(), Status::Released);
    assert!(first.give_back());
    assert!(!first.give_back());
    assert_eq!(
        first.status(),
        Status::Closed,
        "a permit given back is not used"
    );
    assert_eq!(queue.advance().released, 0);
    clock.advance(1);
    assert_eq!(queue.advance().released, 1);
    assert!(!second.is_waiting());
    assert!(third.is_waiting());
}

#[test]
fn a_permit_is_not_given_back_once_the_line_has_moved_on() {
    let clock = ManualClock::<u32>::new(0);
    let queue = line(&clock);
    let mut first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
    assert!(!first.is_waiting());
    clock.advance(10);
    assert_eq!(queue.advance().released, 1);
    assert!(!first.give_back());
    assert!(!second.is_waiting());
}

/// Those in line, those released and told or not, and those who passed, each let go of the queue once and keep what they had.
#[test]
fn the_queue_of_a_waiter_is_had_back_and_its_permit_kept() {
    static CLOCK: ManualClock<u32> = ManualClock::<u32>::new(0);
    let queue: Arc<Queue<_, 4>> = Arc::new(Queue::new(&CLOCK, Rate::<u32>::every(10).unwrap()));
    let passed = Waiter::enter(Arc::clone(&queue)).unwrap();
    let told = Waiter::enqueue(Arc::clone(&queue)).unwrap();
    let untold = Waiter::enqueue(Arc::clone(&queue)).unwrap();
    let in_line = Waiter::enqueue(Arc::clone(&queue)).unwrap();
    for _ in 0..2 {
        CLOCK.advance(10);
        assert_eq!(queue.advance().released, 1);
    }
    assert!(!told.is_waiting());
    assert_eq!(queue.waiting(), 1);
    for waiter in [passed, told, untold, in_line] {
        let had = waiter.into_queue();
        assert!(Arc::ptr_eq(&had, &queue));
    }
    assert_eq!(Arc::strong_count(&queue), 1);
    assert_eq!(queue.waiting(), 0);
    assert!(queue.try_acquire().is_err(), "no permit came back");
    CLOCK.advance(10);
    assert!(queue.try_acquire().is_ok());
}

#[test]
fn what_is_ahead_of_the_next_to_come_leaves_out_those_who_have_left() {
    let clock = ManualClock::<u32>::new(0);
    let rate = Rate::<u32>::every(10).unwrap().burst(5).unwrap();
    let queue: WeightedQueue<_, 8> = WeightedQueue::new(&clock, rate);
    assert_eq!(queue.permits_in_line(), 0);
    let _first = queue.enqueue_weighted(3).unwrap();
    let second = queue.enqueue_weighted(4).unwrap();
    let _third = queue.enqueue_weighted(2).unwrap();
    assert_eq!(queue.permits_in_line(), 9);
    drop(second);
    assert_eq!(queue.permits_in_line(), 5);
    queue.close();
    let mut pace = Schedule::new(rate);
    assert_eq!(pace.next_after(100, 0), Some(100));
    assert_eq!(pace.next_after(100, 4), Some(100), "five are in hand");
    assert_eq!(pace.next_after(100, 6), Some(120));
    pace.hold_until(100, 150);
    assert_eq!(pace.next_after(110, 0), Some(150));
    assert_eq!(
        pace.next_after(110, 2),
        Some(170),
        "a hold spends the burst"
    );
}
