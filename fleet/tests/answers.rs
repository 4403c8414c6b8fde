//! What an answer tells one host of a fleet reaches the others: a hold, and a rate.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Follow, Rate, Throttled, Waiter};
use apiqueue_fleet::InProcess;
use http::{HeaderMap, HeaderName, StatusCode};

const MS: u64 = 1_000_000;
/// How far ahead slots are granted, in ms: how long a change takes to reach all.
const HORIZON: u64 = 500;

struct Fleet {
    clock: Arc<ManualClock<u64>>,
    queues: [ApiQueue; 2],
    _lines: [Vec<Waiter>; 2],
}

impl Fleet {
    /// Two hosts at 100 a second, both busy.
    fn new() -> Self {
        let clock = Arc::new(ManualClock::<u64>::new(1_000 * MS));
        let limit = InProcess::with_clock(Arc::clone(&clock)).limit("limit");
        let start = || {
            let builder = ApiQueue::builder().per_second(100).shared(limit.clone());
            let builder = builder.capacity(4096).clock(Arc::clone(&clock));
            builder.manual().start().unwrap()
        };
        let queues = [start(), start()];
        let line = |queue: &ApiQueue| (0..4_000).map(|_| queue.enqueue().unwrap()).collect();
        let lines = [line(&queues[0]), line(&queues[1])];
        let fleet = Self {
            clock,
            queues,
            _lines: lines,
        };
        fleet.releases(2_000);
        fleet
    }

    fn releases(&self, ms: u64) -> [usize; 2] {
        let mut released = [0; 2];
        for _ in 0..ms {
            for (queue, released) in self.queues.iter().zip(&mut released) {
                *released += queue.advance().released;
            }
            self.clock.advance(MS);
        }
        released
    }

    /// The first host gets this answer.
    fn answer(&self, status: StatusCode, headers: &[(&'static str, u64)]) {
        let slowest = Rate::every(Duration::from_secs(10)).unwrap();
        let fastest = Rate::per_second(1_000).unwrap();
        let follow = Follow::new(slowest, fastest, Throttled::default()).unwrap();
        let headers: HeaderMap = headers
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), value.into()))
            .collect();
        follow.advice_of(status, &headers).apply(&self.queues[0]);
    }
}

#[test]
fn an_answer_that_throttles_holds_all_hosts_for_as_long_as_it_says() {
    let fleet = Fleet::new();
    fleet.answer(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", 4)]);
    let [own, other] = fleet.releases(HORIZON);
    assert_eq!(own, 0);
    // No more than it had been granted.
    assert!(other <= 50, "{other}");
    assert_eq!(fleet.releases(4_000 - HORIZON - 1), [0, 0]);
    let [own, other] = fleet.releases(2_000);
    assert!((190..=202).contains(&(own + other)), "{own} and {other}");
}

#[test]
fn a_rate_that_an_answer_tells_is_that_of_the_whole_fleet() {
    let fleet = Fleet::new();
    // 200 left for 10 s.
    let left = [("x-ratelimit-remaining", 200), ("x-ratelimit-reset", 10)];
    fleet.answer(StatusCode::OK, &left);
    let [own, other] = fleet.releases(10_000);
    let (all, held) = (own + other, 50);
    assert!((150..=200 + held).contains(&all), "{own} and {other}");
    let rates = fleet.queues.each_ref().map(|queue| queue.rate().interval());
    assert_eq!(rates[0], rates[1]);
    assert!(rates[0] >= Duration::from_millis(50), "{rates:?}");
}
