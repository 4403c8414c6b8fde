//! Accounts inside accounts under random loads, against plain buckets and plain counts: no limit on the way is ever exceeded, no node
//! has more calls under way than it may, nobody who could go is left standing, and nothing is left behind.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{Account, ApiQueue, EnqueueError, Next, Rate, Stop, Waiter};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Limit {
    interval: u32,
    burst: u32,
}

impl Limit {
    fn rate(self) -> Rate {
        Rate::every(Duration::from_nanos(self.interval.into()))
            .unwrap()
            .burst(self.burst)
            .unwrap()
            .strict()
    }
}

/// An account, or a queue.
#[derive(Clone, Debug)]
struct Node {
    parent: usize,
    limits: Vec<Limit>,
    at_once: Option<usize>,
    share: u32,
    priority: u8,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Enqueue(usize, usize),
    Leave(usize, usize),
    End(usize, usize),
    Pass(u64),
    Hold(usize, u64),
    Resume(usize),
    Charge(usize, usize),
    Stop(usize),
}

fn node() -> impl Strategy<Value = Node> {
    let limit = (1..20u32, 1..6u32).prop_map(|(interval, burst)| Limit { interval, burst });
    let limits = prop::collection::vec(limit, 0..=2);
    let at_once = prop::option::weighted(0.3, 1..4usize);
    let order = (1..5u32, 0..3u8);
    (0..100usize, limits, at_once, order).prop_map(
        |(parent, limits, at_once, (share, priority))| Node {
            parent,
            limits,
            at_once,
            share,
            priority,
        },
    )
}

fn ops(heaviest: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => (0..100usize, 1..=heaviest).prop_map(|(queue, weight)| Op::Enqueue(queue, weight)),
        2 => (0..100usize, 0..6usize).prop_map(|(queue, which)| Op::Leave(queue, which)),
        4 => (0..100usize, 0..6usize).prop_map(|(queue, which)| Op::End(queue, which)),
        8 => (0..40u64).prop_map(Op::Pass),
        1 => (0..100usize, 1..60u64).prop_map(|(node, ticks)| Op::Hold(node, ticks)),
        1 => (0..100usize).prop_map(Op::Resume),
        1 => (0..100usize, 1..4usize).prop_map(|(queue, permits)| Op::Charge(queue, permits)),
        1 => (0..400usize).prop_map(Op::Stop),
    ];
    prop::collection::vec(op, 1..160)
}

/// A limit as plainly as it can be said: credit that grows by one each tick.
struct Bucket {
    limit: Limit,
    empty_at: Option<i64>,
    held_until: i64,
}

impl Bucket {
    fn new(limit: Limit) -> Self {
        Self {
            limit,
            empty_at: None,
            held_until: 0,
        }
    }

    fn step(&self) -> i64 {
        self.limit.interval.into()
    }

    fn credit(&self, now: i64) -> i64 {
        let full = i64::from(self.limit.burst) * self.step();
        self.empty_at.map_or(full, |at| (now - at).min(full))
    }

    fn allows(&mut self, now: i64, weight: usize) -> bool {
        if now < self.held_until {
            return false;
        }
        if self.held_until > 0 {
            // One permit is there at the end of a hold, if there was one before.
            let begun = self.held_until - self.step();
            self.empty_at = Some(self.empty_at.map_or(begun, |at| at.max(begun)));
            self.held_until = 0;
        }
        self.credit(now) >= i64::try_from(weight).unwrap() * self.step()
    }

    fn count(&mut self, now: i64, weight: usize) {
        let cost = i64::try_from(weight).unwrap() * self.step();
        self.empty_at = Some(now - (self.credit(now) - cost));
    }
}

/// What is known of a node.
struct Known {
    parent: Option<usize>,
    buckets: Vec<Bucket>,
    at_once: usize,
    under_way: usize,
}

struct Line {
    queue: Option<ApiQueue>,
    known: usize,
    most: usize,
    waiting: VecDeque<(Waiter, usize)>,
    calls: Vec<Waiter>,
}

impl Line {
    /// What the first costs, if it was released.
    fn pop_released(&mut self) -> Option<usize> {
        self.waiting
            .front()
            .filter(|(waiter, _)| !waiter.is_waiting())?;
        let (waiter, weight) = self.waiting.pop_front()?;
        self.calls.push(waiter);
        Some(weight)
    }
}

struct World {
    clock: Arc<ManualClock<u64>>,
    now: i64,
    accounts: Vec<Account>,
    known: Vec<Known>,
    lines: Vec<Line>,
}

impl World {
    fn new(accounts: &[Node], queues: &[Node]) -> Self {
        let mut world = Self {
            clock: Arc::new(ManualClock::<u64>::new(1_000)),
            now: 1_000,
            accounts: Vec::new(),
            known: Vec::new(),
            lines: Vec::new(),
        };
        for (number, node) in accounts.iter().enumerate() {
            let parent = (number > 0).then(|| node.parent % number);
            let mut builder = Account::builder().aging(Duration::from_nanos(50));
            builder = match parent {
                Some(parent) => builder
                    .within(&world.accounts[parent])
                    .share(node.share)
                    .priority(node.priority),
                None => builder.clock(Arc::clone(&world.clock)).manual(),
            };
            builder = node
                .limits
                .iter()
                .fold(builder, |b, limit| b.limit(limit.rate()));
            if let Some(at_once) = node.at_once {
                builder = builder.at_once(at_once);
            }
            world.accounts.push(builder.start().unwrap());
            world.know(node, parent);
        }
        for node in queues {
            let parent = node.parent % accounts.len();
            let mut builder = ApiQueue::builder()
                .within(&world.accounts[parent])
                .share(node.share)
                .priority(node.priority)
                .capacity(256);
            builder = node
                .limits
                .iter()
                .fold(builder, |b, limit| b.limit(limit.rate()));
            if let Some(at_once) = node.at_once {
                builder = builder.at_once(at_once);
            }
            let queue = builder.start().unwrap();
            let known = world.know(node, Some(parent));
            let bursts = world
                .path(known)
                .into_iter()
                .flat_map(|id| &world.known[id].buckets);
            world.lines.push(Line {
                most: bursts
                    .map(|bucket| bucket.limit.burst as usize)
                    .min()
                    .unwrap_or(usize::MAX),
                queue: Some(queue),
                known,
                waiting: VecDeque::new(),
                calls: Vec::new(),
            });
        }
        world
    }

    fn know(&mut self, node: &Node, parent: Option<usize>) -> usize {
        self.known.push(Known {
            parent,
            buckets: node
                .limits
                .iter()
                .map(|&limit| Bucket::new(limit))
                .collect(),
            at_once: node.at_once.unwrap_or(usize::MAX),
            under_way: 0,
        });
        self.known.len() - 1
    }

    fn path(&self, known: usize) -> Vec<usize> {
        std::iter::successors(Some(known), |&id| self.known[id].parent).collect()
    }

    fn could_go(&mut self, known: usize, weight: usize) -> bool {
        let now = self.now;
        let mut could = true;
        self.each(known, |node| {
            could &= node.under_way < node.at_once;
            for bucket in &mut node.buckets {
                could &= bucket.allows(now, weight);
            }
        });
        could
    }

    fn each(&mut self, known: usize, mut change: impl FnMut(&mut Known)) {
        for id in self.path(known) {
            change(&mut self.known[id]);
        }
    }

    fn perform(&mut self, op: Op) {
        let queues = self.lines.len();
        match op {
            Op::Pass(ticks) => {
                self.clock.advance(ticks);
                self.now += i64::try_from(ticks).unwrap();
            }
            Op::Enqueue(queue, weight) => {
                let line = &mut self.lines[queue % queues];
                let Some(queue) = &line.queue else { return };
                match queue.enqueue_weighted(weight) {
                    Ok(waiter) => line.waiting.push_back((waiter, weight)),
                    Err(EnqueueError::Weight { max, .. }) => {
                        assert!(weight > line.most && max == line.most, "{weight}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            Op::Leave(queue, which) => drop(self.lines[queue % queues].waiting.remove(which)),
            Op::End(queue, which) => {
                let line = &mut self.lines[queue % queues];
                if which < line.calls.len() {
                    drop(line.calls.remove(which));
                    let known = line.known;
                    self.each(known, |node| node.under_way -= 1);
                }
            }
            Op::Hold(node, ticks) => {
                let node = node % self.known.len();
                let time = Duration::from_nanos(ticks);
                match node.checked_sub(self.accounts.len()) {
                    None => self.accounts[node].hold_for(time).unwrap(),
                    Some(line) => match &self.lines[line].queue {
                        Some(queue) => queue.hold_for(time).unwrap(),
                        None => return,
                    },
                }
                let until = self.now + i64::try_from(ticks).unwrap();
                for bucket in &mut self.known[node].buckets {
                    // One that is over has left its mark.
                    bucket.allows(self.now, 1);
                    bucket.held_until = bucket.held_until.max(until);
                }
                // A node without limits can be held, too.
                if self.known[node].buckets.is_empty() {
                    self.known[node].buckets.push(Bucket::new(Limit {
                        interval: 1,
                        burst: 4_000_000_000,
                    }));
                    self.known[node].buckets[0].held_until = until;
                }
            }
            Op::Resume(node) => {
                let node = node % self.known.len();
                match node.checked_sub(self.accounts.len()) {
                    None => self.accounts[node].resume(),
                    Some(line) => match &self.lines[line].queue {
                        Some(queue) => queue.resume(),
                        None => return,
                    },
                }
                for bucket in &mut self.known[node].buckets {
                    if bucket.held_until > self.now {
                        bucket.held_until = self.now;
                    }
                }
            }
            Op::Charge(queue, permits) => {
                let line = &self.lines[queue % queues];
                let Some(queue) = &line.queue else { return };
                queue.charge(permits).unwrap();
                let (known, now) = (line.known, self.now);
                self.each(known, |node| {
                    for bucket in &mut node.buckets {
                        // A hold that is over has left its mark before.
                        bucket.allows(now, 1);
                        bucket.count(now, permits);
                    }
                });
            }
            Op::Stop(queue) => {
                let Some(line) = self.lines.get_mut(queue) else {
                    return;
                };
                if let Some(queue) = line.queue.take() {
                    queue.stop(Stop::Now);
                    line.waiting.clear();
                }
            }
        }
    }

    /// Counts who went, at the moment.
    fn look(&mut self) -> usize {
        let mut gone = 0;
        for number in 0..self.lines.len() {
            while let Some(weight) = self.lines[number].pop_released() {
                gone += 1;
                let (known, now) = (self.lines[number].known, self.now);
                self.each(known, |node| {
                    node.under_way += 1;
                    assert!(node.under_way <= node.at_once, "too many at once");
                    for bucket in &mut node.buckets {
                        bucket.count(now, weight);
                        let credit = bucket.credit(now);
                        assert!(credit >= 0, "early by {} at {now}", -credit);
                    }
                });
            }
            let mut waiting = self.lines[number].waiting.iter();
            assert!(waiting.all(|(waiter, _)| waiter.is_waiting()), "in order");
        }
        gone
    }

    fn run(&mut self, op: Op, is_exact: bool) {
        self.perform(op);
        for id in 0..self.known.len() {
            // A hold that is over leaves its mark before anything is counted.
            self.could_go(id, 1);
        }
        let advance = self.accounts[0].advance();
        let gone = self.look();
        assert_eq!(gone, advance.released);
        let heads: Vec<_> = self
            .lines
            .iter()
            .filter_map(|line| Some((line.known, line.waiting.front()?.1)))
            .collect();
        for &(known, weight) in &heads {
            if is_exact {
                assert!(
                    !self.could_go(known, weight),
                    "somebody could go at {}",
                    self.now
                );
            }
        }
        let is_held_back_by_calls = self.known.iter().any(|node| node.under_way >= node.at_once);
        if advance.next == Next::OnEnqueue && !is_held_back_by_calls {
            assert!(heads.is_empty(), "nobody comes for them");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_all_limits_on_the_way_allow_goes_and_nobody_else(
        accounts in prop::collection::vec(node(), 1..5),
        queues in prop::collection::vec(node(), 1..5),
        ops in ops(1),
    ) {
        let mut world = World::new(&accounts, &queues);
        for op in ops {
            world.run(op, true);
        }
    }

    #[test]
    fn whatever_calls_weigh_no_limit_is_exceeded(
        accounts in prop::collection::vec(node(), 1..5),
        queues in prop::collection::vec(node(), 1..5),
        ops in ops(4),
    ) {
        let mut world = World::new(&accounts, &queues);
        for op in ops {
            world.run(op, false);
        }
        // Whatever happened, all who are left go in time, but for those who wait for calls to end.
        for _ in 0..400 {
            world.run(Op::Pass(40), false);
            for queue in 0..world.lines.len() {
                while !world.lines[queue].calls.is_empty() {
                    world.perform(Op::End(queue, 0));
                }
            }
        }
        prop_assert!(world.lines.iter().all(|line| line.waiting.is_empty()), "somebody starves");
    }
}
