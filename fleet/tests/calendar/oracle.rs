//! Calls at random, beside a set of the slots that are out.

use std::collections::BTreeMap;

use apiqueue_fleet::calendar::MAX_RUNS;
use apiqueue_fleet::{Action, Calendar, Call, Reply, Slots, Terms};

use crate::{MS, NOW, SECOND, each, run};

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }

    fn count(&mut self, n: u64) -> u32 {
        u32::try_from(self.below(n)).unwrap()
    }
}

/// What is known of a calendar from its answers alone.
struct World {
    what: String,
    random: Random,
    calendar: Calendar,
    /// True time, and what the calendar's clock is ahead of it.
    time: u64,
    ahead: i64,
    /// When it was called last, in true time.
    called: u64,
    /// The slots that are out, in true time, and the interval by which they were granted.
    out: BTreeMap<u64, u64>,
    /// What can be given back: with the answer that it came with, and by how much the clock was ahead.
    leases: Vec<(Reply, Slots, i64)>,
    /// The newest terms of all.
    newest: Terms,
    granted: u64,
    taken_back: u64,
    grace: u64,
    /// Whether the clock steps backward.
    steps: bool,
}

impl World {
    fn new(seed: u64, grace: u64, steps: bool) -> Self {
        Self {
            what: format!("seed {seed}"),
            random: Random(seed),
            calendar: Calendar::default(),
            time: NOW,
            ahead: 0,
            called: NOW,
            out: BTreeMap::new(),
            leases: Vec::new(),
            newest: Terms::default(),
            granted: 0,
            taken_back: 0,
            grace,
            steps,
        }
    }

    fn clock(&self) -> u64 {
        self.time.checked_add_signed(self.ahead).unwrap()
    }

    fn truly(&self, slot: u64) -> u64 {
        slot.checked_add_signed(-self.ahead).unwrap()
    }

    fn call(&mut self, action: Action) -> Call {
        let mut known = self.newest;
        match self.random.below(12) {
            // Of a host that knows nothing yet.
            0 => known = Terms::default(),
            // Of one that knows of a change that the state has lost.
            1 if self.newest.epoch > 0 => {
                known.epoch += 1 + self.random.below(3);
                known.interval = 1 + self.random.below(30) * MS / 2;
                known.hold = self.random.below(3) * 20 * MS;
            }
            2 => known.epoch = known.epoch.saturating_sub(1 + self.random.below(5)),
            _ => {}
        }
        if known.epoch == 0 {
            known.interval = 10 * MS;
        }
        let host = self.random.below(5);
        Call {
            host,
            label: "host".into(),
            priority: [0, 0, 3, 1, 7][host as usize],
            known,
            grace: self.grace,
            window: SECOND,
            action,
        }
    }

    fn apply(&mut self, call: &Call) -> Reply {
        self.called = self.time;
        self.calendar.apply(self.clock(), call)
    }

    fn step(&mut self) {
        self.time += self.random.below(25 * MS);
        if self.steps && self.random.below(20) == 0 {
            // By more than has passed since the call before: no calendar can see the others.
            let passed = self.time - self.called;
            self.ahead -= (passed + 1 + self.random.below(200 * MS)) as i64;
        }
        match self.random.below(40) {
            0 => {
                let call = Action::Retune(1 + self.random.below(60) * MS / 2);
                self.change(call);
            }
            1 | 2 => {
                let call = Action::Hold(self.random.below(60) * MS);
                self.change(call);
            }
            3 => self.change(Action::Resume),
            4..=15 => self.give_back(),
            _ => self.reserve(),
        }
        self.look();
    }

    fn change(&mut self, action: Action) {
        let call = self.call(action);
        let reply = self.apply(&call);
        self.hear(&call, &reply);
        assert_eq!((reply.granted(), reply.taken_back), (0, 0), "{}", self.what);
    }

    fn hear(&mut self, call: &Call, reply: &Reply) {
        let (what, terms) = (&self.what, reply.terms);
        assert!(
            terms.epoch >= call.known.epoch.max(self.newest.epoch),
            "{what}"
        );
        match call.action {
            Action::Retune(interval) => assert_eq!(terms.interval, interval, "{what}"),
            Action::Resume => assert_eq!(terms.hold, 0, "{what}"),
            Action::Hold(span) => assert!(terms.hold >= span, "{what}"),
            _ => {}
        }
        self.newest = terms;
    }

    /// Part of a lease, or what is none.
    fn give_back(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        // One of the latest, mostly.
        let all = self.leases.len() as u64;
        let few = if self.random.below(8) == 0 {
            all
        } else {
            all.min(3)
        };
        let which = all - 1 - self.random.below(few);
        let (lease, slots, ahead) = self.leases.swap_remove(which as usize);
        let from = self.random.count(u64::from(slots.count));
        let count = 1 + self.random.count(u64::from(slots.count - from));
        let part = run(
            slots.first + u64::from(from) * slots.step,
            count,
            slots.step,
        );
        let mut born = lease.born;
        if self.random.below(10) == 0 {
            born += 1;
        }
        let action = Action::GiveBack {
            born,
            epoch: lease.terms.epoch,
            slots: vec![part],
        };
        let call = self.call(action);
        let reply = self.apply(&call);
        self.hear(&call, &reply);
        let now = self.clock();
        let truly = |slot: &u64| slot.checked_add_signed(-ahead).unwrap();
        let parts = each(&[part]);
        assert!(reply.taken_back <= count, "{}", self.what);
        assert!(born == lease.born || reply.taken_back == 0, "{}", self.what);
        // Those at the end.
        for slot in parts.iter().rev().take(reply.taken_back as usize) {
            assert!(*slot >= now, "{}: past", self.what);
            let was_out = self.out.remove(&truly(slot)).is_some();
            assert!(was_out, "{}: was not out", self.what);
        }
        self.taken_back += u64::from(reply.taken_back);
    }

    fn reserve(&mut self) {
        let spacing = match self.random.below(3) {
            0 => self.random.below(80 * MS),
            _ => 0,
        };
        let after = match self.random.below(4) {
            0 => self.random.below(400 * MS),
            _ => 0,
        };
        let (want, horizon) = (self.random.count(12), 500 * MS);
        let call = self.call(Action::Reserve {
            want,
            spacing,
            after,
            horizon,
            burst: 1,
            gathered: 0,
        });
        let now = self.clock();
        let reply = self.apply(&call);
        self.hear(&call, &reply);
        let what = &self.what;
        let interval = reply.terms.interval;
        let slots = each(&reply.slots);
        assert!(slots.len() <= want as usize, "{what}");
        assert!(slots.is_sorted(), "{what}");
        if spacing > interval {
            let apart = |two: &[u64]| two[1] - two[0] > spacing - interval;
            assert!(slots.windows(2).all(apart), "{what}: {slots:?}");
            let mut by_itself = (0..).map(|k| now + after + k * spacing);
            let is_late = |slot: &u64| *slot >= by_itself.next().unwrap();
            assert!(slots.iter().all(is_late), "{what}: {slots:?}");
        }
        for slot in &slots {
            assert!(*slot >= now + reply.terms.hold, "{what}: in a hold");
            assert!(*slot >= reply.learning_until, "{what}: in the grace");
            assert!(*slot >= now + after, "{what}: too soon");
            assert!(*slot <= now + horizon, "{what}: beyond the horizon");
            let true_slot = self.truly(*slot);
            let before = self.out.range(..=true_slot).next_back();
            let next = self.out.range(true_slot..).next();
            for (other, by) in before.into_iter().chain(next) {
                let apart = true_slot.abs_diff(*other);
                let least = interval.min(*by);
                assert!(apart >= least, "{what}: {apart} us of {least} apart");
            }
            self.out.insert(true_slot, interval);
        }
        if slots.is_empty() && want > 0 {
            self.there_may_be_one_at(reply.next, call);
        }
        self.granted += slots.len() as u64;
        for slots in &reply.slots {
            self.leases.push((reply.clone(), *slots, self.ahead));
        }
    }

    /// If nobody else asks, `call` has a slot at `next`, and had none at half the time until then.
    fn there_may_be_one_at(&self, next: u64, mut call: Call) {
        let now = self.clock();
        assert!(next > now, "{}: none now", self.what);
        if let Action::Reserve { after, .. } = &mut call.action {
            *after = 0;
        }
        let later = self.calendar.clone().apply(next, &call);
        assert!(later.granted() > 0, "{}: none at {next}", self.what);
    }

    fn look(&mut self) {
        let what = &self.what;
        let Some(state) = &self.calendar.state else {
            return;
        };
        if self.called < self.time {
            // It has not seen yet what the clock says.
            return;
        }
        let runs = state.free.runs();
        assert!(runs.len() <= MAX_RUNS, "{what}");
        let end = |run: &Slots| run.first + u64::from(run.count) * run.step;
        for run in runs {
            assert!(run.step == state.interval && run.count > 0, "{what}");
            assert!(end(run) <= state.tat, "{what}: free behind all others");
            assert!(run.first >= state.last, "{what}: free and past");
        }
        let apart = |two: &[Slots]| end(&two[0]) < two[1].first;
        assert!(runs.windows(2).all(apart), "{what}: {runs:?}");
        for run in runs {
            let within = self.truly(run.first)..self.truly(end(run));
            let out = self.out.range(within).next();
            assert!(out.is_none(), "{what}: free and out");
        }
        while self
            .out
            .first_key_value()
            .is_some_and(|(at, _)| *at + 5 * SECOND < self.time)
        {
            self.out.pop_first();
        }
    }
}

/// How many of 200 runs went wrong, and how many slots were granted and taken back in them.
fn bad(grace: u64, steps: bool) -> Vec<u64> {
    let (mut bad, mut granted, mut taken_back) = (Vec::new(), 0, 0);
    for seed in 0..200 {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed, grace, steps);
            for _ in 0..500 {
                world.step();
            }
            assert!(world.granted > 100, "{}: {}", world.what, world.granted);
            (world.granted, world.taken_back)
        });
        match run {
            Ok(counts) => {
                granted += counts.0;
                taken_back += counts.1;
            }
            Err(_) => bad.push(seed),
        }
    }
    println!("{granted} slots granted, {taken_back} taken back; wrong: {bad:?}");
    assert!(
        taken_back * 20 > granted,
        "{taken_back} of {granted} taken back"
    );
    bad
}

/// Whatever is asked in whatever order, no slot is granted twice, and none closer to another than the interval, or than the
/// smaller of two intervals.
#[test]
fn random_calls_grant_no_slot_twice_and_none_too_close() {
    assert_eq!(bad(0, false), []);
}

#[test]
fn random_calls_grant_no_slot_before_the_grace_ends() {
    assert_eq!(bad(700 * MS, false), []);
}

#[test]
fn random_calls_grant_nothing_twice_when_the_clock_steps_backward() {
    assert_eq!(bad(0, true), []);
}
