//! The peers on tasks.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt};

use super::{Has, Pace, Tasks};

/// What the batching ways of a peer let through at once: as much as is due in that time.
const BATCH: Duration = Duration::from_millis(50);

/// A batch, and the time for it: none smaller than `least`.
fn batch(interval: Duration, least: Duration) -> (u64, Duration) {
    let calls = least.as_nanos().div_ceil(interval.as_nanos()).max(1);
    let calls = u64::try_from(calls).unwrap();
    (calls, interval * u32::try_from(calls).unwrap())
}

#[derive(Clone)]
pub(crate) struct Governor(Arc<DefaultDirectRateLimiter>);

pub(super) fn quota(pace: Pace) -> Quota {
    let burst = pace.burst.try_into().unwrap();
    Quota::with_period(pace.interval)
        .unwrap()
        .allow_burst(burst)
}

impl Tasks for Governor {
    const NAME: &'static str = "governor until_ready";

    fn new(pace: Pace) -> Self {
        Self(Arc::new(RateLimiter::direct(quota(pace))))
    }

    async fn acquire(&self) {
        self.0.until_ready().await;
    }
}

#[derive(Clone)]
pub(crate) struct Leaky(Arc<leaky_bucket::RateLimiter>);

impl Leaky {
    /// A refill each `least` or, where one call alone takes longer, each interval. It takes no refill of less than 1 ms.
    fn refilled(pace: Pace, least: Duration) -> Self {
        let least = least.max(Duration::from_millis(1));
        let (calls, interval) = batch(pace.interval, least);
        let calls = usize::try_from(calls).unwrap();
        let most = calls.max(pace.burst as usize);
        let limiter = leaky_bucket::RateLimiter::builder()
            .max(most)
            .initial(pace.burst as usize)
            .refill(calls)
            .interval(interval)
            .build();
        Self(Arc::new(limiter))
    }
}

impl Tasks for Leaky {
    const NAME: &'static str = "leaky-bucket";

    fn new(pace: Pace) -> Self {
        Self::refilled(pace, Duration::ZERO)
    }

    async fn acquire(&self) {
        self.0.acquire_one().await;
    }
}

#[derive(Clone)]
pub(crate) struct LeakyBatches(Leaky);

impl Tasks for LeakyBatches {
    const NAME: &'static str = "leaky-bucket, refilled each 50 ms";

    fn new(pace: Pace) -> Self {
        Self(Leaky::refilled(pace, BATCH))
    }

    async fn acquire(&self) {
        self.0.acquire().await;
    }
}

/// tower's `RateLimit` is not `Clone`: its documents put a `Buffer` before it.
#[derive(Clone)]
pub(crate) struct Tower(Buffered);

type Nothing = tower::util::ServiceFn<fn(()) -> Ready<Result<(), Infallible>>>;
type Buffered = tower::buffer::Buffer<(), Ready<Result<(), Infallible>>>;

impl Tower {
    fn limited(calls: u64, time: Duration) -> Self {
        let nothing: Nothing = tower::service_fn(|()| ready(Ok(())));
        let rate = tower::limit::rate::Rate::new(calls, time);
        let limited = tower::limit::RateLimit::new(nothing, rate);
        Self(tower::buffer::Buffer::new(Unboxed(limited), 1024))
    }
}

impl Tasks for Tower {
    const NAME: &'static str = "tower RateLimit + Buffer";

    fn new(pace: Pace) -> Self {
        let burst = u64::from(pace.burst);
        Self::limited(burst, pace.interval * pace.burst)
    }

    async fn acquire(&self) {
        let mut service = self.0.clone();
        let ready = service.ready().await;
        // The buffer ends with the runtime, maybe before the tasks that wait for it.
        let answer = match ready {
            Ok(service) => service.call(()).await,
            Err(closed) => Err(closed),
        };
        if answer.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[derive(Clone)]
pub(crate) struct TowerBatches(Tower);

impl Tasks for TowerBatches {
    const NAME: &'static str = "tower RateLimit, by 50 ms";

    fn new(pace: Pace) -> Self {
        let (calls, time) = batch(pace.interval, BATCH);
        Self(Tower::limited(calls, time))
    }

    async fn acquire(&self) {
        self.0.acquire().await;
    }
}

/// Gives the limited service the future type of the one inside, so that the buffer's type can be named.
struct Unboxed(tower::limit::RateLimit<Nothing>);

impl Service<()> for Unboxed {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.0.call(())
    }
}

/// What people write themselves: a task that adds a permit at each tick, if there is none.
#[derive(Clone)]
pub(crate) struct Ticks(Arc<Ticking>);

struct Ticking {
    permits: Arc<Semaphore>,
    paused_until: Arc<Mutex<Option<Instant>>>,
    task: Mutex<tokio::task::JoinHandle<()>>,
}

impl Ticking {
    fn tick(&self, interval: Duration) -> tokio::task::JoinHandle<()> {
        let permits = Arc::clone(&self.permits);
        let paused_until = Arc::clone(&self.paused_until);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let paused = paused_until.lock().unwrap().take();
                if let Some(until) = paused {
                    tokio::time::sleep_until(until.into()).await;
                    ticks.reset_immediately();
                } else if permits.available_permits() == 0 {
                    permits.add_permits(1);
                }
            }
        })
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.task.lock().unwrap().abort();
    }
}

impl Tasks for Ticks {
    const NAME: &'static str = "Semaphore + interval";

    fn new(pace: Pace) -> Self {
        let burst = (pace.burst as usize).min(Semaphore::MAX_PERMITS);
        let ticking = Ticking {
            permits: Arc::new(Semaphore::new(burst)),
            paused_until: Arc::default(),
            task: Mutex::new(tokio::spawn(async {})),
        };
        // With all permits there from the beginning there is nothing to add.
        if pace.burst == 1 {
            *ticking.task.lock().unwrap() = ticking.tick(pace.interval);
        }
        Self(Arc::new(ticking))
    }

    async fn acquire(&self) {
        self.0.permits.acquire().await.unwrap().forget();
    }

    fn set_interval(&self, interval: Duration) -> Has {
        let mut task = self.0.task.lock().unwrap();
        task.abort();
        *task = self.0.tick(interval);
        true
    }

    fn hold(&self, pause: Duration) -> Has {
        *self.0.paused_until.lock().unwrap() = Some(Instant::now() + pause);
        true
    }
}
