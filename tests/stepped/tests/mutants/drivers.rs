//! A driver that goes to sleep, and what it must not sleep through.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use apiqueue_core_stepped::{Advance, Next, Status, Waiter};

use crate::common::{Counter, INTERVAL, Line, at_every_step, heavy, join, line, rate};

/// While `event` happens at any step of a driver that goes to sleep: it has seen it, or is woken.
fn driver_sleeps_against<E: 'static>(prepare: fn(&Arc<Line<4>>), event: fn(&Arc<Line<4>>) -> E) {
    at_every_step(|step| {
        let (queue, _) = line::<4>(1);
        queue.try_acquire().unwrap();
        prepare(&queue);
        let driver = Arc::<Counter>::default();
        let waker = driver.clone().into();
        let other = queue.clone();
        let handler = move || std::mem::forget(event(&other));
        let mut slept = None;
        let hit = step.run(handler, || slept = Some(queue.advance_with(&waker)));
        let Advance { released, next } = slept.unwrap();
        let now = queue.advance().next;
        assert!(
            next == now || released > 0 || driver.count() > 0,
            "{step:?}: asleep until {next:?} while it is {now:?}"
        );
        hit
    });
}

/// While a driver goes to sleep at any step of `event`: as above.
fn event_meets_a_driver(prepare: fn(&Arc<Line<4>>), event: fn(&Arc<Line<4>>)) {
    at_every_step(|step| {
        let (queue, _) = line::<4>(1);
        queue.try_acquire().unwrap();
        prepare(&queue);
        let driver = Arc::<Counter>::default();
        let (waker, other) = (driver.clone().into(), queue.clone());
        let slept: Rc<Cell<Option<Advance<u32>>>> = Rc::default();
        let seen = slept.clone();
        let handler = move || seen.set(Some(other.advance_with(&waker)));
        let hit = step.run(handler, || event(&queue));
        let now = queue.advance().next;
        if let Some(Advance { released, next }) = slept.take() {
            assert!(
                next == now || released > 0 || driver.count() > 0,
                "{step:?}: asleep until {next:?} while it is {now:?}"
            );
        }
        hit
    });
}

#[test]
fn every_event_that_a_driver_goes_to_sleep_in_tells_it() {
    event_meets_a_driver(|_| {}, somebody);
    event_meets_a_driver(|_| {}, |queue| queue.close());
    event_meets_a_driver(|_| {}, |queue| queue.drain());
    event_meets_a_driver(somebody, |queue| queue.close());
    event_meets_a_driver(somebody, |queue| queue.refund(1));
    event_meets_a_driver(somebody, |queue| queue.set_rate(rate(INTERVAL / 2, 1)));
    event_meets_a_driver(
        |queue| {
            queue.hold_until(1_500).unwrap();
            somebody(queue);
        },
        |queue| queue.resume(),
    );
}

fn somebody(queue: &Arc<Line<4>>) {
    std::mem::forget(join(queue));
}

#[test]
fn a_driver_that_goes_to_sleep_sees_every_event_or_is_woken() {
    driver_sleeps_against(|_| {}, join);
    driver_sleeps_against(|_| {}, |queue| Waiter::enter(queue.clone()));
    driver_sleeps_against(|_| {}, |queue| queue.close());
    driver_sleeps_against(|_| {}, |queue| queue.drain());
    driver_sleeps_against(somebody, |queue| queue.close());
    driver_sleeps_against(somebody, |queue| queue.refund(1));
    driver_sleeps_against(somebody, |queue| queue.set_rate(rate(INTERVAL / 2, 1)));
    driver_sleeps_against(
        |queue| {
            queue.hold_until(1_500).unwrap();
            somebody(queue);
        },
        |queue| queue.resume(),
    );
}

/// After `before` at any step of a driver that goes to sleep, it is woken by whoever comes.
fn an_enqueue_wakes_after(before: fn(&Arc<Line<4>>, &Arc<Counter>)) {
    at_every_step(|step| {
        let (queue, _) = line::<4>(1);
        let driver = Arc::<Counter>::default();
        let (waker, other, wakes) = (driver.clone().into(), queue.clone(), driver.clone());
        let handler = move || before(&other, &wakes);
        let mut next = None;
        let hit = step.run(handler, || next = Some(queue.advance_with(&waker).next));
        assert_eq!(next, Some(Next::OnEnqueue), "{step:?}");
        somebody(&queue);
        assert!(driver.count() >= 1, "{step:?}");
        hit
    });
}

#[test]
fn a_ring_while_a_driver_leaves_its_waker_does_not_use_it_up() {
    an_enqueue_wakes_after(|queue, _| queue.wake_driver());
}

#[test]
fn of_two_drivers_that_go_to_sleep_together_one_is_woken() {
    an_enqueue_wakes_after(|queue, driver| {
        let _ = queue.advance_with(&driver.clone().into());
    });
}

#[test]
fn a_driver_that_leaves_its_waker_in_the_middle_of_a_ring_is_woken() {
    at_every_step(|step| {
        let (queue, _) = line::<4>(1);
        let (old, new) = (Arc::<Counter>::default(), Arc::<Counter>::default());
        let _ = queue.advance_with(&old.clone().into());
        let (other, waker) = (queue.clone(), new.clone().into());
        let handler = move || {
            let _ = other.advance_with(&waker);
        };
        let hit = step.run(handler, || queue.wake_driver());
        somebody(&queue);
        if hit {
            assert!(new.count() >= 1, "{step:?}");
        }
        hit
    });
}

#[test]
fn a_refund_tells_the_driver_of_one_who_stopped_right_after_coming() {
    let mut is_first = true;
    at_every_step(|step| {
        let (queue, _) = line::<4>(1);
        queue.try_acquire().unwrap();
        let driver = Arc::<Counter>::default();
        assert_eq!(
            queue.advance_with(&driver.clone().into()).next,
            Next::OnEnqueue
        );
        let other = queue.clone();
        let stopped = step.stop(move || std::mem::forget(Waiter::enter(other)));
        queue.refund(1);
        if !queue.is_empty() && is_first {
            is_first = false;
            assert_eq!(driver.count(), 1, "{step:?}");
        }
        let hit = stopped.hit;
        stopped.go_on();
        hit
    });
}

#[test]
fn after_a_close_that_stopped_the_next_driver_tells_those_in_line() {
    at_every_step(|step| {
        let (queue, _) = line::<4>(1);
        queue.try_acquire().unwrap();
        let places = [join(&queue).unwrap(), join(&queue).unwrap()];
        let other = queue.clone();
        let stopped = step.stop(move || other.close());
        let next = queue.advance().next;
        for place in &places {
            let is_closed = place.peek() == Status::Closed;
            assert_eq!(is_closed, next == Next::Closed, "{step:?}");
        }
        assert_eq!(queue.is_closed(), next == Next::Closed, "{step:?}");
        let hit = stopped.hit;
        stopped.go_on();
        hit
    });
}

#[test]
fn who_comes_with_a_weight_in_the_middle_of_a_close_is_told() {
    at_every_step(|step| {
        let (queue, _) = heavy(4);
        for _ in 0..4 {
            queue.try_acquire().unwrap();
        }
        let other = queue.clone();
        let mut place = None;
        let hit = step.run(
            move || other.close(),
            || place = Waiter::enqueue_weighted(queue.clone(), 3).ok(),
        );
        if let Some(place) = place
            && hit
        {
            assert_eq!(place.peek(), Status::Closed, "{step:?}");
        }
        hit
    });
}

#[test]
fn a_weight_is_written_down_though_the_door_closes_meanwhile() {
    at_every_step(|step| {
        let (queue, clock) = heavy(4);
        let other = queue.clone();
        let mut place = None;
        let hit = step.run(
            move || other.drain(),
            || place = Waiter::enqueue_weighted(queue.clone(), 3).ok(),
        );
        let _ = queue.advance();
        if let Some(place) = place {
            assert_eq!(place.peek(), Status::Released, "{step:?}");
            clock.advance(1);
        }
        assert!(!hit || queue.advance().next == Next::Closed, "{step:?}");
        hit
    });
}
