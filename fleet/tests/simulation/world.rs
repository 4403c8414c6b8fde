//! A fleet in virtual time: the crate's own hosts and calendar, between them a network that delays and loses, a server that
//! forgets, clocks that are off.

use std::collections::{BTreeMap, BTreeSet};

use apiqueue_fleet::host::{Config, Host};
use apiqueue_fleet::{Action, BackendError, Calendar, Call, Reply, Slots};

use crate::log::{Log, jain};
use crate::node::Node;
use crate::plan::{Fault, MS, Plan, SECOND};

enum Event {
    Wake(usize),
    Request(usize, u64, Call),
    Reply(usize, u64, Reply),
    Arrive(usize),
    Fault(Fault),
}

/// What came out.
pub(crate) struct Run {
    /// By how many releases the rate was exceeded in any window.
    pub(crate) excess: f64,
    /// Of the rate.
    pub(crate) mean: f64,
    /// The most in any second, of the rate.
    pub(crate) most: f64,
    pub(crate) jain: f64,
    pub(crate) calls_per_release: f64,
    /// The longest time without a release, microseconds.
    pub(crate) stall: u64,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) log: Log,
    pub(crate) calls: u64,
    /// Slots granted a second time, by a server that had forgotten the first.
    pub(crate) twice: u64,
    /// The longest round trip that was heard.
    pub(crate) round_trip: u64,
    /// The largest lease.
    pub(crate) largest: u32,
    /// The largest number of seen hosts that was told.
    pub(crate) seen: u32,
    now: u64,
    nodes: Vec<Node>,
    events: BTreeMap<(u64, u64), Event>,
    serial: u64,
    random: u64,
    calendar: Calendar,
    snapshot: Calendar,
    /// Slots that were granted, in true time.
    granted: BTreeSet<u64>,
    clock: i64,
    down_until: u64,
}

impl World {
    pub(crate) fn run(plan: Plan) -> Self {
        // In the output even if the run never ends.
        println!("seed {}", plan.seed);
        let mut world = Self {
            log: Log::default(),
            calls: 0,
            twice: 0,
            round_trip: 0,
            largest: 0,
            seen: 0,
            now: 0,
            nodes: Vec::new(),
            events: BTreeMap::new(),
            serial: 0,
            random: plan.seed,
            calendar: Calendar::default(),
            snapshot: Calendar::default(),
            granted: BTreeSet::new(),
            // Today.
            clock: 1_760_000_000_000_000,
            down_until: 0,
            plan,
        };
        world.people();
        while let Some(((at, _), event)) = world.events.pop_first() {
            if at > world.plan.until {
                break;
            }
            world.now = at;
            world.happen(event);
        }
        world
    }

    fn people(&mut self) {
        let plan = self.plan.clone();
        for id in 0..plan.hosts {
            let config = Config {
                host: self.random(),
                label: "simulated".into(),
                interval: plan.interval,
                burst: 1,
                interval_wins: false,
                horizon: plan.horizon(id),
                timeout: plan.timeout,
                late: plan.late,
                max_lease: 256,
                weight: plan.weights.get(id).copied().unwrap_or(1),
                priority: plan.priorities.get(id).copied().unwrap_or(0),
                at_once: false,
                expected_hosts: 0,
                away: plan.away,
            };
            let (nearest, farthest) = plan.one_way;
            let mut one_way = nearest + self.below(farthest - nearest + 1);
            if let Some((far, delay)) = plan.far
                && far == id
            {
                one_way = delay;
            }
            let skew = self.below(2 * plan.skew + 1) as i64 - plan.skew as i64;
            let offset = self.below(1000 * SECOND);
            self.nodes.push(Node {
                host: Host::new(config),
                line: 0,
                one_way,
                offset,
                skew,
                wake: u64::MAX,
                dead: false,
                closed: false,
                think: plan.think(id),
                paused_until: 0,
            });
            let callers = if id < plan.idle { 0 } else { plan.callers };
            for _ in 0..callers {
                // They do not all come in the first microsecond.
                let at = self.below(100 * MS);
                self.at(at, Event::Arrive(id));
            }
        }
        for (at, fault) in plan.faults {
            self.at(at, Event::Fault(fault));
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.serial += 1;
        self.events.insert((at, self.serial), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake(id) => {
                // Otherwise it was moved.
                if self.nodes[id].wake == self.now {
                    self.nodes[id].wake = u64::MAX;
                    self.drive(id);
                }
            }
            Event::Arrive(id) if self.nodes[id].closed => {}
            Event::Arrive(id) => {
                self.nodes[id].line += 1;
                if self.nodes[id].line == 1 {
                    self.drive(id);
                }
            }
            Event::Request(id, number, call) => self.serve(id, number, call),
            Event::Reply(id, number, reply) => {
                let now = self.now;
                if self.nodes[id].paused_until > now {
                    // In the socket until the process goes on.
                    let later = self.nodes[id].paused_until;
                    return self.at(later, Event::Reply(id, number, reply));
                }
                let node = &mut self.nodes[id];
                node.host
                    .answered(node.local(now), number, Ok::<_, BackendError>(reply));
                self.drive(id);
            }
            Event::Fault(fault) => self.fail(fault),
        }
    }

    fn drive(&mut self, id: usize) {
        let now = self.now;
        if self.nodes[id].dead {
            return;
        }
        if self.nodes[id].paused_until > now {
            let later = self.nodes[id].paused_until;
            self.nodes[id].wake = later;
            return self.at(later, Event::Wake(id));
        }
        loop {
            let node = &mut self.nodes[id];
            let step = node.host.step(node.local(now), node.line);
            node.line -= step.grant;
            for _ in 0..step.grant {
                self.log.release(now, id);
                let think = self.nodes[id].think;
                let call = match self.plan.is_steady {
                    true => think,
                    false => self.below(2 * think),
                };
                let back = now + 1 + call + 2 * self.below(self.plan.wakes + 1);
                self.at(back, Event::Arrive(id));
            }
            let has_call = step.call.is_some();
            if let Some((number, call)) = step.call {
                self.calls += 1;
                self.send(id, Event::Request(id, number, call));
            }
            if step.grant == 0 && !has_call && step.news.is_none() {
                let late = self.below(self.plan.wakes + 1);
                let node = &mut self.nodes[id];
                node.wake = u64::MAX;
                if let Some(wake) = step.wake {
                    // At the same moment only if that can change anything.
                    let at = node.reaches(wake, now).max(now + 1) + late;
                    node.wake = at;
                    self.at(at, Event::Wake(id));
                }
                return;
            }
        }
    }

    /// To or from a host, unless it gets lost.
    fn send(&mut self, id: usize, event: Event) {
        let delay = self.nodes[id].one_way;
        let delay = delay + self.below(delay + 1);
        if self.below(1_000_000) >= self.plan.loss {
            self.at(self.now + delay, event);
        }
    }

    fn serve(&mut self, id: usize, number: u64, call: Call) {
        if self.now < self.down_until {
            return;
        }
        let now = self.server_time();
        let reply = self.calendar.apply(now, &call);
        self.check(&call, &reply);
        let longest = 4 * self.nodes[id].one_way;
        self.round_trip = self.round_trip.max(longest);
        self.send(id, Event::Reply(id, number, reply));
    }

    /// Whether a slot was granted sooner than an interval after or before another one that is out.
    fn check(&mut self, call: &Call, reply: &Reply) {
        self.seen = self.seen.max(reply.hosts);
        let clock = self.clock;
        let truly = move |at: u64| at.saturating_add_signed(-clock);
        let each = |slots: &Slots| {
            let slots = *slots;
            (0..u64::from(slots.count)).map(move |k| truly(slots.first + k * slots.step))
        };
        if let Action::GiveBack { slots, .. } = &call.action
            && reply.taken_back > 0
        {
            for slot in slots.iter().flat_map(each) {
                if slot >= self.now {
                    self.granted.remove(&slot);
                }
            }
        }
        self.largest = self.largest.max(u32::try_from(reply.granted()).unwrap());
        let interval = reply.terms.interval;
        for slot in reply.slots.iter().flat_map(each) {
            let around = slot.saturating_sub(interval - 1)..slot + interval;
            self.twice += u64::from(self.granted.range(around).next().is_some());
            self.granted.insert(slot);
        }
        let old = self.now.saturating_sub(30 * SECOND);
        while self.granted.first().is_some_and(|first| *first < old) {
            self.granted.pop_first();
        }
    }

    fn fail(&mut self, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::Forget => self.calendar = Calendar::default(),
            Fault::Snapshot => self.snapshot = self.calendar.clone(),
            Fault::Failover => self.calendar = self.snapshot.clone(),
            Fault::Step(by) => self.clock += by,
            Fault::Down(span) => self.down_until = now + span,
            Fault::Come(id, callers) => {
                self.nodes[id].closed = false;
                for _ in 0..callers {
                    self.at(now, Event::Arrive(id));
                }
            }
            Fault::Go(id) => {
                self.nodes[id].closed = true;
                self.nodes[id].line = 0;
                self.drive(id);
            }
            Fault::Kill(id) => self.nodes[id].dead = true,
            Fault::Pause(id, span) => self.nodes[id].paused_until = now + span,
            Fault::Hold(id, span) => {
                let node = &mut self.nodes[id];
                node.host.hold(node.local(now) + span);
                self.drive(id);
            }
            Fault::Resume(id) => {
                self.nodes[id].host.resume();
                self.drive(id);
            }
            Fault::Retune(id, interval) => {
                self.nodes[id].host.retune(interval);
                self.drive(id);
            }
        }
    }

    fn server_time(&self) -> u64 {
        self.now.checked_add_signed(self.clock).unwrap()
    }

    pub(crate) fn host(&self, id: usize) -> &Host {
        &self.nodes[id].host
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.nodes.iter().map(|node| &node.host)
    }

    /// How far apart a slot and its release may be.
    pub(crate) fn lateness(&self) -> u64 {
        self.plan.late + self.round_trip + 2 * 2 * self.plan.skew + 2
    }

    pub(crate) fn slack(&self) -> f64 {
        self.lateness() as f64 / self.plan.interval as f64 + 1.0
    }

    /// What is looked at in every run: the excess from the start on, the rest between two times.
    pub(crate) fn measure(&self, what: &str, from: u64, to: u64) -> Run {
        let interval = self.plan.interval;
        let counts = self.log.by_host(self.plan.hosts, from, to);
        let slots = (to - from) as f64 / interval as f64;
        let run = Run {
            excess: self.log.excess(interval, 0, to),
            mean: self.log.between(from, to) as f64 / slots,
            most: self.log.most_within(SECOND, from, to) as f64 * interval as f64 / SECOND as f64,
            jain: jain(&counts),
            calls_per_release: self.calls as f64 / self.log.count() as f64,
            stall: self.log.longest_stall(from, to),
        };
        println!(
            "{what}: seed {}, {} releases, slots lost {}, mean {:.4}, most in a second {:.3}, excess {:.1} (slack {:.1}), Jain {:.4}, calls a release {:.3}, \
             slots twice {}, stall {} ms, largest lease {}",
            self.plan.seed,
            self.log.count(),
            self.hosts().map(|host| host.counts(0).lost).sum::<u64>(),
            run.mean,
            run.most,
            run.excess,
            self.slack(),
            run.jain,
            run.calls_per_release,
            self.twice,
            run.stall / MS,
            self.largest,
        );
        run
    }

    /// Each slot once, no faster than the rate, no slower than so much of it, and in equal parts.
    pub(crate) fn assert_even(&self, run: &Run, mean: f64) {
        assert_eq!(self.twice, 0);
        assert!(run.excess <= self.slack());
        assert!(run.mean >= mean);
        assert!(run.jain >= 0.95);
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random() % n.max(1)
    }

    fn random(&mut self) -> u64 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
