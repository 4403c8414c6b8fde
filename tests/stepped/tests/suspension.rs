//! Lock-freedom, shown: a thread is stopped for ever before each atomic step of each operation, and the others must go on
//! enqueuing, being released in order, and leaving. The one thing that the stopped thread may cost is its own place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use apiqueue_core_stepped as core;
use core::{Clock, ManualClock, Queue, Rate, Status, Waiter};

use stopped::stopped_at;

mod stopped;

const INTERVAL: u64 = 100;
const RING: usize = 8;

type Line = Queue<&'static ManualClock<u64>, RING>;
type Place = Waiter<&'static Line>;

fn line() -> (&'static Line, &'static ManualClock<u64>) {
    let clock: &'static ManualClock<u64> = Box::leak(Box::new(ManualClock::<u64>::new(1_000)));
    let rate = Rate::<u64>::every(INTERVAL).unwrap();
    (Box::leak(Box::new(Queue::new(clock, rate))), clock)
}

struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counter() -> (Arc<Counter>, Waker) {
    let counter = Arc::new(Counter(AtomicUsize::new(0)));
    (counter.clone(), counter.into())
}

/// What the others do, after `early` had enqueued in this order and one thread stopped. `own_places` is how many places in
/// line the stopped thread may hold.
fn the_others_go_on(
    queue: &'static Line,
    clock: &ManualClock<u64>,
    early: Vec<Place>,
    own_places: usize,
) {
    let mut line = early;
    line.push(queue.enqueue().expect("enqueuing goes on"));
    let leaver = queue.enqueue().expect("enqueuing goes on");
    let (woken, waker) = counter();
    assert!(leaver.poll_release(&waker).is_pending());
    line.push(queue.enqueue().expect("enqueuing goes on"));
    drop(leaver);

    let turns = line.len() + own_places;
    let mut released = 0;
    for _ in 0..turns {
        clock.advance(INTERVAL);
        let _ = queue.advance();
        while released < line.len() && !line[released].is_waiting() {
            assert_eq!(line[released].status(), Status::Released);
            released += 1;
        }
        for later in &line[released..] {
            assert!(later.is_waiting(), "nobody overtakes");
        }
    }
    assert_eq!(
        released,
        line.len(),
        "no turn is lost but the stopped thread's own"
    );
    assert_eq!(woken.0.load(Ordering::SeqCst), 0, "who left is not woken");

    // Two more laps, so that the slot of the stopped thread is used again; each waits with a waker.
    for lap in 0..2 * RING {
        let place = queue.enqueue().expect("the ring goes round");
        let (_, waker) = counter();
        let _ = place.poll_release(&waker);
        clock.advance(INTERVAL);
        let _ = queue.advance();
        assert_eq!(place.status(), Status::Released, "lap turn {lap}");
        assert_eq!(place.poll_release(&waker), Poll::Ready(Ok(())));
    }
}

/// Stops a thread before every step of what `operation` makes of a queue with `early` waiters in line. Returns how many
/// steps there were.
fn at_every_step(
    early: usize,
    own_places: usize,
    mut operation: impl FnMut(&'static Line, &'static ManualClock<u64>) -> Box<dyn FnOnce() + Send>,
) -> usize {
    for stop in 0.. {
        let (queue, clock) = line();
        // The start's free permit is spent, so that everything below is paced.
        queue.try_acquire().unwrap();
        let line: Vec<Place> = (0..early).map(|_| queue.enqueue().unwrap()).collect();
        let stopped = stopped_at(stop, operation(queue, clock));
        the_others_go_on(queue, clock, line, own_places);
        if !stopped {
            return stop;
        }
    }
    unreachable!()
}

#[test]
fn a_thread_stopped_inside_enqueue_stops_nobody_else() {
    for early in [0, 1, 3] {
        let steps = at_every_step(early, 1, |queue, _| {
            Box::new(|| std::mem::forget(queue.enqueue()))
        });
        assert!(steps >= 3, "{steps} steps");
    }
}

#[test]
fn a_thread_stopped_inside_enter_stops_nobody_else() {
    for early in [0, 1, 3] {
        let steps = at_every_step(early, 1, |queue, clock| {
            clock.advance(INTERVAL);
            Box::new(|| std::mem::forget(queue.enter()))
        });
        assert!(steps >= 3, "{steps} steps");
    }
}

#[test]
fn a_thread_stopped_inside_poll_stops_nobody_else() {
    let steps = at_every_step(1, 1, |queue, _| {
        let place = queue.enqueue().unwrap();
        Box::new(move || {
            let (_, waker) = counter();
            let _ = place.poll_release(&waker);
            let _ = place.poll_release(&waker);
            std::mem::forget(place);
        })
    });
    assert!(steps >= 6, "{steps} steps");
}

#[test]
fn a_thread_stopped_inside_cancel_stops_nobody_else() {
    for early in [0, 2] {
        for with_waker in [false, true] {
            let steps = at_every_step(early, 1, move |queue, _| {
                let place = queue.enqueue().unwrap();
                if with_waker {
                    let _ = place.poll_release(&counter().1);
                }
                Box::new(move || drop(place))
            });
            assert!(steps >= 2, "{steps} steps");
        }
    }
}

#[test]
fn a_thread_stopped_while_it_gives_a_permit_back_stops_nobody_else() {
    let steps = at_every_step(0, 1, |queue, clock| {
        clock.advance(INTERVAL);
        let place = queue.enqueue().unwrap();
        let _ = queue.advance(); // released, and nobody told it
        Box::new(move || drop(place))
    });
    assert!(steps >= 5, "{steps} steps");
}

#[test]
fn a_driver_stopped_inside_advance_stops_nobody_else() {
    for early in [0, 1, 3] {
        let steps = at_every_step(early, 0, |queue, clock| {
            clock.advance(INTERVAL);
            Box::new(|| {
                let _ = queue.advance();
            })
        });
        assert!(steps >= 5, "{steps} steps");
    }
}

#[test]
fn a_driver_stopped_inside_advance_with_stops_nobody_else() {
    for early in [0, 2] {
        let steps = at_every_step(early, 0, |queue, clock| {
            clock.advance(INTERVAL);
            Box::new(|| {
                let _ = queue.advance_with(&counter().1);
            })
        });
        assert!(steps >= 8, "{steps} steps");
    }
}

#[test]
fn a_driver_stopped_while_it_passes_over_one_who_left_stops_nobody_else() {
    let steps = at_every_step(0, 0, |queue, clock| {
        drop(queue.enqueue().unwrap());
        clock.advance(INTERVAL);
        Box::new(|| {
            let _ = queue.advance();
        })
    });
    assert!(steps >= 5, "{steps} steps");
}

#[test]
fn a_thread_stopped_inside_try_acquire_stops_nobody_else() {
    let steps = at_every_step(0, 1, |queue, clock| {
        clock.advance(INTERVAL);
        Box::new(|| {
            let _ = queue.try_acquire();
        })
    });
    assert!(steps >= 5, "{steps} steps");
}

#[test]
fn a_thread_stopped_inside_a_change_of_rate_or_hold_stops_nobody_else() {
    let rate = Rate::<u64>::every(INTERVAL).unwrap().strict();
    at_every_step(2, 0, move |queue, _| Box::new(move || queue.set_rate(rate)));
    at_every_step(2, 1, |queue, clock| {
        Box::new(|| {
            queue.hold_until(clock.now() + INTERVAL).unwrap();
            queue.resume();
        })
    });
}

#[test]
fn a_waiter_whose_driver_stopped_still_sees_its_release() {
    for stop in 0.. {
        let (queue, clock) = line();
        let place = queue.enqueue().unwrap();
        let _ = place.poll_release(&counter().1);
        let stopped = stopped_at(stop, || {
            let _ = queue.advance();
        });
        clock.advance(INTERVAL);
        let _ = queue.advance();
        assert_eq!(
            place.status(),
            Status::Released,
            "driver stopped before step {stop}"
        );
        if !stopped {
            return;
        }
    }
}

#[test]
fn a_thread_stopped_inside_close_leaves_the_rest_to_the_next_advance() {
    for stop in 0.. {
        let (queue, _clock) = line();
        queue.try_acquire().unwrap();
        let line: Vec<Place> = (0..3).map(|_| queue.enqueue().unwrap()).collect();
        let stopped = stopped_at(stop, || queue.close());
        // Nobody is left waiting for the stopped thread: whoever drives, or closes too, tells the waiters.
        queue.close();
        for place in &line {
            assert_eq!(place.status(), Status::Closed, "stopped before step {stop}");
        }
        if !stopped {
            assert!(stop > 5);
            return;
        }
    }
}
