//! What certain answers do to a queue, whichever integration they come through: the table that all are tested by.

use std::time::{Duration, Instant};

use apiqueue::{ApiQueue, Follow, Rate, Route, Throttled, TryAcquireError};

/// An answer, and what it does to a queue of one each millisecond behind [`route`].
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Where the server gives it.
    pub path: &'static str,
    /// For how many seconds nobody goes.
    hold: u64,
    /// The interval after it, in milliseconds.
    interval: u64,
}

const fn case(path: &'static str, hold: u64, interval: u64) -> Case {
    Case {
        path,
        hold,
        interval,
    }
}

/// The table.
pub const CASES: [Case; 15] = [
    case("/answer/200", 0, 1),
    case("/answer/500", 0, 1),
    case("/answer/429/retry-after=70", 70, 1),
    case("/answer/503", 40, 1),
    case("/answer/429/retry-after=99999", 100, 1),
    case(
        "/answer/200/x-ratelimit-remaining=100/x-ratelimit-reset=2",
        0,
        20,
    ),
    case(
        "/answer/200/ratelimit-remaining=0/ratelimit-reset=50",
        50,
        1,
    ),
    case(
        "/answer/429/retry-after=20/x-ratelimit-remaining=1/x-ratelimit-reset=3600",
        20,
        100,
    ),
    case("/answer/403/retry-after=30", 30, 1),
    case("/answer/403", 0, 1),
    // GitHub: the secondary limit, and none left.
    case(
        "/answer/403/x-ratelimit-remaining=5000/x-ratelimit-reset=50/gh-limited-by=time-based",
        60,
        10,
    ),
    case(
        "/answer/403/x-ratelimit-remaining=0/x-ratelimit-reset=45",
        45,
        1,
    ),
    // A date that is over, which the server's own date tells of.
    case(
        "/answer/429/retry-after=Mon,+01+Jan+2001+00:00:00+GMT",
        40,
        1,
    ),
    case("/answer/429/retry-after-ms=70000/retry-after=1", 70, 1),
    case("/answer/503/x-amz-retry-after=30000", 30, 1),
];

/// A route that holds and follows, with a new queue.
///
/// # Panics
/// When the system allows no queue.
#[must_use]
pub fn route<R: ?Sized>() -> (Route<R>, ApiQueue) {
    let fastest = Rate::per_second(1_000).unwrap();
    let throttled = Throttled::default()
        .cap(Duration::from_secs(100))
        .without_hint(Duration::from_secs(40));
    let follow = Follow::new(Rate::per_second(10).unwrap(), fastest, throttled).unwrap();
    let queue = ApiQueue::builder().rate(fastest).start().unwrap();
    let route = Route::to(queue.clone()).hold(throttled).follow(follow);
    (route, queue)
}

impl Case {
    /// Looks at the queue after the answer to a call that began then.
    ///
    /// # Panics
    /// When something else was done to it than the table says.
    pub fn check(&self, queue: &ApiQueue, began: Instant) {
        let (hold, interval) = (
            Duration::from_secs(self.hold),
            Duration::from_millis(self.interval),
        );
        assert_eq!(queue.rate().interval(), interval, "{self:?}");
        let over = Instant::now();
        let next = match queue.try_acquire() {
            Ok(_) => over,
            Err(TryAcquireError::NotYet { at }) => at.unwrap(),
            Err(why) => panic!("{self:?}: {why}"),
        };
        // The answer came between the two.
        assert!(next >= began + hold, "{self:?}: {:?}", next - began);
        let slack = interval + Duration::from_millis(1);
        assert!(next <= over + hold + slack, "{self:?}: {:?}", next - over);
    }
}

/// A queue that goes by a controller, at a hundred a second at first.
///
/// # Panics
/// When the system allows no queue.
#[must_use]
pub fn adaptive() -> ApiQueue {
    use apiqueue::core::{Bounds, Constants, Cubic};

    let rate = |n| Rate::per_second(n).unwrap().into();
    let bounds = Bounds::new(rate(1), rate(1_000), 1_000_000_000).unwrap();
    let controller = Cubic::new(bounds, rate(100), Constants::CALM).unwrap();
    ApiQueue::builder().adaptive(controller).start().unwrap()
}
