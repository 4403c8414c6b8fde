//! One slot of the ring changes hands: nobody touches the waker's place while another does, and nobody pays for who leaves.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use apiqueue_core_stepped::Status;

use crate::common::{Counter, INTERVAL, Place, at_every_step, join, line};

/// What the one before does with the slot of a ring of one, while the handler lets others use it.
#[derive(Clone, Copy, Debug)]
enum Before {
    /// Its waker is taken out to be called.
    Released,
    /// It takes its waker out and leaves.
    Leaves,
    /// It leaves its waker.
    Polls,
}

/// Who has the slot between the one before and the last.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nobody,
    OneWhoLeaves,
    OneWhoIsReleased,
}

/// The last one to have the slot polls at every step of what the one before does. It is woken for its own release, or at once
/// to poll again; the waker before is its owner's alone, and none is lost.
fn the_last_one_polls(before: Before, between: Between) {
    at_every_step(|step| {
        let (queue, clock) = line::<1>(1);
        let first = join(&queue).unwrap();
        let (old, new) = (Arc::<Counter>::default(), Arc::<Counter>::default());
        if !matches!(before, Before::Polls) {
            assert!(first.poll_release(&old.clone().into()).is_pending());
        }
        let last: Rc<RefCell<Option<Place<1>>>> = Rc::default();
        let (keep, waker, handled) = (last.clone(), Waker::from(new.clone()), queue.clone());
        let handler = move || {
            if matches!(before, Before::Polls) {
                let _ = handled.advance();
            }
            clock.advance(INTERVAL);
            match between {
                Between::Nobody => {}
                Between::OneWhoLeaves => drop(join(&handled)),
                Between::OneWhoIsReleased => {
                    let one = join(&handled);
                    for _ in 0..2 {
                        let _ = handled.advance();
                        clock.advance(INTERVAL);
                    }
                    assert!(one.is_none_or(|one| !one.is_waiting()));
                }
            }
            if let Some(place) = join(&handled) {
                assert!(place.poll_release(&waker).is_pending());
                *keep.borrow_mut() = Some(place);
            }
        };
        let mut first = Some(first);
        let hit = step.run(handler, || match before {
            Before::Released => {
                let _ = queue.advance();
            }
            Before::Leaves => drop(first.take()),
            Before::Polls => {
                let _ = first.as_ref().unwrap().poll_release(&old.clone().into());
            }
        });
        let what = format!("{before:?}, {between:?}, {step:?}");
        assert!(old.count() <= 1, "{what}");
        if let Some(place) = last.take() {
            for _ in 0..3 {
                clock.advance(INTERVAL);
                let _ = queue.advance();
            }
            assert_eq!(place.status(), Status::Released, "{what}");
            assert!(
                new.count() >= 1,
                "{what}: neither woken nor told to look again"
            );
        }
        if matches!(before, Before::Released) {
            assert_eq!(old.count(), 1, "{what}: the waker of the one before");
        }
        drop((first, queue));
        assert_eq!(
            Arc::strong_count(&old),
            1,
            "{what}: the waker before is gone"
        );
        assert_eq!(Arc::strong_count(&new), 1, "{what}: the last waker is gone");
        hit
    });
}

fn whoever_comes_between(before: Before) {
    for between in [
        Between::Nobody,
        Between::OneWhoLeaves,
        Between::OneWhoIsReleased,
    ] {
        the_last_one_polls(before, between);
    }
}

#[test]
fn nobody_touches_a_waker_that_a_release_is_taking_out() {
    whoever_comes_between(Before::Released);
}

#[test]
fn nobody_touches_a_waker_that_a_leaver_is_taking_out() {
    whoever_comes_between(Before::Leaves);
}

#[test]
fn nobody_touches_a_waker_that_is_just_being_left() {
    whoever_comes_between(Before::Polls);
}
