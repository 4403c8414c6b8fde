//! The end of a queue, and whether it is as new.

use apiqueue_core::{ManualClock, Queue, Rate};

type Line = Queue<ManualClock<u32>, 4>;

fn line() -> Line {
    let rate = Rate::every(10).unwrap().burst(3).unwrap().strict();
    Queue::new(ManualClock::<u32>::new(0), rate)
}

#[test]
fn a_new_queue_is_at_rest() {
    assert!(line().is_rested());
}

#[test]
fn a_queue_is_at_rest_once_its_whole_burst_is_back() {
    let queue = line();
    queue.try_acquire().unwrap();
    queue.try_acquire().unwrap();
    for (now, rested) in [(0, false), (10, false), (19, false), (20, true), (21, true)] {
        queue.clock().set(now);
        assert_eq!(queue.is_rested(), rested, "at {now}");
    }
}

#[test]
fn a_queue_is_not_at_rest_in_a_hold() {
    let queue = line();
    queue.hold_until(50).unwrap();
    for (now, rested) in [(0, false), (49, false), (50, true)] {
        queue.clock().set(now);
        assert_eq!(queue.is_rested(), rested, "at {now}");
    }
}

#[test]
fn a_queue_with_somebody_in_line_or_closed_is_not_at_rest() {
    let queue = line();
    let place = queue.enqueue().unwrap();
    assert!(!queue.is_rested());
    drop(place);
    let _ = queue.advance();
    assert!(queue.is_rested());
    queue.close();
    assert!(!queue.is_rested());
}

#[test]
fn a_queue_that_owes_permits_is_not_at_rest() {
    let queue = line();
    queue.charge(1_000).unwrap();
    assert!(!queue.is_rested());
}
