//! A release, a grant or a taking, and somebody else between any two of its steps: no permit is lost, none is used twice.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use apiqueue_core_stepped::{Left, Status, Waiter};

use crate::common::{Heavy, INTERVAL, Place, at_every_step, drive, heavy, join, line};

/// Ticks go by until all of these are released: an interval each.
fn each_has_its_interval<const N: usize>(line: &[Place<N>], what: &str) {
    let queue = line[0].queue().clone();
    let _ = queue.advance();
    while line.iter().any(|place| place.peek() == Status::Waiting) {
        queue.clock().advance(INTERVAL - 1);
        assert_eq!(queue.advance().released, 0, "{what}: too early");
        queue.clock().advance(1);
        assert_eq!(queue.advance().released, 1, "{what}: one each interval");
    }
}

#[test]
fn a_driver_that_others_overtake_by_two_releases_uses_no_permit_twice() {
    at_every_step(|step| {
        let (queue, clock) = line::<4>(1);
        let places: Vec<_> = (0..4).map(|_| join(&queue).unwrap()).collect();
        let other = queue.clone();
        let handler = move || {
            for _ in 0..2 {
                let _ = other.advance();
                clock.advance(INTERVAL);
            }
            let _ = other.advance();
        };
        let hit = step.run(handler, || {
            let _ = queue.advance();
        });
        each_has_its_interval(&places, &format!("{step:?}"));
        hit
    });
}

#[test]
fn what_a_stopped_driver_has_used_is_not_used_again_by_those_who_complete_its_release() {
    at_every_step(|step| {
        let (queue, _) = line::<4>(1);
        let places: Vec<_> = (0..4).map(|_| join(&queue).unwrap()).collect();
        let other = queue.clone();
        let stopped = step.stop(move || drive(&other));
        each_has_its_interval(&places, &format!("{step:?}"));
        let hit = stopped.hit;
        stopped.go_on();
        hit
    });
}

#[test]
fn the_releases_that_drivers_count_are_those_that_came_about() {
    at_every_step(|step| {
        let (queue, _) = line::<4>(2);
        let places: Vec<_> = (0..4).map(|_| join(&queue).unwrap()).collect();
        let counted = Rc::new(Cell::new(0));
        let (other, sum) = (queue.clone(), counted.clone());
        let handler = move || sum.set(sum.get() + other.advance().released);
        let hit = step.run(handler, || {
            let released = queue.advance().released;
            counted.set(counted.get() + released);
        });
        let released = places.iter().filter(|place| !place.is_waiting()).count();
        assert_eq!((counted.get(), released), (2, 2), "{step:?}");
        hit
    });
}

#[test]
fn who_leaves_in_the_middle_of_its_release_costs_the_next_one_a_tick_at_most() {
    at_every_step(|step| {
        let (queue, clock) = line::<2>(1);
        let first = RefCell::new(join(&queue));
        let second = join(&queue).unwrap();
        let left = Rc::new(Cell::new(None));
        let seen = left.clone();
        let leaves = move || {
            let mut first = first.borrow_mut().take().unwrap();
            let how = first.leave();
            if how == Left::Released {
                assert!(first.give_back());
            }
            seen.set(Some(how));
        };
        let mut released = 0;
        let hit = step.run(leaves, || released = queue.advance().released);
        if !hit {
            return false;
        }
        let mut ticks = 0;
        while second.peek() == Status::Waiting && ticks < 3 {
            released += queue.advance().released;
            clock.advance(1);
            ticks += 1;
        }
        assert_eq!(second.peek(), Status::Released, "{step:?}");
        let expected = match left.take() {
            Some(Left::Released) => 1..=2,
            _ => 1..=1,
        };
        assert!(expected.contains(&released), "{step:?}: {released}");
        hit
    });
}

#[test]
fn a_heavy_one_that_leaves_in_the_middle_of_its_release_costs_nothing() {
    at_every_step(|step| {
        let (queue, clock) = heavy(3);
        let join = |weight| Waiter::enqueue_weighted(queue.clone(), weight).unwrap();
        let (mut first, second) = (Some(join(3)), join(3));
        let kept = Rc::new(Cell::new(false));
        let keeps = kept.clone();
        let leaves = move || {
            let left = first.take().unwrap().leave();
            keeps.set(left == Left::Released);
        };
        let hit = step.run(leaves, || drive(&queue));
        let _ = queue.advance();
        if !hit {
            return false;
        }
        if !kept.get() {
            assert_eq!(second.peek(), Status::Released, "{step:?}");
        } else {
            clock.advance(3 * INTERVAL - 1);
            let _ = queue.advance();
            assert_eq!(second.peek(), Status::Waiting, "{step:?}");
            clock.advance(1);
            let _ = queue.advance();
            assert_eq!(second.peek(), Status::Released, "{step:?}");
        }
        hit
    });
}

#[test]
fn the_latest_release_is_given_back_though_the_next_one_left_in_the_middle_of_its_own() {
    at_every_step(|step| {
        let (queue, _) = line::<4>(2);
        let mut first = join(&queue).unwrap();
        assert_eq!(queue.advance().released, 1);
        // One who has left is passed over before.
        drop(join(&queue));
        let _ = queue.advance();
        let mut second = join(&queue);
        let released = Rc::new(Cell::new(false));
        let seen = released.clone();
        let leaves = move || seen.set(second.take().unwrap().leave() == Left::Released);
        let hit = step.run(leaves, || drive(&queue));
        if hit && !released.get() {
            let _ = queue.advance();
            assert!(first.give_back(), "{step:?}");
        }
        hit
    });
}

#[test]
fn of_so_many_grants_so_many_release() {
    for (leaves, before) in [(false, 0), (true, 0), (false, 1), (true, 1)] {
        at_every_step(|step| {
            let (queue, _) = line::<4>(1);
            queue.hold_until(100_000).unwrap();
            for _ in 0..before {
                let place = join(&queue).unwrap();
                assert!(queue.grant());
                assert!(!place.is_waiting());
            }
            let mut first = join(&queue);
            let rest: Vec<_> = (0..3).map(|_| join(&queue).unwrap()).collect();
            let granted = Rc::new(Cell::new(0));
            let other = queue.clone();
            let first_released = Rc::new(Cell::new(false));
            let seen = first_released.clone();
            let handler = move || {
                drive(&other); // completes what is under way
                if leaves {
                    let left = first.take().unwrap().leave();
                    seen.set(left == Left::Released);
                }
            };
            let hit = step.run(handler, || {
                let one = usize::from(queue.grant());
                granted.set(granted.get() + one);
            });
            let released = rest
                .iter()
                .filter(|place| place.peek() == Status::Released)
                .count();
            if hit && leaves {
                let all = released + usize::from(first_released.get());
                assert_eq!(granted.get(), all, "{step:?}");
            } else if hit {
                assert_eq!(
                    (granted.get(), released, queue.len()),
                    (1, 0, 3),
                    "{step:?}"
                );
            }
            hit
        });
    }
}

#[test]
fn of_so_many_heavy_grants_so_many_release() {
    at_every_step(|step| {
        let (queue, _) = heavy(4);
        queue.hold_until(100_000).unwrap();
        let join = |weight| Waiter::enqueue_weighted(queue.clone(), weight).unwrap();
        let (mut first, second) = (Some(join(3)), join(2));
        let released = Rc::new(Cell::new(false));
        let seen = released.clone();
        let leaves = move || seen.set(first.take().unwrap().leave() == Left::Released);
        let mut granted = false;
        let hit = step.run(leaves, || granted = queue.grant());
        assert!(granted, "{step:?}");
        if !hit {
            return false;
        }
        let is_second = second.peek() == Status::Released;
        assert_eq!(is_second, hit && !released.get(), "{step:?}");
        hit
    });
}

/// All permits in hand are taken, by one who is interrupted and by the handler.
fn all_are_taken(queue: Arc<Heavy>, in_hand: usize) {
    at_every_step(|step| {
        let taken = Rc::new(Cell::new(0));
        let (other, sum) = (queue.clone(), taken.clone());
        let handler = move || {
            while other.try_acquire().is_ok() {
                sum.set(sum.get() + 1);
            }
        };
        let hit = step.run(handler, || {
            let one = usize::from(queue.try_acquire().is_ok());
            taken.set(taken.get() + one);
        });
        let _ = std::iter::repeat_with(|| queue.try_acquire().is_ok())
            .take_while(|&is_taken| is_taken)
            .map(|_| taken.set(taken.get() + 1))
            .count();
        assert_eq!(taken.get(), in_hand, "{step:?}");
        queue
            .clock()
            .advance(INTERVAL * u32::try_from(in_hand).unwrap());
        hit
    });
}

#[test]
fn no_more_permits_are_taken_than_there_are() {
    for in_hand in 2..=5 {
        let (queue, _) = heavy(u32::try_from(in_hand).unwrap());
        all_are_taken(queue, in_hand);
    }
}

#[test]
fn who_is_released_is_not_waiting_while_its_driver_stands_still() {
    at_every_step(|step| {
        let (queue, _) = line::<2>(1);
        let place = join(&queue).unwrap();
        let other = queue.clone();
        let stopped = step.stop(move || drive(&other));
        let is_waiting = place.peek() == Status::Waiting;
        assert_eq!(queue.waiting(), usize::from(is_waiting), "{step:?}");
        let hit = stopped.hit;
        stopped.go_on();
        hit
    });
}

/// Two are released; then `change`; the third, of this weight, leaves in the middle of its release. The first two then try to
/// give their permits back: whether they can.
fn given_back(weight: usize, change: impl Fn(&Heavy), mut judge: impl FnMut([bool; 2])) {
    at_every_step(|step| {
        let (queue, _) = heavy(6);
        let join = |weight| Waiter::enqueue_weighted(queue.clone(), weight).unwrap();
        let mut two = [join(1), join(1)];
        assert_eq!(queue.advance().released, 2);
        change(&queue);
        let mut third = Some(join(weight));
        let released = Rc::new(Cell::new(false));
        let seen = released.clone();
        let leaves = move || seen.set(third.take().unwrap().leave() == Left::Released);
        let hit = step.run(leaves, || drive(&queue));
        if hit && !released.get() {
            judge(two.each_mut().map(Waiter::give_back));
        }
        hit
    });
}

#[test]
fn nobody_but_the_latest_gives_back_when_a_heavy_one_left_in_the_middle_of_its_release() {
    for weight in 1..=4 {
        given_back(weight, |_| {}, |[first, _]| assert!(!first, "{weight}"));
    }
}

#[test]
fn nobody_gives_back_after_a_change_though_one_left_in_the_middle_of_its_release() {
    for weight in 1..=3 {
        let change = |queue: &Heavy| queue.charge(1).unwrap();
        given_back(weight, change, |given| {
            assert_eq!(given, [false, false], "{weight}");
        });
    }
}

#[test]
fn the_one_behind_a_full_ring_has_a_position_while_a_driver_stands_still() {
    at_every_step(|step| {
        let (queue, _) = line::<1>(1);
        let first = join(&queue).unwrap();
        let other = queue.clone();
        let stopped = step.stop(move || drive(&other));
        if let Some(next) = join(&queue) {
            assert!(next.position().is_some(), "{step:?}");
            assert!(next.estimate().is_some(), "{step:?}");
        }
        let hit = stopped.hit;
        stopped.go_on();
        drop(first);
        hit
    });
}

#[test]
fn a_permit_that_is_said_to_be_given_back_is_there_a_tick_later() {
    at_every_step(|step| {
        let (queue, clock) = line::<4>(2);
        let mut place = join(&queue).unwrap();
        drive(&queue);
        let other = queue.clone();
        let taken = move || {
            other.try_acquire().unwrap();
        };
        let mut given = false;
        let hit = step.run(taken, || given = place.give_back());
        if hit {
            clock.advance(1);
            assert_eq!(queue.try_acquire().is_ok(), given, "{step:?}");
        }
        hit
    });
}

#[test]
fn a_grant_that_has_released_grants_no_more_whoever_else_does_afterwards() {
    let mut released = 0;
    at_every_step(|step| {
        let (queue, _) = line::<4>(1);
        queue.hold_until(100_000).unwrap();
        let places: Vec<_> = (0..3).map(|_| join(&queue).unwrap()).collect();
        let other = queue.clone();
        let hit = step.run(move || assert!(other.grant()), || assert!(queue.grant()));
        if hit {
            let places = places.iter();
            released = places.filter(|place| !place.is_waiting()).count();
        }
        hit
    });
    assert_eq!(released, 2, "before its last step");
}
