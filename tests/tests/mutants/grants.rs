//! Grants: each that is said to be one is one, and none is made where it may not be.

use std::sync::{Arc, Mutex};
use std::task::Wake;

use apiqueue_core::{ManualClock, Queue, Rate, Status, Waiter, WeightedQueue};

type Line = Queue<ManualClock<u32>, 4>;

/// Only grants release.
fn held<Q>(queue: impl FnOnce(ManualClock<u32>, Rate<u32>) -> Q, hold: impl FnOnce(&Q)) -> Q {
    let rate = Rate::every(10).unwrap().burst(8).unwrap().strict();
    let queue = queue(ManualClock::<u32>::new(0), rate);
    hold(&queue);
    queue
}

fn line() -> Line {
    held(Queue::new, |queue: &Line| {
        queue.hold_until(100_000).unwrap()
    })
}

type Heavy = WeightedQueue<ManualClock<u32>, 4>;

fn heavy() -> Heavy {
    held(WeightedQueue::new, |queue: &Heavy| {
        queue.hold_until(100_000).unwrap()
    })
}

#[test]
fn a_grant_releases_the_first_in_line_and_nobody_else() {
    let queue = line();
    let places = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    assert!(queue.grant());
    assert_eq!(places[0].status(), Status::Released);
    assert!(places[1].is_waiting());
    assert!(queue.grant());
    assert_eq!(places[1].status(), Status::Released);
}

#[test]
fn nobody_in_line_is_granted_nothing() {
    let queue = line();
    assert!(!queue.grant());
    assert_eq!(queue.first_weight(), None);
    drop(queue.enqueue().unwrap());
    assert!(!queue.grant());
    assert_eq!(queue.first_weight(), None);
}

#[test]
fn a_closed_queue_grants_nothing() {
    let queue = line();
    let place = queue.enqueue().unwrap();
    queue.close();
    assert!(!queue.grant());
    assert_eq!(queue.first_weight(), None);
    assert_eq!(place.status(), Status::Closed);
}

#[test]
fn a_grant_passes_over_those_who_have_left() {
    let queue = line();
    let (gone, stays) = (queue.enqueue().unwrap(), queue.enqueue().unwrap());
    drop(gone);
    assert_eq!(queue.first_weight(), Some(1));
    assert!(queue.grant());
    assert_eq!(stays.status(), Status::Released);
    assert!(!queue.grant());
}

#[test]
fn the_first_weight_is_that_of_the_first_who_has_not_left() {
    let queue = heavy();
    let gone = queue.enqueue_weighted(5).unwrap();
    let stays = queue.enqueue_weighted(3).unwrap();
    assert_eq!(queue.first_weight(), Some(5));
    drop(gone);
    assert_eq!(queue.first_weight(), Some(3));
    assert!(queue.grant());
    assert_eq!(stays.status(), Status::Released);
    assert_eq!(queue.first_weight(), None);
}

#[test]
fn the_first_weight_is_not_that_of_a_light_one_who_has_left() {
    let queue = heavy();
    let gone = queue.enqueue_weighted(1).unwrap();
    let stays = queue.enqueue_weighted(3).unwrap();
    assert_eq!(queue.first_weight(), Some(1));
    drop(gone);
    assert_eq!(queue.first_weight(), Some(3));
    drop(stays);
}

/// Who leaves as soon as it is woken, without a look.
#[derive(Default)]
struct Leaver(Mutex<Option<Waiter<Arc<Line>>>>);

impl Wake for Leaver {
    fn wake(self: Arc<Self>) {
        let place = self.0.lock().unwrap().take();
        drop(place);
    }
}

#[test]
fn a_grant_whose_permit_comes_back_at_once_is_one() {
    let queue = Arc::new(line());
    let place = Waiter::enqueue(queue.clone()).unwrap();
    let leaver = Arc::<Leaver>::default();
    assert!(place.poll_release(&leaver.clone().into()).is_pending());
    *leaver.0.lock().unwrap() = Some(place);
    assert!(queue.grant());
    assert!(leaver.0.lock().unwrap().is_none());
}

#[test]
fn a_grant_of_so_many_permits_goes_to_nobody_who_costs_more() {
    let queue = heavy();
    let places = [3, 2, 1].map(|weight| queue.enqueue_weighted(weight).unwrap());
    assert!(queue.grant_within(0).is_none());
    assert!(queue.grant_within(2).is_none(), "the first costs 3");
    let [three, two, one] = places;
    drop(three);
    assert_eq!(queue.grant_within(2).unwrap().weight(), 2);
    assert_eq!(two.status(), Status::Released);
    assert_eq!(queue.grant_within(5).unwrap().weight(), 1);
    assert_eq!(one.status(), Status::Released);
    assert!(queue.grant_within(5).is_none());
}

#[test]
fn a_waker_is_called_when_the_grant_is_dropped_and_not_before() {
    let queue = heavy();
    let place = queue.enqueue_weighted(2).unwrap();
    let woken = Arc::new(Mutex::new(0));
    struct Counts(Arc<Mutex<usize>>);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let waker = Arc::new(Counts(Arc::clone(&woken))).into();
    assert!(place.poll_release(&waker).is_pending());
    let granted = queue.grant_within(2).unwrap();
    assert_eq!(
        (place.status(), *woken.lock().unwrap()),
        (Status::Released, 0)
    );
    drop(granted);
    assert_eq!(*woken.lock().unwrap(), 1);
}

#[test]
fn one_with_a_permit_from_elsewhere_goes_and_gives_nothing_back_here() {
    let queue = line();
    for poll in [false, true] {
        let mut waiter = Waiter::with_permit(&queue);
        if poll {
            assert!(waiter.poll_release(std::task::Waker::noop()).is_ready());
        }
        assert_eq!(waiter.status(), Status::Released);
        assert_eq!((waiter.weight(), waiter.position()), (1, None));
        assert!(!waiter.give_back());
        drop(waiter);
    }
    let mut waiter = Waiter::with_permit(&queue);
    assert_eq!(waiter.leave(), apiqueue_core::Left::Over);
    assert!(queue.is_empty());
}
