//! A server that throttles, and clients that call it, in simulated time: a step is a thousandth of a second, a tick a millionth.
//!
//! How long a call is under way is drawn from a seeded generator: every run is the same.

use std::collections::BTreeMap;

use apiqueue_core::{Controller, Outcome, Queue};

use crate::width::Width;

/// The ticks in a step.
const STEP: i128 = 1000;

/// A token bucket: it starts full.
#[derive(Debug)]
pub struct Server {
    pub per_second: u64,
    pub bucket: u64,
    /// In thousandths.
    tokens: u64,
    /// What a refusal tells to wait, in ticks.
    pub retry_after: Option<u64>,
}

impl Server {
    pub fn new(per_second: u64, bucket: u64) -> Self {
        Self {
            per_second,
            bucket,
            tokens: bucket * 1000,
            retry_after: None,
        }
    }

    fn step(&mut self) {
        self.tokens = (self.tokens + self.per_second).min(self.bucket * 1000);
    }

    fn takes(&mut self) -> bool {
        let takes = self.tokens >= 1000;
        if takes {
            self.tokens -= 1000;
        }
        takes
    }
}

/// Whoever calls the server.
pub trait Client {
    /// How many calls it makes now.
    fn calls(&mut self, now: i128) -> usize;
    /// How one of them went.
    fn answered(&mut self, now: i128, released: i128, refusal: Option<Option<u64>>);
}

impl Client for Box<dyn Client> {
    fn calls(&mut self, now: i128) -> usize {
        (**self).calls(now)
    }

    fn answered(&mut self, now: i128, released: i128, refusal: Option<Option<u64>>) {
        (**self).answered(now, released, refusal);
    }
}

/// A client with a queue that is never empty, and a controller.
pub struct Paced<W: Width, K> {
    queue: Queue<W::Clock, 16>,
    controller: K,
    start: i128,
}

impl<W: Width + TryFrom<u64>, K: Controller<W>> Paced<W, K> {
    /// Its clock reads `start` when the simulation begins.
    pub fn new(controller: K, start: i128) -> Self {
        Self {
            queue: Queue::new(W::clock(W::at(start)), controller.rate()),
            controller,
            start,
        }
    }
}

impl<W: Width + TryFrom<u64>, K: Controller<W>> Client for Paced<W, K> {
    fn calls(&mut self, now: i128) -> usize {
        W::set(self.queue.clock(), W::at(self.start + now));
        while self.queue.len() < 8 {
            let Ok(waiter) = self.queue.enqueue() else {
                break;
            };
            // It is counted when it is released: nobody has to hold it until then.
            core::mem::forget(waiter);
        }
        self.queue.advance().released
    }

    fn answered(&mut self, now: i128, released: i128, refusal: Option<Option<u64>>) {
        let outcome = match refusal {
            None => Outcome::Ok,
            Some(None) => Outcome::Throttled,
            Some(Some(ticks)) => W::try_from(ticks).map_or(Outcome::Throttled, Outcome::RetryAfter),
        };
        self.controller
            .outcome(
                W::at(self.start + now),
                W::at(self.start + released),
                outcome,
            )
            .apply(&self.queue);
    }
}

/// A client of some threads without a queue: each calls again at once after an answer, and after a refusal waits a random part
/// of 0.1 s × 2^refusals, at most 20 s.
pub struct Backoff {
    /// When each thread calls next.
    ready: Vec<i128>,
    /// The threads in a call, with their refusals in a row.
    refusals: Vec<u32>,
    /// Threads in a call, in order.
    calling: Vec<usize>,
    random: Random,
}

impl Backoff {
    pub fn new(threads: usize) -> Self {
        Self {
            ready: vec![0; threads],
            refusals: vec![0; threads],
            calling: Vec::new(),
            random: Random(7),
        }
    }
}

impl Client for Backoff {
    fn calls(&mut self, now: i128) -> usize {
        let before = self.calling.len();
        for (thread, ready) in self.ready.iter_mut().enumerate() {
            if *ready <= now {
                *ready = i128::MAX;
                self.calling.push(thread);
            }
        }
        self.calling.len() - before
    }

    fn answered(&mut self, now: i128, _released: i128, refusal: Option<Option<u64>>) {
        // Which of the calls it was makes no difference to the threads' sum.
        let thread = self.calling.remove(0);
        if refusal.is_none() {
            self.refusals[thread] = 0;
            self.ready[thread] = now;
            return;
        }
        let most = (100_000_u64 << self.refusals[thread].min(8)).min(20_000_000);
        self.refusals[thread] += 1;
        self.ready[thread] = now + i128::from(self.random.below(most));
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// What a client got in one second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Second {
    pub taken: u64,
    pub refused: u64,
}

enum Event {
    Arrives,
    Answered(Option<Option<u64>>),
}

/// A server and its clients.
pub struct World {
    pub server: Server,
    clients: Vec<(i128, Box<dyn Client>)>,
    /// By client, then by second.
    pub seconds: Vec<Vec<Second>>,
    under_way: BTreeMap<(i128, u64), (usize, i128, Event)>,
    events: u64,
    random: Random,
    /// The least and the most that a call takes each way, in ticks.
    pub way: (i128, u64),
    now: i128,
}

impl World {
    pub fn new(server: Server) -> Self {
        Self {
            server,
            clients: Vec::new(),
            seconds: Vec::new(),
            under_way: BTreeMap::new(),
            events: 0,
            random: Random(1),
            way: (30_000, 70_000),
            now: 0,
        }
    }

    /// A client that begins now.
    pub fn join(&mut self, client: impl Client + 'static) {
        self.clients.push((self.now, Box::new(client)));
        self.seconds.push(Vec::new());
    }

    pub fn run(&mut self, seconds: usize) {
        let end = self.now + seconds as i128 * 1_000_000;
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.now;
        self.server.step();
        for client in 0..self.clients.len() {
            let (since, caller) = &mut self.clients[client];
            let calls = caller.calls(now - *since);
            let start = now - *since;
            for _ in 0..calls {
                self.later(client, start, Event::Arrives);
            }
        }
        while let Some(entry) = self.under_way.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (client, released, event) = entry.remove();
            match event {
                Event::Arrives => self.arrives(client, released),
                Event::Answered(refusal) => {
                    let (since, caller) = &mut self.clients[client];
                    caller.answered(now - *since, released, refusal);
                }
            }
        }
        self.now += STEP;
    }

    fn arrives(&mut self, client: usize, released: i128) {
        let second = (self.now / 1_000_000) as usize;
        let seconds = &mut self.seconds[client];
        if seconds.len() <= second {
            seconds.resize(second + 1, Second::default());
        }
        let refusal = if self.server.takes() {
            seconds[second].taken += 1;
            None
        } else {
            seconds[second].refused += 1;
            Some(self.server.retry_after)
        };
        self.later(client, released, Event::Answered(refusal));
    }

    fn later(&mut self, client: usize, released: i128, event: Event) {
        let (least, most) = self.way;
        let spread = most - least as u64;
        let at = self.now + least + i128::from(self.random.below(spread));
        self.events += 1;
        self.under_way
            .insert((at, self.events), (client, released, event));
    }

    /// What `client` got between two seconds, summed up.
    pub fn sum(&self, client: usize, from: usize, to: usize) -> Second {
        self.seconds[client]
            .iter()
            .take(to)
            .skip(from)
            .fold(Second::default(), |sum, second| Second {
                taken: sum.taken + second.taken,
                refused: sum.refused + second.refused,
            })
    }
}
