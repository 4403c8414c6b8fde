//! Hosts on a calendar, and whatever can happen to them.

use std::time::Duration;

use apiqueue_fleet::host::{Away, Config, Host, Step};
use apiqueue_fleet::{BackendError, Calendar, Reply, Slots, Terms};

use crate::{AHEAD, MS, SECOND, away, config};

#[test]
fn two_hosts_on_a_calendar_take_turns() {
    let mut calendar = Calendar::default();
    let mut hosts = [1, 2].map(|host| Host::new(Config { host, ..config() }));
    let mut releases = Vec::new();
    for at in (0..20_000 * MS).step_by(500) {
        for (id, host) in hosts.iter_mut().enumerate() {
            let step = host.step(at, 50);
            releases.extend((0..step.grant).map(|_| (at, id)));
            if let Some((number, call)) = step.call {
                let reply = calendar.apply(AHEAD + at, &call);
                host.answered(at, number, Ok(reply));
            }
        }
    }
    releases.retain(|&(at, _)| at > 5 * SECOND);
    let apart = |two: &[(u64, usize)]| two[1].0 - two[0].0 == 10 * MS;
    assert!(releases.windows(2).all(apart));
    let first = releases.iter().filter(|&&(_, id)| id == 0).count();
    assert!((700..=800).contains(&first), "{first} of 1500");
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }
}

struct Node {
    host: Host,
    line: usize,
    /// An answer on its way, and when it arrives.
    answer: Option<(u64, u64, Result<Reply, BackendError>)>,
    /// Of the latest grant.
    granted: usize,
}

struct World {
    what: String,
    random: Random,
    calendar: Calendar,
    nodes: Vec<Node>,
    at: u64,
    is_calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let ways = [
            Away::Stop,
            Away::Full {
                at_most: Duration::from_secs(1),
            },
            Away::default(),
        ];
        let node = |host| Node {
            host: Host::new(Config {
                host,
                interval: (1 + random.below(20)) * MS,
                interval_wins: random.below(4) == 0,
                horizon: (100 + random.below(900)) * MS,
                timeout: (20 + random.below(200)) * MS,
                late: (1 + random.below(100)) * MS,
                weight: 1 + random.below(3) as u32,
                priority: random.below(8) as u8,
                at_once: random.below(2) == 0,
                expected_hosts: random.below(4) as u32,
                away: ways[random.below(3) as usize],
                ..config()
            }),
            line: 0,
            answer: None,
            granted: 0,
        };
        Self {
            what: format!("seed {seed}"),
            nodes: (1..4).map(node).collect(),
            random,
            calendar: Calendar::default(),
            at: SECOND,
            is_calm: false,
        }
    }

    fn step(&mut self) {
        self.at += 1 + self.random.below(4 * MS);
        if !self.is_calm && self.random.below(2_000) == 0 {
            self.calendar = Calendar::default();
        }
        for id in 0..self.nodes.len() {
            if !self.is_calm {
                self.happen(id);
            }
            let node = &mut self.nodes[id];
            if node.answer.as_ref().is_some_and(|(at, ..)| *at <= self.at) {
                let (_, number, answer) = node.answer.take().unwrap();
                node.host.answered(self.at, number, answer);
            }
            self.drive(id);
        }
    }

    fn happen(&mut self, id: usize) {
        let (at, node) = (self.at, &mut self.nodes[id]);
        match self.random.below(400) {
            0..=19 => node.line += self.random.below(20) as usize,
            20..=24 => node.line = 0,
            25 => node.host.hold(at + self.random.below(200) * MS),
            26 => node.host.resume(),
            27 => node.host.retune((1 + self.random.below(20)) * MS),
            28..=37 => {
                let count = node.granted.min(self.random.below(4) as usize);
                node.host.unused(count);
                node.granted -= count;
                node.line += count;
            }
            38..=47 => node.host.came_back(at, self.random.below(3) as usize),
            48..=57 if node.line == 0 => {
                let is_held = at < node.host.held_until();
                let taken = node.host.take_one(at);
                assert!(!(is_held && taken), "{}", self.what);
                node.granted = 0;
            }
            _ => {}
        }
    }

    fn drive(&mut self, id: usize) {
        let at = self.at;
        for _ in 0..100 {
            let node = &mut self.nodes[id];
            let is_held = at < node.host.held_until();
            let step = node.host.step(at, node.line);
            let what = &self.what;
            assert!(step.grant <= node.line, "{what}");
            assert!(!is_held || step.grant == 0, "{what}: in a hold");
            node.line -= step.grant;
            if step.grant > 0 {
                node.granted = step.grant;
            }
            let counts = node.host.counts(at);
            let gone = counts.used + counts.given_back + counts.lost + node.host.held();
            assert!(gone <= counts.granted, "{what}: {counts:?}");
            assert!(node.line == 0 || step.wake.is_some(), "{what}: hangs");
            let idle = step.grant == 0 && step.call.is_none() && step.news.is_none();
            let later = step.wake.is_none_or(|wake| wake > at);
            assert!(!idle || later, "{what}: comes back for nothing");
            if idle {
                return;
            }
            self.send(id, step);
        }
        panic!("{}: never at rest", self.what);
    }

    fn send(&mut self, id: usize, step: Step) {
        let Some((number, call)) = step.call else {
            return;
        };
        let lost = !self.is_calm && self.random.below(8) == 0;
        // It may be carried out or not.
        let is_done = !lost || self.random.below(2) == 0;
        let reply = is_done.then(|| self.calendar.apply(AHEAD + self.at, &call));
        let answer = match reply {
            Some(reply) if !lost => Ok(reply),
            _ if self.random.below(2) == 0 => Err(away()),
            _ => Err(BackendError::Refused("no".to_owned())),
        };
        let arrives = self.at + self.random.below(30 * MS);
        let is_heard = self.is_calm || self.random.below(20) > 0;
        self.nodes[id].answer = is_heard.then_some((arrives, number, answer));
    }
}

/// Nothing panics, nobody waits for ever or is released in a hold, no host comes back for nothing, and in the end each slot that was granted
/// was used, given back or lost.
#[test]
fn whatever_happens_each_slot_is_accounted_for_and_no_host_hangs() {
    let (mut used, mut given_back, mut alone) = (0, 0, 0);
    for seed in 0..60 {
        let mut world = World::new(seed);
        for _ in 0..4_000 {
            world.step();
        }
        world.is_calm = true;
        let before: Vec<u64> = world.nodes.iter().map(|n| n.host.counts(0).used).collect();
        world.nodes.iter_mut().for_each(|node| node.line = 20);
        for _ in 0..8_000 {
            world.step();
        }
        for (node, before) in world.nodes.iter_mut().zip(before) {
            let counts = node.host.counts(world.at);
            assert!(
                node.line == 0 && counts.used + counts.alone > before,
                "{}",
                world.what
            );
            assert!(node.host.is_idle(), "{}: {:?}", world.what, node.host);
            let gone = counts.used + counts.given_back + counts.lost;
            assert_eq!(gone, counts.granted, "{}: {counts:?}", world.what);
            used += counts.used;
            given_back += counts.given_back;
            alone += counts.alone;
        }
    }
    println!("{used} slots used, {given_back} given back, {alone} releases alone");
    assert!(used > 10_000 && given_back > 100 && alone > 100);
}

/// A backend that has gone mad: numbers of all sizes in answers to whatever was asked.
#[test]
fn no_answer_whatever_makes_a_host_panic_or_hang() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut host = Host::new(Config {
            interval: 1 << random.below(50),
            ..config()
        });
        let mut at = SECOND;
        for _ in 0..300 {
            at += random.below(300 * MS);
            match random.below(20) {
                0 => host.retune(odd(&mut random, 0)),
                1 => host.hold(at + random.below(SECOND)),
                2 => host.resume(),
                _ => {}
            }
            let line = random.below(20) as usize;
            let step = host.step(at, line);
            assert!(line == step.grant || step.wake.is_some(), "seed {seed}");
            assert!(host.estimate(at, random.below(100)).is_none_or(|to| to > 0));
            let Some((id, _)) = step.call else {
                continue;
            };
            let now = AHEAD + at;
            let slots = (0..random.below(3)).map(|_| Slots {
                first: odd(&mut random, now),
                count: random.below(4) as u32,
                step: odd(&mut random, 0),
            });
            let slots = slots.collect();
            let reply = Reply {
                now: odd(&mut random, now),
                born: odd(&mut random, now),
                learning_until: odd(&mut random, now),
                terms: Terms {
                    interval: odd(&mut random, 0),
                    hold: odd(&mut random, 0),
                    epoch: odd(&mut random, 0),
                },
                hosts: odd(&mut random, 0) as u32,
                slots,
                next: odd(&mut random, now),
                taken_back: odd(&mut random, 0) as u32,
                below: odd(&mut random, 0) as u32,
                above: odd(&mut random, 0) as u32,
                kept_back: odd(&mut random, 0) as u32,
                later: odd(&mut random, 0),
            };
            host.answered(at, id, Ok(reply));
        }
    }
}

/// Most are near `from`.
fn odd(random: &mut Random, from: u64) -> u64 {
    match random.below(12) {
        0 => [0, 1, 1 << 50, u64::MAX - 1, u64::MAX][random.below(5) as usize],
        1 => from.wrapping_add(1 << random.below(64)),
        2 => from.wrapping_sub(1 << random.below(64)),
        3 => from,
        _ => from + random.below(SECOND),
    }
}
