//! Lateness that is made up for a time that was told: what a server sees of it, and who gets it.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, missing_docs)]

use apiqueue_core::{Clock, ManualClock, Next, Queue, Rate, Status};

const INTERVAL: u32 = 100;

type Line<'c> = Queue<&'c ManualClock<u32>, 64>;

fn queue(clock: &ManualClock<u32>, burst: u32, catch_up: u32) -> Line<'_> {
    let rate = Rate::<u32>::every(INTERVAL).unwrap().burst(burst).unwrap();
    Queue::new(clock, rate).catch_up(catch_up)
}

/// Drives a line in which there is always somebody, as a driver does that comes when it is told, and then so many ticks later
/// each time. The readings of all releases.
fn driven(catch_up: u32, late: &[u32]) -> Vec<u32> {
    let clock = ManualClock::<u32>::new(0);
    let queue = queue(&clock, 1, catch_up);
    let mut line: Vec<_> = (0..32).map(|_| queue.enqueue().unwrap()).collect();
    let mut released = Vec::new();
    for late in late {
        let advance = queue.advance();
        for _ in 0..advance.released {
            assert_eq!(line.remove(0).status(), Status::Released);
            line.push(queue.enqueue().unwrap());
            released.push(clock.now());
        }
        if let Next::At(at) = advance.next {
            clock.set(at + late);
        }
    }
    released
}

/// Late by up to two intervals now and then, and a little always.
fn lateness() -> Vec<u32> {
    (0..5_000)
        .map(|i| if i % 29 == 0 { 31 * i % 201 } else { i % 9 })
        .collect()
}

#[test]
fn a_driver_that_is_late_now_and_then_keeps_the_mean() {
    let released = driven(8 * INTERVAL, &lateness());
    let last = *released.last().unwrap();
    let slots = usize::try_from(last / INTERVAL).unwrap();
    // It may be behind at the very end, by what it is late.
    assert!(
        released.len() + 6 > slots,
        "{} of {slots} slots",
        released.len()
    );
    let without = driven(10, &lateness());
    let slots = usize::try_from(without.last().unwrap() / INTERVAL).unwrap();
    assert!(
        without.len() < slots - slots / 50,
        "or the test shows nothing"
    );
}

#[test]
fn what_is_made_up_is_spread_out() {
    // Never late by more than half of this.
    let released = driven(16 * INTERVAL, &lateness());
    for pair in released.windows(2) {
        // An interval less a tenth, and less what the first of the two was a little late.
        assert!(pair[1] - pair[0] >= INTERVAL * 8 / 10, "{pair:?}");
    }
}

#[test]
fn no_window_holds_more_than_the_time_told_allows() {
    let catch_up = 3 * INTERVAL;
    let released = driven(catch_up, &lateness());
    for (first, &from) in released.iter().enumerate() {
        for (count, &to) in (1..).zip(released[first..].iter().take(20)) {
            let most = 1 + (to - from + catch_up) / INTERVAL;
            assert!(count <= most, "{count} releases in {from}..={to}");
        }
    }
}

/// However long nobody was there, and whether the driver was there meanwhile or not.
#[test]
fn a_pause_is_followed_by_no_burst_that_nobody_asked_for() {
    for burst in [1, 4] {
        for pause in (0..40).map(|n| n * 37) {
            for is_driven in [false, true] {
                let clock = ManualClock::<u32>::new(0);
                let queue = queue(&clock, burst, 10 * INTERVAL);
                let line: Vec<_> = (0..6).map(|_| queue.enqueue().unwrap()).collect();
                // All of them have gone, late.
                while !queue.is_empty() {
                    clock.advance(130);
                    let _ = queue.advance();
                }
                drop(line);
                if is_driven {
                    let _ = queue.advance();
                }
                clock.advance(pause);
                let mut at_once = 0;
                while queue.try_acquire().is_ok() {
                    at_once += 1;
                }
                assert!(at_once <= burst, "{at_once} after {pause}");
                clock.advance(INTERVAL - 1);
                let early = u32::from(queue.try_acquire().is_ok());
                assert!(at_once + early <= burst + 1, "less than a permit more");
                assert!(queue.try_acquire().is_err());
            }
        }
    }
}

/// One who waited and left has waited for nothing.
#[test]
fn a_driver_that_finds_the_line_left_makes_nothing_up() {
    let clock = ManualClock::<u32>::new(0);
    let queue = queue(&clock, 1, 10 * INTERVAL);
    let first = queue.enqueue().unwrap();
    let second = queue.enqueue().unwrap();
    assert_eq!(queue.advance().released, 1);
    drop((first, second));
    assert_eq!(queue.advance().next, Next::OnEnqueue);
    clock.set(9 * INTERVAL);
    let line: Vec<_> = (0..8).map(|_| queue.enter().unwrap()).collect();
    assert_eq!(line.iter().filter(|waiter| !waiter.is_waiting()).count(), 1);
    assert_eq!(queue.advance().released, 0);
}

#[test]
fn short_intervals_are_made_up_at_once() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_> = Queue::new(&clock, Rate::<u32>::every(1).unwrap()).catch_up(1_000);
    let _line: Vec<_> = (0..50).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(queue.advance().released, 1);
    clock.set(49);
    assert_eq!(queue.advance().released, 49);
}

#[test]
fn a_strict_rate_makes_nothing_up() {
    let clock = ManualClock::<u32>::new(0);
    let rate = Rate::<u32>::every(INTERVAL).unwrap().strict();
    let queue: Line<'_> = Queue::new(&clock, rate).catch_up(10 * INTERVAL);
    let _line: Vec<_> = (0..4).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(queue.advance().released, 1);
    clock.set(INTERVAL + 90);
    let advance = queue.advance();
    assert_eq!(
        (advance.released, advance.next),
        (1, Next::At(2 * INTERVAL + 90))
    );
}

/// What was charged, put back or set to another rate while a line waits leaves it what it had waited for.
#[test]
fn a_charge_and_a_refund_leave_the_lateness_to_be_made_up() {
    let clock = ManualClock::<u32>::new(0);
    let queue = queue(&clock, 1, 10 * INTERVAL);
    let line: Vec<_> = (0..9).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(queue.advance().released, 1);
    clock.set(5 * INTERVAL); // five slots late
    queue.charge(2).unwrap();
    queue.refund(1); // a tick short
    queue.set_rate(Rate::<u32>::every(INTERVAL).unwrap());
    let mut released = 0;
    for _ in 0..10 {
        released += queue.advance().released;
        clock.advance(INTERVAL / 2);
    }
    // The charge took two of the nine slots, and what was put back was above the burst.
    assert_eq!(released, 7);
    drop(line);
}

/// However late it comes each time, as long as that is less than the time told.
#[test]
fn a_driver_that_is_always_late_keeps_the_mean() {
    for late in [10, 50, 100, 150, 200, 300, 400, 600, 800, 950] {
        let released = driven(10 * INTERVAL, &[late; 2_000]);
        let slots = usize::try_from(released.last().unwrap() / INTERVAL).unwrap();
        assert!(
            released.len() + 11 > slots,
            "{late} late each time: {} of {slots} slots",
            released.len()
        );
    }
}

#[test]
fn a_driver_that_is_late_at_random_keeps_the_mean() {
    for most in [200, 300, 500, 900] {
        let late: Vec<u32> = (1..4_000_u32)
            .map(|i| i.wrapping_mul(2_654_435_761) % most)
            .collect();
        let released = driven(10 * INTERVAL, &late);
        let slots = usize::try_from(released.last().unwrap() / INTERVAL).unwrap();
        // It can't be known how late it will be the next time.
        assert!(
            released.len() + 11 + slots / 500 > slots,
            "up to {most} late: {} of {slots} slots",
            released.len()
        );
    }
}

#[test]
fn a_time_of_any_length_can_be_told() {
    for catch_up in [u32::MAX, u32::MAX - 1, 1 << 26, 50 * INTERVAL] {
        let clock = ManualClock::<u32>::new(0);
        let queue = queue(&clock, 1, catch_up);
        let _line: Vec<_> = (0..40).map(|_| queue.enqueue().unwrap()).collect();
        assert_eq!(queue.advance().released, 1);
        clock.set(30 * INTERVAL);
        let mut released = 0;
        while let Next::At(at) = queue.advance().next
            && clock.now() < 60 * INTERVAL
        {
            released = 40 - queue.len();
            clock.set(at);
        }
        assert!(released > 31, "{released} with {catch_up}");
    }
}

/// Where so much can't be told apart, less is made up, and spread accordingly.
#[test]
fn what_there_is_no_room_for_is_not_counted_on() {
    let interval = 1 << 25;
    let clock = ManualClock::<u32>::new(0);
    let rate = Rate::<u32>::every(interval).unwrap();
    let queue: Line<'_> = Queue::new(&clock, rate).catch_up((1 << 26) - 1);
    let mut released = 0_u64;
    let mut passed = 0_u64;
    let mut line: Vec<_> = (0..32).map(|_| queue.enqueue().unwrap()).collect();
    for _ in 0..2_000 {
        let advance = queue.advance();
        for _ in 0..advance.released {
            assert_eq!(line.remove(0).status(), Status::Released);
            line.push(queue.enqueue().unwrap());
            released += 1;
        }
        if let Next::At(at) = advance.next {
            let to = at.wrapping_add(interval / 2);
            passed += u64::from(to.wrapping_sub(clock.now()));
            clock.set(to);
        }
    }
    let slots = passed / u64::from(interval);
    assert!(released + 3 > slots, "{released} of {slots} slots");
}
