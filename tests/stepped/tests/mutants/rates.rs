//! Changes of rate and hold that meet in the middle of each other, and drivers between.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use apiqueue_core_stepped::{Queue, Rate, Status, Waiter};

use crate::common::{Line, Step, Stopped, at_every_step, clock, drive, rate};

/// A rate of 1,000, of which half an interval has passed.
fn half() -> Arc<Line<4>> {
    part(500)
}

/// A rate of 1,000, of which so many ticks have passed.
fn part(ticks: u32) -> Arc<Line<4>> {
    let queue: Arc<Line<4>> = Arc::new(Queue::new(clock(), rate(1_000, 2)));
    for _ in 0..2 {
        queue.try_acquire().unwrap();
    }
    queue.clock().advance(ticks);
    queue
}

fn parts(rate: Rate<u32>) -> (u32, usize) {
    (rate.interval(), rate.burst_size())
}

const FIRST: (u32, u32) = (2_000, 3);
const SECOND: (u32, u32) = (10, 5);

fn set(queue: &Line<4>, (interval, burst): (u32, u32)) {
    queue.set_rate(rate(interval, burst));
}

/// One of these rates, whole.
fn is_whole(queue: &Line<4>, of: &[(u32, u32)]) -> bool {
    let (interval, burst) = parts(queue.rate());
    of.iter()
        .any(|&(one, other)| interval == one && burst == other as usize)
}

#[test]
fn a_rate_is_seen_whole_at_every_step_of_its_being_set() {
    at_every_step(|step| {
        let queue = half();
        set(&queue, FIRST);
        let other = queue.clone();
        let stopped = step.stop(move || set(&other, SECOND));
        assert!(is_whole(&queue, &[FIRST, SECOND]), "{step:?}");
        assert!(queue.try_acquire().is_err(), "{step:?}: half a permit");
        let hit = stopped.hit;
        stopped.go_on();
        assert!(is_whole(&queue, &[SECOND]), "{step:?}");
        assert!(queue.try_acquire().is_err(), "{step:?}: half a permit");
        hit
    });
}

fn two_rates_meet(ticks: u32) {
    at_every_step(|step| {
        let mut is_step = false;
        at_every_step(|later| {
            let queue = part(ticks);
            let (one, two) = (queue.clone(), queue.clone());
            let first = step.stop(move || set(&one, FIRST));
            is_step |= first.hit;
            let second = later.stop(move || set(&two, SECOND));
            let what = format!("{step:?}, {later:?}");
            assert!(is_whole(&queue, &[(1_000, 2), FIRST, SECOND]), "{what}");
            assert!(queue.try_acquire().is_err(), "{what}: part of a permit");
            let hit = second.hit;
            first.go_on();
            assert!(queue.try_acquire().is_err(), "{what}: part of a permit");
            second.go_on();
            assert!(is_whole(&queue, &[FIRST, SECOND]), "{what}");
            assert!(queue.try_acquire().is_err(), "{what}: part of a permit");
            hit
        });
        is_step
    });
}

#[test]
fn of_two_rates_that_meet_at_any_step_one_wins_whole() {
    two_rates_meet(500);
}

#[test]
fn two_rates_that_meet_make_nobody_due_a_tick_early() {
    two_rates_meet(999);
}

#[test]
fn a_rate_that_is_looked_at_while_others_are_set_is_one_of_them() {
    for count in 1..=4 {
        at_every_step(|step| {
            let queue = half();
            let other = queue.clone();
            let handler = move || {
                for rate in [FIRST, SECOND, FIRST, SECOND].iter().take(count) {
                    set(&other, *rate);
                }
            };
            let mut seen = None;
            let hit = step.run(handler, || seen = Some(parts(queue.rate())));
            let all = [(1_000, 2), (2_000, 3), (10, 5)];
            assert!(all.contains(&seen.unwrap()), "{step:?}: {seen:?}");
            hit
        });
    }
}

/// The rate as it is seen by one who is interrupted before `step`, where setters that stop for good before `writing` have
/// counted up the tag of one bank's interval only, so that it can be the other's; and one more has stopped before `later`. Which
/// of the three steps there are.
fn looked_at(step: Step, writing: Step, later: Step) -> [bool; 3] {
    let queue = half();
    let fail = || {
        let is_writing = writing.abandon(|| set(&queue, SECOND));
        queue.charge(1).unwrap(); // its claim is gone
        is_writing
    };
    fail();
    set(&queue, (1_000, 2));
    let is_writing = fail();
    let (other, is_later) = (queue.clone(), Rc::new(RefCell::new(false)));
    let is_there = is_later.clone();
    let handler = move || {
        set(&other, (1_000, 7));
        *is_there.borrow_mut() = later.abandon(|| set(&other, (50, 4)));
    };
    let mut seen = None;
    let hit = step.run(handler, || seen = Some(parts(queue.rate())));
    let all = [(1_000, 2), (1_000, 7), (50, 4), (10, 5)];
    let what = format!("{step:?}, {writing:?}, {later:?}: {seen:?}");
    assert!(all.contains(&seen.unwrap()), "{what}");
    [hit, is_writing, is_later.take()]
}

#[test]
fn a_rate_that_is_looked_at_after_setters_have_stopped_for_good_is_one_that_was_set() {
    at_every_step(|step| {
        for writing in Step::all() {
            for later in Step::all() {
                let [is_step, is_writing, is_later] = looked_at(step, writing, later);
                if !is_step {
                    return false;
                }
                if !is_later {
                    if !is_writing {
                        return true;
                    }
                    break;
                }
            }
        }
        true
    });
}

#[test]
fn a_permit_used_at_the_first_reading_stays_used_while_a_rate_is_set() {
    at_every_step(|step| {
        let clock = clock();
        clock.set(0);
        let queue: Arc<Line<4>> = Arc::new(Queue::new(clock, rate(1_000, 1)));
        queue.try_acquire().unwrap();
        let other = queue.clone();
        let stopped = step.stop(move || set(&other, (2_000, 1)));
        assert!(queue.try_acquire().is_err(), "{step:?}");
        clock.set(999);
        assert!(queue.try_acquire().is_err(), "{step:?}");
        let hit = stopped.hit;
        stopped.go_on();
        assert!(queue.try_acquire().is_err(), "{step:?}");
        hit
    });
}

/// A hold that ends takes the claim away from whoever stands still in it, and no later claim gives it back.
#[test]
fn a_claim_from_before_a_hold_does_not_come_back_by_another_one() {
    at_every_step(|step| {
        let mut is_step = false;
        at_every_step(|later| {
            let queue: Arc<Line<4>> = Arc::new(Queue::new(clock(), rate(1_000, 10)));
            while queue.try_acquire().is_ok() {}
            let (one, two) = (queue.clone(), queue.clone());
            let first = step.stop(move || set(&one, (10, 10)));
            is_step |= first.hit;
            queue.hold_until(1_500).unwrap();
            queue.clock().set(1_501);
            drive(&queue);
            let second = later.stop(move || set(&two, (10, 10)));
            let hit = second.hit;
            first.go_on();
            let permits = || (0..20).filter(|_| queue.try_acquire().is_ok()).count();
            let before = permits();
            second.go_on();
            let all = before + permits();
            assert!(all <= 1, "{step:?}, {later:?}: {all} at the end of a hold");
            hit
        });
        is_step
    });
}

/// What a driver does that is interrupted by two who set the rate and stop. Which of the three steps there are.
fn mixed(step: Step, one: Step, two: Step) -> [bool; 3] {
    let queue = half();
    let place = Waiter::enqueue(queue.clone()).unwrap();
    let setters: Rc<RefCell<Vec<Stopped>>> = Rc::default();
    let (other, started) = (queue.clone(), setters.clone());
    let handler = move || {
        let (first, second) = (other.clone(), other.clone());
        let first = one.stop(move || set(&first, FIRST));
        let second = two.stop(move || set(&second, SECOND));
        started.borrow_mut().extend([first, second]);
    };
    let hit = step.run(handler, || drive(&queue));
    let what = format!("{step:?}, {one:?}, {two:?}");
    assert_eq!(place.peek(), Status::Waiting, "{what}: half a permit");
    let setters = setters.take();
    let hits = [
        hit,
        setters.first().is_some_and(|setter| setter.hit),
        setters.last().is_some_and(|setter| setter.hit),
    ];
    for setter in setters {
        setter.go_on();
    }
    drive(&queue);
    assert_eq!(place.peek(), Status::Waiting, "{what}: half a permit");
    hits
}

#[test]
fn a_driver_decides_by_no_mixture_of_two_rates() {
    at_every_step(|step| {
        for one in Step::all() {
            for two in Step::all() {
                let [is_step, is_one, is_two] = mixed(step, one, two);
                if !is_step {
                    return false;
                }
                if !is_two {
                    if !is_one {
                        return true;
                    }
                    break;
                }
            }
        }
        true
    });
}
