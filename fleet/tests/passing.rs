//! Callers who come to an empty line and take a slot that is held and due, without the driver: whether it comes in time all the same, for
//! leases to last and to be renewed. On the mock clock, with the driver as a task that is polled when it is woken or its time has come.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{ApiQueue, Timer, Waiter};
use apiqueue_fleet::{Answer, Backend, Call, FleetLimit, InProcess, LimitState, Reply};

const MS: u64 = 1_000_000;
const FAR: u64 = u64::MAX;

/// When the call under way goes on.
type Due = Arc<Mutex<Option<(u64, Waker)>>>;

/// Answers a round trip later.
#[derive(Debug)]
struct Far {
    backend: InProcess,
    clock: Arc<ManualClock<u64>>,
    trip: u64,
    due: Due,
}

impl Far {
    fn later<'a, T: Send + 'a>(
        &self,
        mut call: impl FnMut() -> Answer<'a, T> + Send + 'a,
    ) -> Answer<'a, T> {
        let (clock, due) = (Arc::clone(&self.clock), Arc::clone(&self.due));
        let at = clock.now() + self.trip;
        let half = clock.now() + self.trip / 2;
        let mut answer = None;
        Box::pin(poll_fn(move |cx| {
            let now = clock.now();
            if now >= half && answer.is_none() {
                answer = Some(call());
            }
            if now >= at {
                return answer.as_mut().unwrap().as_mut().poll(cx);
            }
            let next = if now < half { half } else { at };
            *due.lock().unwrap() = Some((next, cx.waker().clone()));
            Poll::Pending
        }))
    }
}

impl Backend for Far {
    fn call<'a>(&'a self, limit: &'a str, call: Call) -> Answer<'a, Reply> {
        self.later(move || self.backend.call(limit, call.clone()))
    }

    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        self.later(move || self.backend.look(limit))
    }
}

/// Goes off by the mock clock.
struct Alarm {
    clock: Arc<ManualClock<u64>>,
    at: Rc<Cell<u64>>,
}

impl Timer for Alarm {
    fn poll_until(&mut self, at: Instant, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What real time has passed since it was reckoned is not to make it early.
        let left = at.saturating_duration_since(Instant::now()).as_nanos() as u64;
        if left == 0 {
            return Poll::Ready(Ok(()));
        }
        self.at
            .set((self.clock.now() + left).next_multiple_of(MS / 10));
        Poll::Pending
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A queue of a backend that is a round trip away, and its driver.
struct World {
    clock: Arc<ManualClock<u64>>,
    limit: FleetLimit,
    queue: ApiQueue,
    driver: Pin<Box<dyn Future<Output = ()>>>,
    alarm: Rc<Cell<u64>>,
    due: Due,
    is_woken: Arc<Flag>,
}

impl World {
    fn new(per_second: u32, trip: u64) -> Self {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let backend = InProcess::with_clock(Arc::clone(&clock));
        let due = Due::default();
        let limit = FleetLimit::new(
            "limit",
            Far {
                backend,
                clock: clock.clone(),
                trip,
                due: due.clone(),
            },
        );
        let alarm = Rc::new(Cell::new(FAR));
        let timer = Alarm {
            clock: Arc::clone(&clock),
            at: Rc::clone(&alarm),
        };
        let builder = ApiQueue::builder()
            .per_second(per_second)
            .shared(limit.clone());
        let (queue, driver) = builder
            .clock(Arc::clone(&clock))
            .start_with_task(timer)
            .unwrap();
        let mut world = Self {
            clock,
            limit,
            queue,
            driver: Box::pin(driver),
            alarm,
            due,
            is_woken: Arc::default(),
        };
        world.drive();
        world.until(0);
        world
    }

    fn drive(&mut self) {
        self.alarm.set(FAR);
        let waker = Waker::from(Arc::clone(&self.is_woken));
        assert!(
            self.driver
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }

    /// Time passes, and the driver comes when it has said.
    fn until(&mut self, end: u64) {
        loop {
            let now = self.clock.now();
            let due = self.due.lock().unwrap().take_if(|(at, _)| *at <= now);
            if let Some((_, waker)) = due {
                waker.wake();
            }
            if self.is_woken.0.swap(false, Ordering::SeqCst) || self.alarm.get() <= now {
                self.drive();
            } else if now >= end {
                return;
            } else {
                self.clock.set(self.next().min(end));
            }
        }
    }

    /// When something happens.
    fn next(&self) -> u64 {
        let due = self.due.lock().unwrap();
        due.as_ref()
            .map_or(FAR, |(at, _)| *at)
            .min(self.alarm.get())
    }

    fn pass(&mut self, ms: u64) {
        self.until(self.clock.now() + ms * MS);
    }

    /// A turn, however long it takes.
    fn turn(&mut self) {
        let mut waiter = self.queue.enqueue().unwrap();
        while waiter.try_wait().unwrap().is_none() {
            let now = self.clock.now();
            self.until(now);
            if waiter.is_waiting() {
                assert!(self.next() < FAR, "nobody comes");
                self.until(self.next());
            }
        }
    }

    /// So many callers, each of whom comes again after a call of random length, until `count` have had their turn. Says how many of these
    /// took a slot without the driver.
    fn crowd(&mut self, callers: u64, mean: u64, count: usize) -> usize {
        let mut random: u64 = 1;
        let mut call = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            mean / 4 + (random >> 33) % (mean * 3 / 2)
        };
        let mut coming: Vec<u64> = (0..callers).map(|n| n * mean / callers).collect();
        let mut line: Vec<Waiter> = Vec::new();
        let (mut released, mut passed) = (0, 0);
        while released < count {
            let now = self.clock.now();
            self.until(now);
            while line.first().is_some_and(|first| !first.is_waiting()) {
                line.remove(0).wait().unwrap();
                coming.push(now + call());
                released += 1;
            }
            let next = coming.iter().copied().min().unwrap_or(FAR);
            if next <= now {
                coming.swap_remove(coming.iter().position(|&at| at == next).unwrap());
                let waiter = self.queue.enqueue().unwrap();
                if waiter.is_waiting() {
                    line.push(waiter);
                } else {
                    waiter.wait().unwrap();
                    coming.push(now + call());
                    released += 1;
                    passed += 1;
                }
                continue;
            }
            self.until(next.min(self.next()));
        }
        passed
    }
}

#[test]
fn one_who_waits_for_each_turn_has_the_whole_rate() {
    for call in [0, 1, 5, 9, 10, 11, 15, 19, 21, 25] {
        let mut world = World::new(100, 0);
        for _ in 0..1_000 {
            world.turn();
            world.pass(call);
        }
        let took = 999 * call.max(10) + call;
        assert_eq!(world.clock.now() / MS, took, "calls of {call} ms");
        // Who comes less often than slots do can't use them all.
        assert!(call > 10 || world.limit.stats().slots_lost == 0);
    }
}

#[test]
fn one_who_tries_and_else_waits_has_the_whole_rate() {
    for call in [0, 9, 11] {
        let mut world = World::new(100, 0);
        for _ in 0..1_000 {
            if world.queue.try_acquire().is_err() {
                world.turn();
            }
            world.pass(call);
        }
        assert_eq!(world.clock.now() / MS, 999 * call.max(10) + call);
    }
}

#[test]
fn one_caller_has_the_whole_rate_of_a_backend_that_is_farther_than_an_interval() {
    // The first leases are of 1, 2, 4, ... slots.
    for (per_second, trip, first_leases) in [(100, 30, 60), (1_000, 5, 22), (1_000, 30, 150)] {
        let mut world = World::new(per_second, trip * MS);
        for _ in 0..1_000 {
            world.turn();
        }
        let took = world.clock.now() / MS;
        let longest = 1_000_000 / u64::from(per_second) + first_leases;
        assert!(took <= longest, "{took} ms, a round trip of {trip}");
    }
}

#[test]
fn slots_are_not_given_back_while_callers_come_for_whom_one_is_due() {
    let mut world = World::new(100, 0);
    let passed = world.crowd(2, 19 * MS, 1_000);
    let calls = world.limit.stats().backend_calls;
    assert!(passed > 200 && calls < 400, "{passed}, {calls} calls");
}
