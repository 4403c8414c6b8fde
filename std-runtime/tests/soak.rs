//! Eight hours of mixed load in mock time: callers who come, leave and are refused, holds, rates that change.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, EnqueueError, Rate, Waiter};

const MS: u64 = 1_000_000;
const HOURS: u64 = 3_600_000 * MS;

struct Load {
    queue: ApiQueue,
    clock: Arc<ManualClock<u64>>,
    random: fastrand::Rng,
    line: VecDeque<Waiter>,
    interval: u64,
    held_until: u64,
    /// Intervals, since the latest release and until `gathered_at`.
    gathered: f64,
    gathered_at: u64,
    taken: u64,
    released: u64,
    left: u64,
    refused: u64,
}

impl Load {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let interval = 100 * MS;
        Self {
            queue: ApiQueue::builder()
                .every(Duration::from_nanos(interval))
                .capacity(64)
                // A tenth of the shortest interval.
                .catch_up(Duration::from_millis(2))
                .clock(Arc::clone(&clock))
                .manual()
                .start()
                .unwrap(),
            clock,
            random: fastrand::Rng::with_seed(seed),
            line: VecDeque::new(),
            interval,
            held_until: 0,
            gathered: 1.0,
            gathered_at: 0,
            taken: 0,
            released: 0,
            left: 0,
            refused: 0,
        }
    }

    fn now(&self) -> u64 {
        apiqueue::core::Clock::now(&self.clock.as_ref())
    }

    /// Something happens.
    fn event(&mut self) {
        match self.random.u32(..1_000) {
            0 => self.set_rate(),
            1 => self.hold(),
            2..60 => self.leave(),
            // Callers come in crowds.
            60..70 => (0..self.random.u32(1..100)).for_each(|_| self.come()),
            _ => self.come(),
        }
    }

    fn come(&mut self) {
        match self.queue.enqueue() {
            Ok(waiter) => {
                self.taken += 1;
                if waiter.is_waiting() {
                    self.line.push_back(waiter);
                } else {
                    assert!(self.line.is_empty(), "somebody was overtaken");
                    self.seen(1);
                }
            }
            Err(EnqueueError::Full { capacity }) => {
                assert_eq!(self.queue.len(), capacity);
                self.refused += 1;
            }
            Err(why) => unreachable!("{why}"),
        }
    }

    fn leave(&mut self) {
        if !self.line.is_empty() {
            let place = self.random.usize(..self.line.len());
            drop(self.line.remove(place));
            self.left += 1;
        }
    }

    fn set_rate(&mut self) {
        self.gather();
        self.interval = self.random.u64(20..400) * MS;
        self.queue
            .set_rate(Rate::every(Duration::from_nanos(self.interval)).unwrap());
    }

    fn hold(&mut self) {
        let length = self.random.u64(..60_000) * MS;
        self.held_until = self.held_until.max(self.now() + length);
        self.queue.hold_for(Duration::from_nanos(length)).unwrap();
    }

    /// What has gathered of a permit since the latest release: as much of an interval as passed at each rate.
    fn gather(&mut self) {
        let now = self.now();
        self.gathered += (now - self.gathered_at) as f64 / self.interval as f64;
        self.gathered_at = now;
    }

    /// `count` were released at this very moment.
    fn seen(&mut self, count: usize) {
        for _ in 0..count {
            let now = self.now();
            assert!(now >= self.held_until, "released in a hold");
            self.gather();
            assert!(
                self.gathered + 0.1 >= 1.0,
                "released after {} of an interval",
                self.gathered
            );
            self.gathered = 0.0;
            self.released += 1;
        }
    }

    fn advance(&mut self) {
        let count = self.queue.advance().released;
        for _ in 0..count {
            let mut first = self.line.pop_front().unwrap();
            assert!(
                first.try_wait().unwrap().is_some(),
                "the first in line is released first"
            );
        }
        self.seen(count);
        if let Some(first) = self.line.front() {
            assert!(first.is_waiting());
        }
    }
}

#[test]
fn eight_hours_of_mixed_load_keep_every_promise() {
    let mut load = Load::new(8);
    while load.now() < 8 * HOURS {
        load.event();
        load.advance();
        // The driver is late now and then, and not by a whole number of anything.
        load.clock.advance(load.random.u64(1..200 * MS));
        load.advance();
    }
    let stats = load.queue.stats();
    assert_eq!(stats.released, load.released);
    assert_eq!(stats.cancelled, load.left);
    assert_eq!(stats.refused, load.refused);
    assert_eq!(
        load.taken,
        load.released + load.left + load.line.len() as u64
    );
    // What makes the run worth something.
    assert!(load.released > 50_000, "{}", load.released);
    assert!(load.left > 1_000, "{}", load.left);
    assert!(load.refused > 10, "{}", load.refused);
}

/// With somebody always in line and a driver that comes on time, eight hours hold exactly as many slots as they should.
#[test]
fn eight_busy_hours_waste_no_slot() {
    let mut load = Load::new(0);
    load.interval = 10 * MS;
    load.queue
        .set_rate(Rate::every(Duration::from_millis(10)).unwrap());
    let slots = 8 * HOURS / load.interval;
    for _ in 0..slots {
        load.come();
        load.come();
        load.leave();
        load.advance();
        load.clock.advance(load.interval);
    }
    assert_eq!(load.released, slots);
}
