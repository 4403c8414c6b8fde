//! The peers on threads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, RateLimiter};
use ratelimit::{Ratelimiter, TryWaitError};

use super::tasks::quota;
use super::{Has, Pace, Threads};

/// Sleeps for as long as the peer says, again and again, until it says yes or the deadline comes.
fn sleeping(deadline: Option<Instant>, mut ask: impl FnMut() -> Result<(), Duration>) -> bool {
    loop {
        let Err(wait) = ask() else { return true };
        let now = Instant::now();
        match deadline {
            Some(deadline) if now + wait >= deadline => {
                thread::sleep(deadline.saturating_duration_since(now));
                return ask().is_ok();
            }
            _ => thread::sleep(wait),
        }
    }
}

#[derive(Clone)]
pub(crate) struct GovernorSleeps(Arc<DefaultDirectRateLimiter>);

impl GovernorSleeps {
    fn ask(&self) -> Result<(), Duration> {
        let denied = self.0.check();
        denied.map_err(|not_until| not_until.wait_time_from(self.0.clock().now()))
    }
}

impl Threads for GovernorSleeps {
    const NAME: &'static str = "governor check + sleep";

    fn new(pace: Pace) -> Self {
        Self(Arc::new(RateLimiter::direct(quota(pace))))
    }

    fn acquire(&self) {
        sleeping(None, || self.ask());
    }

    fn acquire_until(&self, deadline: Instant) -> bool {
        sleeping(Some(deadline), || self.ask())
    }
}

/// The future, blocked on: its timers are of a thread of their own.
#[derive(Clone)]
pub(crate) struct GovernorBlocked(GovernorSleeps);

impl Threads for GovernorBlocked {
    const NAME: &'static str = "governor block_on(until_ready)";

    fn new(pace: Pace) -> Self {
        Self(GovernorSleeps::new(pace))
    }

    fn acquire(&self) {
        block_on(self.0.0.until_ready());
    }

    fn acquire_until(&self, deadline: Instant) -> bool {
        self.0.acquire_until(deadline)
    }
}

#[derive(Clone)]
pub(crate) struct RatelimitSleeps(Arc<Ratelimiter>, Duration);

impl RatelimitSleeps {
    fn ask(&self) -> Result<(), Duration> {
        match self.0.try_wait() {
            Ok(()) => Ok(()),
            Err(TryWaitError::Insufficient(wait)) => Err(wait),
            Err(why) => panic!("{why}"),
        }
    }
}

impl Threads for RatelimitSleeps {
    const NAME: &'static str = "ratelimit try_wait + sleep";

    fn new(pace: Pace) -> Self {
        let burst = u64::from(pace.burst);
        let limiter = Ratelimiter::builder(1)
            .period(pace.interval)
            .max_tokens(burst)
            .initial_available(burst)
            .build()
            .unwrap();
        Self(Arc::new(limiter), pace.interval)
    }

    fn acquire(&self) {
        sleeping(None, || self.ask());
    }

    fn acquire_until(&self, deadline: Instant) -> bool {
        sleeping(Some(deadline), || self.ask())
    }

    /// The rate is a whole number each period, and the period stays.
    fn set_interval(&self, interval: Duration) -> Has {
        let rate = self.1.as_nanos() / interval.as_nanos();
        let rate = u64::try_from(rate).unwrap();
        self.0.set_rate(rate);
        rate > 0
    }
}

/// What people write themselves: a line of those who wait, and a thread that lets the first one go at each slot of a grid.
#[derive(Clone)]
pub(crate) struct OwnLine {
    shared: Arc<Shared>,
    _ends: Arc<Ends>,
}

#[derive(Default)]
pub(crate) struct Place {
    released: Mutex<bool>,
    told: Condvar,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    line: VecDeque<Arc<Place>>,
    interval: Duration,
    held_until: Instant,
    over: bool,
}

/// Ends the thread with the last handle.
struct Ends(Arc<Shared>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().over = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn release(&self) {
        let mut last: Option<Instant> = None;
        let mut state = self.state.lock().unwrap();
        while !state.over {
            if state.line.is_empty() {
                state = self.changed.wait(state).unwrap();
                continue;
            }
            let now = Instant::now();
            let slot = last.map_or(now, |last| last + state.interval);
            let due = slot.max(state.held_until);
            if due > now {
                state = self.changed.wait_timeout(state, due - now).unwrap().0;
                continue;
            }
            // A slot of the grid, unless it was missed by more than one.
            let missed = now.saturating_duration_since(due) > state.interval;
            last = Some(if missed { now } else { due });
            let first = state.line.pop_front();
            drop(state);
            if let Some(place) = first {
                *place.released.lock().unwrap() = true;
                place.told.notify_one();
            }
            state = self.state.lock().unwrap();
        }
    }
}

impl OwnLine {
    pub(crate) fn join(&self) -> Arc<Place> {
        let place = Arc::<Place>::default();
        let mut state = self.shared.state.lock().unwrap();
        state.line.push_back(Arc::clone(&place));
        // The thread has a slot of its own to sleep for as long as somebody is in line.
        if state.line.len() == 1 {
            self.shared.changed.notify_one();
        }
        drop(state);
        place
    }
}

impl Threads for OwnLine {
    const NAME: &'static str = "VecDeque + Condvar + thread";

    fn new(pace: Pace) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                line: VecDeque::new(),
                // Without a limit there is nothing to sleep for.
                interval: match pace.burst {
                    1 => pace.interval,
                    _ => Duration::ZERO,
                },
                held_until: Instant::now(),
                over: false,
            }),
            changed: Condvar::new(),
        });
        let releasing = Arc::clone(&shared);
        thread::spawn(move || releasing.release());
        Self {
            shared: Arc::clone(&shared),
            _ends: Arc::new(Ends(shared)),
        }
    }

    fn acquire(&self) {
        let place = self.join();
        let mut released = place.released.lock().unwrap();
        while !*released {
            released = place.told.wait(released).unwrap();
        }
    }

    /// The place stays in line, and its turn is lost.
    fn acquire_until(&self, deadline: Instant) -> bool {
        let place = self.join();
        let mut released = place.released.lock().unwrap();
        while !*released {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            released = place.told.wait_timeout(released, left).unwrap().0;
        }
        true
    }

    fn set_interval(&self, interval: Duration) -> Has {
        self.shared.state.lock().unwrap().interval = interval;
        self.shared.changed.notify_one();
        true
    }

    fn hold(&self, pause: Duration) -> Has {
        self.shared.state.lock().unwrap().held_until = Instant::now() + pause;
        true
    }
}

/// What is left of a limiter without a line: each caller takes the next slot by compare-and-swap, and sleeps until it. Nothing
/// can be taken back, changed or held.
#[derive(Clone)]
pub(crate) struct SlotCas(Arc<Slots>);

struct Slots {
    origin: Instant,
    /// In nanoseconds since the origin.
    next: AtomicU64,
    interval: u64,
}

impl SlotCas {
    fn slot(&self) -> Instant {
        let Slots {
            origin,
            next,
            interval,
        } = &*self.0;
        let now = u64::try_from(origin.elapsed().as_nanos()).unwrap();
        let taken = next.fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| {
            Some(next.max(now) + interval)
        });
        *origin + Duration::from_nanos(taken.unwrap().max(now))
    }
}

impl Threads for SlotCas {
    const NAME: &'static str = "slot + CAS";

    fn new(pace: Pace) -> Self {
        Self(Arc::new(Slots {
            origin: Instant::now(),
            next: AtomicU64::new(0),
            interval: u64::try_from(pace.interval.as_nanos()).unwrap(),
        }))
    }

    fn acquire(&self) {
        thread::sleep(self.slot().saturating_duration_since(Instant::now()));
    }

    /// A slot that comes too late is lost.
    fn acquire_until(&self, deadline: Instant) -> bool {
        let slot = self.slot();
        thread::sleep(slot.min(deadline).saturating_duration_since(Instant::now()));
        slot <= deadline
    }
}
