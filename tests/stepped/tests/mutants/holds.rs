//! Holds and the mark beside them, that the driver may not know of something: neither gets lost when others come between.

use std::sync::Arc;

use apiqueue_core_stepped::{Next, Waiter};

use crate::common::{Counter, INTERVAL, Line, Step, at_every_step, join, line, rate};

/// A driver that sleeps until somebody in line is due.
fn asleep() -> (Arc<Line<4>>, Arc<Counter>) {
    let (queue, _) = line::<4>(1);
    queue.try_acquire().unwrap();
    std::mem::forget(join(&queue));
    let driver = Arc::<Counter>::default();
    let _ = queue.advance_with(&driver.clone().into());
    (queue, driver)
}

/// Before how many steps a thread can stop in `change`, so that the driver is not told by the same call of another, with
/// `between` before it. Those in which it holds the driver's waker.
fn untold(
    prepare: fn(&Arc<Line<4>>),
    change: fn(&Arc<Line<4>>),
    between: fn(&Arc<Line<4>>),
) -> usize {
    let mut untold = 0;
    at_every_step(|step: Step| {
        let (queue, driver) = asleep();
        prepare(&queue);
        let _ = queue.advance_with(&driver.clone().into());
        let before = driver.count();
        let other = queue.clone();
        let stopped = step.stop(move || change(&other));
        between(&queue);
        change(&queue);
        untold += usize::from(driver.count() == before);
        let hit = stopped.hit;
        stopped.go_on();
        hit
    });
    untold
}

fn faster(queue: &Arc<Line<4>>) {
    queue.set_rate(rate(INTERVAL / 2, 1));
}

fn hold(queue: &Arc<Line<4>>) {
    queue.hold_until(1_500).unwrap();
}

fn longer(queue: &Arc<Line<4>>) {
    queue.hold_until(2_000).unwrap();
}

#[test]
fn who_sets_the_same_rate_as_one_who_stopped_tells_the_driver() {
    assert!(untold(|_| {}, faster, |_| {}) <= 1);
}

#[test]
fn a_hold_between_them_does_not_hide_that_the_driver_was_not_told() {
    assert!(untold(|_| {}, faster, hold) <= 1);
    assert!(untold(hold, faster, longer) <= 1);
}

#[test]
fn who_resumes_after_one_who_stopped_in_it_tells_the_driver() {
    assert!(untold(hold, |queue| queue.resume(), |_| {}) <= 1);
}

#[test]
fn a_driver_that_has_looked_is_not_told_again() {
    let (queue, driver) = asleep();
    faster(&queue);
    assert_eq!(driver.count(), 1);
    let _ = queue.advance_with(&driver.clone().into());
    faster(&queue);
    queue.set_rate(rate(INTERVAL, 1));
    assert_eq!(driver.count(), 1);
    hold(&queue);
    queue.resume();
    assert_eq!(driver.count(), 2);
    let _ = queue.advance_with(&driver.clone().into());
    queue.resume();
    assert_eq!(driver.count(), 2);
}

/// A hold during which `other` comes holds all the same.
fn a_hold_holds(prepare: fn(&Arc<Line<4>>), other: fn(&Arc<Line<4>>)) {
    at_every_step(|step| {
        let (queue, driver) = asleep();
        prepare(&queue);
        let waits = Waiter::enqueue(queue.clone()).unwrap();
        let handled = queue.clone();
        let hit = step.run(move || other(&handled), || longer(&queue));
        queue.clock().set(1_999);
        assert_eq!(queue.advance().next, Next::At(2_000), "{step:?}");
        assert_eq!(queue.advance().released, 0, "{step:?}");
        drop((waits, driver));
        hit
    });
}

fn drives(queue: &Arc<Line<4>>) {
    let driver = Arc::<Counter>::default();
    let _ = queue.advance_with(&driver.into());
}

#[test]
fn a_hold_that_others_come_into_holds_all_the_same() {
    a_hold_holds(|_| {}, faster);
    a_hold_holds(faster, drives);
    a_hold_holds(hold, faster);
    a_hold_holds(
        |queue| {
            hold(queue);
            faster(queue);
        },
        drives,
    );
}

#[test]
fn a_hold_that_ends_in_the_middle_of_a_charge_costs_no_tick() {
    at_every_step(|step| {
        let (queue, clock) = line::<4>(1);
        queue.try_acquire().unwrap();
        queue.hold_until(1_005).unwrap();
        let ends = move || clock.set(1_005);
        let hit = step.run(ends, || queue.charge(1).unwrap());
        clock.set(1_005);
        let _place = join(&queue).unwrap();
        assert_eq!(queue.advance().next, Next::At(1_020), "{step:?}");
        hit
    });
}
