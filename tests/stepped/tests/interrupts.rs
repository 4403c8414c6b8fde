//! An interrupt handler forced into every atomic step of every operation: it drives the same queue that the interrupted
//! code is in the middle of using, and more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use apiqueue_core_stepped as core;
use core::stepped::with_hook;
use core::{ManualClock, Queue, Rate, Status, Waiter};

const INTERVAL: u32 = 10;

type Line = Queue<&'static ManualClock<u32>, 4>;
type Place = Waiter<&'static Line>;

fn line() -> (&'static Line, &'static ManualClock<u32>) {
    let clock: &'static ManualClock<u32> =
        Box::leak(Box::new(ManualClock::<u32>::new(u32::MAX - 25)));
    let rate = Rate::<u32>::every(INTERVAL).unwrap().strict();
    (Box::leak(Box::new(Queue::new(clock, rate))), clock)
}

/// Runs `operation` with `handler` called before step `at`, and before every later one too when `storm` is set. False when
/// there is no such step.
fn interrupted(
    at: usize,
    storm: bool,
    mut handler: impl FnMut() + 'static,
    operation: impl FnOnce(),
) -> bool {
    let hit = Rc::new(Cell::new(false));
    let (mark, mut step) = (hit.clone(), 0);
    with_hook(
        move || {
            if step == at || (storm && step > at && step < at + 20) {
                mark.set(true);
                handler();
            }
            step += 1;
        },
        operation,
    );
    hit.get()
}

/// Main does `operation` on a queue with two in line while the handler drives. Whatever step the handler came at, the two
/// are released in order and a whole interval apart.
fn main_is_interrupted(storm: bool, operation: fn(&'static Line)) {
    for at in 0.. {
        let (queue, clock) = line();
        queue.try_acquire().unwrap();
        let places: Rc<Vec<Place>> = Rc::new((0..2).map(|_| queue.enqueue().unwrap()).collect());
        let handler_places = places.clone();
        let handler = move || {
            clock.advance(1);
            let before: Vec<Status> = handler_places.iter().map(Waiter::status).collect();
            let advance = queue.advance();
            assert!(advance.released <= 1, "one interval, one release");
            assert!(
                before[0] != Status::Waiting || handler_places[1].is_waiting(),
                "in order"
            );
        };
        let hit = interrupted(at, storm, handler, || operation(queue));
        let mut spent = 0;
        while places.iter().any(Waiter::is_waiting) {
            clock.advance(1);
            let waiting = places.iter().filter(|place| place.is_waiting()).count();
            let _ = queue.advance();
            let left = places.iter().filter(|place| place.is_waiting()).count();
            assert!(
                waiting - left <= 1,
                "step {at}: two releases at one reading"
            );
            spent += 1;
            assert!(spent <= 4 * INTERVAL, "step {at}: a turn was lost");
        }
        if !hit {
            return;
        }
    }
}

#[test]
fn a_handler_may_drive_the_queue_that_main_is_enqueuing_on() {
    for storm in [false, true] {
        main_is_interrupted(storm, |queue| drop(queue.enqueue()));
        main_is_interrupted(storm, |queue| drop(queue.enter()));
    }
}

#[test]
fn a_handler_may_drive_the_queue_that_main_is_driving() {
    for storm in [false, true] {
        main_is_interrupted(storm, |queue| {
            let _ = queue.advance();
        });
    }
}

#[test]
fn a_handler_may_drive_the_queue_that_main_polls_and_leaves() {
    for storm in [false, true] {
        main_is_interrupted(storm, |queue| {
            let place = queue.enqueue().unwrap();
            let _ = place.poll_release(std::task::Waker::noop());
            let _ = place.poll_release(std::task::Waker::noop());
            drop(place);
        });
    }
}

#[test]
fn a_handler_may_drive_the_queue_whose_rate_and_hold_main_changes() {
    for storm in [false, true] {
        main_is_interrupted(storm, |queue| {
            queue.set_rate(Rate::<u32>::every(INTERVAL).unwrap());
            queue.resume();
        });
    }
}

#[test]
fn a_handler_may_enqueue_poll_and_leave_while_main_drives() {
    for at in 0.. {
        let (queue, clock) = line();
        queue.try_acquire().unwrap();
        let place = queue.enqueue().unwrap();
        clock.advance(INTERVAL);
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        let handler = move || {
            let mine = queue.enqueue().unwrap();
            let _ = mine.poll_release(std::task::Waker::noop());
            drop(queue.enqueue().unwrap());
            *keep.borrow_mut() = Some(mine);
        };
        let hit = interrupted(at, false, handler, || {
            let _ = queue.advance_with(std::task::Waker::noop());
        });
        assert_eq!(place.status(), Status::Released);
        let mine = kept.borrow_mut().take();
        if let Some(mine) = mine {
            assert!(mine.is_waiting(), "step {at}: not before its interval");
            clock.advance(INTERVAL);
            let _ = queue.advance();
            assert_eq!(mine.status(), Status::Released, "step {at}");
        }
        if !hit {
            return;
        }
    }
}

/// A turn's word must not come back to what a thread saw that stopped between its look at the clock and its claim.
#[test]
fn a_permit_taken_late_is_not_one_that_others_took_meanwhile() {
    for passes in 1..=9 {
        for at in 0.. {
            let (queue, clock) = line();
            queue.try_acquire().unwrap();
            clock.advance(INTERVAL);
            let taken = Rc::new(Cell::new(0));
            let count = taken.clone();
            let handler = move || {
                for pass in 0..passes {
                    clock.advance(if pass == 0 { 0 } else { INTERVAL });
                    count.set(count.get() + u32::from(queue.try_acquire().is_ok()));
                }
            };
            let mut late = false;
            let hit = interrupted(at, false, handler, || late = queue.try_acquire().is_ok());
            let all = taken.get() + u32::from(late);
            assert!(
                all <= passes,
                "step {at}: {all} permits in {passes} intervals"
            );
            if !hit {
                break;
            }
        }
    }
}
