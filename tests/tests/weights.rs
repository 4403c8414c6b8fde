//! Weights, charges and refunds, against the plainest statement of a bucket: credit that grows by one each tick up to a full
//! burst, and a head that goes when its credit is there.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::VecDeque;

use apiqueue_core::{
    ChargeError, EnqueueError, MAX_WEIGHT, ManualClock, Next, Queue, Rate, Status, Waiter,
    WeightedQueue,
};
use proptest::prelude::*;

type Line<'c> = WeightedQueue<&'c ManualClock<u32>, 8>;

#[derive(Clone, Copy, Debug)]
enum Op {
    Enqueue(usize),
    Enter(usize),
    Leave(usize),
    Pass(u32),
    Charge(usize),
    Refund(usize),
    Rate(u32, u32),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (1..10usize).prop_map(Op::Enqueue),
        2 => (1..10usize).prop_map(Op::Enter),
        1 => (0..8usize).prop_map(Op::Leave),
        6 => (0..40u32).prop_map(Op::Pass),
        1 => (0..12usize).prop_map(Op::Charge),
        1 => (0..12usize).prop_map(Op::Refund),
        1 => (1..8u32, 1..10u32).prop_map(|(interval, burst)| Op::Rate(interval, burst)),
    ];
    prop::collection::vec(op, 1..60)
}

fn rate(interval: u32, burst: u32) -> Rate<u32> {
    Rate::<u32>::every(interval)
        .unwrap()
        .burst(burst)
        .unwrap()
        .strict()
}

/// All in ticks.
struct Bucket {
    now: i64,
    interval: i64,
    burst: i64,
    /// When the credit was zero; none at the start, when it is full.
    empty_at: Option<i64>,
    line: VecDeque<(usize, i64)>,
}

impl Bucket {
    fn full(&self) -> i64 {
        self.burst * self.interval
    }

    fn credit(&self) -> i64 {
        self.empty_at
            .map_or(self.full(), |at| (self.now - at).min(self.full()))
    }

    fn set_credit(&mut self, credit: i64) {
        self.empty_at = Some(self.now - credit);
    }

    /// Who goes now.
    fn release(&mut self) -> Vec<usize> {
        let mut gone = Vec::new();
        while let Some(&(name, weight)) = self.line.front() {
            let credit = self.credit();
            if credit < weight.min(self.burst) * self.interval {
                break;
            }
            self.set_credit(credit - weight * self.interval);
            self.line.pop_front();
            gone.push(name);
        }
        gone
    }

    /// The same number of permits, or of permits owed, at another rate; rounded towards fewer.
    fn set_rate(&mut self, interval: i64, burst: i64) {
        let credit = (self.credit() * interval).div_euclid(self.interval);
        (self.interval, self.burst) = (interval, burst);
        self.set_credit(credit.min(self.full()));
    }

    fn refund(&mut self, permits: i64) {
        let credit = self.credit();
        let more = (permits * self.interval).min(self.full() - credit) - 1;
        if more > 0 {
            self.set_credit(credit + more);
        }
    }
}

struct Run<'q> {
    queue: &'q Line<'q>,
    clock: &'q ManualClock<u32>,
    bucket: Bucket,
    /// By name; none once it was seen released, or has left.
    held: Vec<Option<Waiter<&'q Line<'q>>>>,
    released: Vec<usize>,
}

impl<'q> Run<'q> {
    fn join(&mut self, weight: usize, enter: bool) -> Result<(), TestCaseError> {
        let burst = usize::try_from(self.bucket.burst).unwrap();
        let joined = if enter {
            self.queue.enter_weighted(weight)
        } else {
            self.queue.enqueue_weighted(weight)
        };
        match joined {
            Ok(waiter) => {
                prop_assert!(weight <= burst);
                self.bucket
                    .line
                    .push_back((self.held.len(), i64::try_from(weight).unwrap()));
                self.held.push(Some(waiter));
            }
            Err(EnqueueError::Weight { weight: told, max }) => {
                prop_assert_eq!((told, max), (weight, burst));
                prop_assert!(weight > burst);
            }
            Err(EnqueueError::Full { capacity }) => {
                // Who has left counts until the head passes.
                prop_assert_eq!(self.queue.len(), capacity);
            }
            Err(error) => panic!("{error}"),
        }
        Ok(())
    }

    fn leave(&mut self, which: usize) {
        let waiting: Vec<usize> = self.bucket.line.iter().map(|&(name, _)| name).collect();
        if let Some(&name) = waiting.get(which) {
            drop(self.held[name].take());
            self.bucket.line.retain(|&(other, _)| other != name);
        }
    }

    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Enqueue(weight) => self.join(weight, false)?,
            Op::Enter(weight) => self.join(weight, true)?,
            Op::Leave(which) => self.leave(which),
            Op::Pass(ticks) => {
                self.clock.advance(ticks);
                self.bucket.now += i64::from(ticks);
            }
            Op::Charge(permits) => {
                self.queue.charge(permits).unwrap();
                if permits > 0 {
                    let cost = i64::try_from(permits).unwrap() * self.bucket.interval;
                    self.bucket.set_credit(self.bucket.credit() - cost);
                }
            }
            Op::Refund(permits) => {
                self.queue.refund(permits);
                self.bucket.refund(i64::try_from(permits).unwrap());
            }
            Op::Rate(interval, burst) => {
                self.queue.set_rate(rate(interval, burst));
                self.bucket.set_rate(interval.into(), burst.into());
            }
        }
        let next = self.queue.advance().next;
        let due = self.bucket.release();
        for name in due {
            let waiter = self.held[name].take().unwrap();
            prop_assert_eq!(waiter.status(), Status::Released, "{} is due", name);
            self.released.push(name);
        }
        for waiter in self.held.iter().flatten() {
            prop_assert_eq!(waiter.status(), Status::Waiting, "not before its permits");
        }
        if let Some(&(name, weight)) = self.bucket.line.front() {
            let missing =
                weight.min(self.bucket.burst) * self.bucket.interval - self.bucket.credit();
            let at = u32::try_from(self.bucket.now + missing).unwrap();
            prop_assert_eq!(next, Next::At(at));
            let told = self.held[name].as_ref().unwrap().estimate();
            if weight <= self.bucket.burst {
                prop_assert_eq!(told, Some(at));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_weighted_queue_is_a_bucket_with_a_line(
        interval in 1..8u32,
        burst in 1..10u32,
        ops in ops(),
    ) {
        let clock = ManualClock::<u32>::new(1_000);
        let queue: Line<'_> = WeightedQueue::new(&clock, rate(interval, burst));
        let mut run = Run {
            queue: &queue,
            clock: &clock,
            bucket: Bucket {
                now: 1_000,
                interval: interval.into(),
                burst: burst.into(),
                empty_at: None,
                line: VecDeque::new(),
            },
            held: Vec::new(),
            released: Vec::new(),
        };
        for op in ops {
            run.step(op)?;
        }
        let mut sorted = run.released.clone();
        sorted.sort_unstable();
        prop_assert_eq!(run.released, sorted, "in the order of coming");
    }
}

#[test]
fn a_heavy_head_is_neither_overtaken_nor_starved() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_> = WeightedQueue::new(&clock, rate(10, 5));
    let all = queue.enqueue_weighted(5).unwrap();
    let heavy = queue.enqueue_weighted(4).unwrap();
    let light: Vec<_> = (0..3).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(queue.advance().released, 1);
    assert!(!all.is_waiting());
    for _ in 0..39 {
        clock.advance(1);
        assert_eq!(
            queue.advance().released,
            0,
            "nobody takes what gathers for the head"
        );
    }
    clock.advance(1);
    assert_eq!(queue.advance().released, 1);
    assert!(!heavy.is_waiting());
    assert!(light.iter().all(Waiter::is_waiting));
}

#[test]
fn a_burst_made_smaller_than_a_weight_in_line_hangs_nobody() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_> = WeightedQueue::new(&clock, rate(10, 8));
    let _all = queue.enqueue_weighted(8).unwrap();
    let heavy = queue.enqueue_weighted(8).unwrap();
    let behind = queue.enqueue().unwrap();
    let _ = queue.advance();
    queue.set_rate(rate(10, 2));
    assert_eq!(queue.advance().next, Next::At(20), "the burst, full");
    clock.set(20);
    assert_eq!(queue.advance().released, 1);
    assert!(!heavy.is_waiting());
    assert_eq!(
        queue.advance().next,
        Next::At(90),
        "and the rest before the next"
    );
    clock.set(90);
    assert_eq!(queue.advance().released, 1);
    assert!(!behind.is_waiting());
}

#[test]
fn a_heavy_waiter_that_leaves_costs_nobody_a_turn() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_> = WeightedQueue::new(&clock, rate(10, 8));
    let _all = queue.enqueue_weighted(8).unwrap();
    let heavy = queue.enqueue_weighted(8).unwrap();
    let behind = queue.enqueue_weighted(3).unwrap();
    let _ = queue.advance();
    clock.advance(30);
    assert_eq!(queue.advance().released, 0);
    drop(heavy);
    assert_eq!(queue.advance().released, 1, "what gathered for it is there");
    assert!(!behind.is_waiting());
}

#[test]
fn a_heavy_release_that_nobody_saw_is_given_back_whole() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_> = WeightedQueue::new(&clock, rate(10, 8));
    drop({
        let heavy = queue.enqueue_weighted(8).unwrap();
        assert_eq!(queue.advance().released, 1);
        heavy
    });
    let again = queue.enqueue_weighted(8).unwrap();
    clock.advance(1); // less a tick
    assert_eq!(queue.advance().released, 1);
    assert!(!again.is_waiting());
}

#[test]
fn a_weight_that_can_never_be_is_refused_with_the_range() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Line<'_> = WeightedQueue::new(&clock, rate(10, 8));
    for weight in [0, 9, MAX_WEIGHT + 1] {
        let refused = queue.enqueue_weighted(weight).unwrap_err();
        assert_eq!(refused, EnqueueError::Weight { weight, max: 8 });
    }
    assert_eq!(
        queue.enqueue_weighted(9).unwrap_err().to_string(),
        "a weight of 9 permits is not in 1..=8, the burst"
    );
    queue.set_rate(Rate::<u32>::every(1).unwrap().burst(200_000).unwrap());
    assert!(queue.enqueue_weighted(MAX_WEIGHT).is_ok());
    let plain: Queue<_, 2> = Queue::new(&clock, rate(10, 8));
    let refused = Waiter::enqueue_weighted(&plain, 2).unwrap_err();
    assert_eq!(refused, EnqueueError::Weight { weight: 2, max: 1 });
}

#[test]
fn a_charge_beyond_what_readings_can_tell_is_refused_and_changes_nothing() {
    let clock = ManualClock::<u32>::new(0);
    let queue: Queue<_, 2> = Queue::new(&clock, rate(1 << 20, 1));
    let refused = queue.charge(1_000).unwrap_err();
    assert_eq!(
        refused,
        ChargeError {
            permits: 1_000,
            max: 63
        }
    );
    assert!(queue.try_acquire().is_ok());
    assert!(queue.charge(50).is_ok());
    assert_eq!(queue.charge(50).unwrap_err().max, 63 - 50);
}
