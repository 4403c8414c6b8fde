//! Leaving the line, and giving back a permit, told apart: what `Waiter::leave` and `Waiter::give_back` answer.
#![allow(clippy::unwrap_used)]

use apiqueue_core::{Left, ManualClock, Queue, Rate, Status};

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
