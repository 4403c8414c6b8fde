//! Accounts under random loads: every limit holds in every window, nothing is taken from one and lost on another, and nobody who
//! could go is left standing.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{Account, ApiQueue, EnqueueError, Rate, Waiter};
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

#[derive(Clone, Debug)]
struct Member {
    own: Vec<Limit>,
    share: u32,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Enqueue(usize, usize),
    Leave(usize, usize),
    Pass(u64),
}

fn limits(most: usize) -> impl Strategy<Value = Vec<Limit>> {
    let limit = (1..20u32, 1..6u32).prop_map(|(interval, burst)| Limit { interval, burst });
    prop::collection::vec(limit, 0..=most)
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..4usize, 1..4usize).prop_map(|(member, weight)| Op::Enqueue(member, weight)),
        1 => (0..4usize, 0..6usize).prop_map(|(member, which)| Op::Leave(member, which)),
        4 => (0..40u64).prop_map(Op::Pass),
    ];
    prop::collection::vec(op, 1..120)
}

/// A limit as plainly as it can be said: credit that grows by one each tick.
struct Bucket {
    limit: Limit,
    empty_at: Option<i64>,
    log: Vec<(i64, usize)>,
}

impl Bucket {
    fn new(limit: Limit) -> Self {
        Self {
            limit,
            empty_at: None,
            log: Vec::new(),
        }
    }

    fn credit(&self, now: i64) -> i64 {
        let full = i64::from(self.limit.burst * self.limit.interval);
        self.empty_at.map_or(full, |at| (now - at).min(full))
    }

    fn cost(&self, weight: usize) -> i64 {
        i64::try_from(weight).unwrap() * i64::from(self.limit.interval)
    }

    fn allows(&self, now: i64, weight: usize) -> bool {
        self.credit(now) >= self.cost(weight)
    }

    fn count(&mut self, now: i64, weight: usize) {
        self.empty_at = Some(now - (self.credit(now) - self.cost(weight)));
        self.log.push((now, weight));
    }

    fn too_many(&self) -> Option<(i64, i64)> {
        for (first, &(from, _)) in self.log.iter().enumerate() {
            let mut used = 0;
            for &(to, weight) in &self.log[first..] {
                used += i64::try_from(weight).unwrap();
                let allowed =
                    i64::from(self.limit.burst) + (to - from) / i64::from(self.limit.interval);
                if used > allowed {
                    return Some((from, to));
                }
            }
        }
        None
    }
}

struct Line {
    queue: ApiQueue,
    own: Vec<Bucket>,
    most: usize,
    waiting: VecDeque<(Waiter, usize)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_limit_holds_and_whoever_all_of_them_allow_goes(
        shared in limits(2),
        members in prop::collection::vec(
            (limits(2), 1..5u32).prop_map(|(own, share)| Member { own, share }),
            1..4,
        ),
        ops in ops(),
    ) {
        let clock = Arc::new(ManualClock::<u64>::new(1_000));
        let account = shared
            .iter()
            .fold(Account::builder(), |builder, limit| builder.limit(limit.rate()))
            .clock(Arc::clone(&clock))
            .manual()
            .start().unwrap();
        let mut all: Vec<Bucket> = shared.iter().map(|&limit| Bucket::new(limit)).collect();
        let mut lines: Vec<Line> = members
            .iter()
            .map(|member| {
                let builder = ApiQueue::builder().within(&account).share(member.share).capacity(128);
                let builder = member.own.iter().fold(builder, |b, limit| b.limit(limit.rate()));
                let limits = shared.iter().chain(&member.own);
                Line {
                    queue: builder.start().unwrap(),
                    own: member.own.iter().map(|&limit| Bucket::new(limit)).collect(),
                    most: limits.map(|limit| limit.burst as usize).min().unwrap_or(usize::MAX),
                    waiting: VecDeque::new(),
                }
            })
            .collect();
        let mut now = 1_000;
        for op in ops {
            match op {
                Op::Pass(ticks) => {
                    clock.advance(ticks);
                    now += i64::try_from(ticks).unwrap();
                }
                Op::Enqueue(member, weight) => {
                    let count = lines.len();
                    let line = &mut lines[member % count];
                    match line.queue.enqueue_weighted(weight) {
                        Ok(waiter) => line.waiting.push_back((waiter, weight)),
                        Err(EnqueueError::Weight { max, .. }) => {
                            prop_assert!(weight > line.most && max == line.most);
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
                Op::Leave(member, which) => {
                    let count = lines.len();
                    drop(lines[member % count].waiting.remove(which));
                }
            }
            let released = account.advance().released;
            let mut gone = 0;
            for line in &mut lines {
                while line.waiting.front().is_some_and(|(waiter, _)| !waiter.is_waiting()) {
                    let (_, weight) = line.waiting.pop_front().unwrap();
                    line.own.iter_mut().chain(&mut all).for_each(|limit| limit.count(now, weight));
                    gone += 1;
                }
                prop_assert!(line.waiting.iter().all(|(waiter, _)| waiter.is_waiting()), "in order");
            }
            prop_assert_eq!(gone, released);
            let could: Vec<usize> = lines
                .iter()
                .filter_map(|line| {
                    let &(_, weight) = line.waiting.front()?;
                    line.own.iter().all(|limit| limit.allows(now, weight)).then_some(weight)
                })
                .collect();
            // A heavy one may be waiting for its permits; then a lighter one of another queue does not go before it.
            if let Some(&heaviest) = could.iter().max() {
                prop_assert!(
                    !all.iter().all(|limit| limit.allows(now, heaviest)),
                    "somebody could go at {}",
                    now
                );
            }
        }
        for limit in all.iter().chain(lines.iter().flat_map(|line| &line.own)) {
            prop_assert_eq!(limit.too_many(), None, "{:?}", limit.limit);
        }
    }
}
