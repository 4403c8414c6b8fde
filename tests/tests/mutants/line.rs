//! Who is in line, where, and since when not any more.

use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use apiqueue_core::{ManualClock, Queue, Rate, Status, Waiter, WeightedQueue};

type Line = Queue<ManualClock<u32>, 4>;

fn rate(burst: u32) -> Rate<u32> {
    let rate = Rate::every(10).unwrap().burst(burst).unwrap();
    rate.strict()
}

#[test]
fn those_who_have_left_or_were_released_are_not_waiting() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(1));
    assert_eq!(queue.waiting(), 0);
    let first = queue.enqueue().unwrap();
    let gone = queue.enqueue().unwrap();
    let third = queue.enqueue().unwrap();
    assert_eq!(queue.waiting(), 3);
    drop(gone);
    assert_eq!((queue.waiting(), queue.len()), (2, 3));
    assert_eq!(queue.advance().released, 1);
    assert_eq!((queue.waiting(), queue.len()), (1, 1));
    drop((first, third));
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn those_who_were_refused_their_turn_are_counted_after_the_close() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(1));
    let line: Vec<_> = (0..4).map(|_| queue.enqueue().unwrap()).collect();
    let _ = line.first().unwrap().poll_release(Waker::noop());
    queue.close();
    assert_eq!(queue.waiting(), 4);
    drop(line);
    assert_eq!(queue.waiting(), 4);
}

#[test]
fn the_weights_of_those_ahead_are_permits_ahead() {
    let queue: WeightedQueue<_, 8> = WeightedQueue::new(ManualClock::<u32>::new(0), rate(8));
    queue.hold_until(1_000).unwrap();
    let line: Vec<_> = [2, 3, 1, 5]
        .iter()
        .map(|&weight| queue.enqueue_weighted(weight).unwrap())
        .collect();
    let due: Vec<_> = line.iter().map(|place| place.estimate()).collect();
    // From the hold's end the permits come one by one; the last of each waiter's is its own.
    assert_eq!(due, [Some(1_010), Some(1_040), Some(1_050), Some(1_100)]);
}

#[test]
fn an_estimate_counts_from_the_end_of_a_hold() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(1));
    let line: Vec<_> = (0..3).map(|_| queue.enqueue().unwrap()).collect();
    queue.hold_until(500).unwrap();
    let due: Vec<_> = line.iter().map(|place| place.estimate()).collect();
    assert_eq!(due, [Some(500), Some(510), Some(520)]);
}

#[test]
fn a_hold_that_ends_before_the_next_is_due_delays_nobody() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(1));
    queue.try_acquire().unwrap();
    let place = queue.enqueue().unwrap();
    queue.hold_until(5).unwrap();
    assert_eq!(place.estimate(), Some(10));
}

/// Whoever is woken takes another place in line.
struct Again {
    queue: Arc<Line>,
    line: Mutex<Vec<Waiter<Arc<Line>>>>,
}

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        let place = Waiter::enqueue(self.queue.clone()).unwrap();
        let _ = place.poll_release(&self.clone().into());
        self.line.lock().unwrap().push(place);
    }
}

#[test]
fn one_call_releases_no_more_than_the_ring_has_places() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Arc<Line> = Arc::new(Queue::new(clock, rate(20)));
    let again = Arc::new(Again {
        queue: queue.clone(),
        line: Mutex::default(),
    });
    again.clone().wake();
    assert_eq!(queue.advance().released, 4);
    assert_eq!(queue.advance().released, 4);
    again.line.lock().unwrap().clear();
}

#[test]
fn a_release_that_others_came_after_is_not_given_back() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(4));
    let mut line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    assert_eq!(queue.advance().released, 2);
    queue.try_acquire().unwrap();
    for place in &mut line {
        assert_eq!(place.status(), Status::Released);
        assert!(!place.give_back(), "a permit was taken since");
    }
}

#[test]
fn the_latest_release_is_given_back_though_others_have_left_since() {
    let queue: Line = Queue::new(ManualClock::<u32>::new(0), rate(1));
    let mut first = queue.enqueue().unwrap();
    let gone = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
    drop(gone);
    let _ = queue.advance();
    assert!(first.give_back());
}
