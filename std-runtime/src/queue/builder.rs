//! [`Builder`]: everything that a queue is started with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apiqueue_core::{Clock, Controller, ManualClock};

use crate::account::Account;
use crate::error::{RateError, StartError};
use crate::line::controller::Own;
use crate::permits::Source;
use crate::queue::ApiQueue;
use crate::queue::parts::Driving;
use crate::rate::Rate;

const DEFAULT_CAPACITY: usize = 1024;
/// From how long on a wait is told.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// Sets up an [`ApiQueue`].
///
/// Of several calls that set the rate the last one counts. What can't be is told by [`start`](Self::start).
///
/// ```
/// use apiqueue::{ApiQueue, StartError};
///
/// let ec2 = ApiQueue::builder().per_second(10).burst(5).capacity(500).name("ec2").start()?;
/// assert_eq!(ec2.capacity(), 512); // the next power of two
///
/// let why = ApiQueue::builder().per_second(0).start().unwrap_err();
/// assert_eq!(why.to_string(), "0 releases a second is not in 1..=1000000000");
/// # Ok::<(), StartError>(())
/// ```
#[derive(Clone)]
#[must_use = "nothing is started before `start`"]
pub struct Builder {
    pub(super) rate: Option<Result<Rate, RateError>>,
    pub(super) burst: Option<u32>,
    pub(super) strict: bool,
    pub(super) limits: Vec<Rate>,
    pub(super) account: Option<Account>,
    pub(super) share: Option<u32>,
    pub(super) priority: Option<u8>,
    pub(super) at_once: Option<usize>,
    pub(super) source: Option<Arc<dyn Source>>,
    pub(super) granted: bool,
    /// Makes a controller for each queue that is started.
    pub(super) controller: Option<Arc<dyn Fn() -> Own + Send + Sync>>,
    pub(super) paused: bool,
    pub(super) capacity: usize,
    pub(super) name: String,
    pub(super) manual: bool,
    pub(super) spin: Duration,
    pub(super) long_wait: Duration,
    pub(super) catch_up: Option<Duration>,
    pub(super) clock: Option<Arc<dyn Clock<Tick = u64> + Send + Sync>>,
    pub(super) auto_advance: Option<Arc<ManualClock<u64>>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            rate: None,
            burst: None,
            strict: false,
            limits: Vec::new(),
            account: None,
            share: None,
            priority: None,
            at_once: None,
            source: None,
            granted: false,
            controller: None,
            paused: false,
            capacity: DEFAULT_CAPACITY,
            name: String::new(),
            manual: false,
            spin: Duration::ZERO,
            long_wait: LONG_WAIT,
            catch_up: None,
            clock: None,
            auto_advance: None,
        }
    }
}

impl Builder {
    /// One release each `interval`: [`Rate::every`].
    pub fn every(self, interval: Duration) -> Self {
        self.with_rate(Rate::every(interval))
    }

    /// `n` releases each second: [`Rate::per_second`].
    pub fn per_second(self, n: u32) -> Self {
        self.with_rate(Rate::per_second(n))
    }

    /// The rate, ready made.
    pub fn rate(self, rate: Rate) -> Self {
        self.with_rate(Ok(rate))
    }

    fn with_rate(mut self, rate: Result<Rate, RateError>) -> Self {
        self.rate = Some(rate);
        self
    }

    /// One more limit beside the rate and other limits: whoever goes has a permit of each.
    ///
    /// ```
    /// use apiqueue::{ApiQueue, Rate};
    /// use std::time::Duration;
    ///
    /// let hour = Duration::from_secs(3600);
    /// let github = ApiQueue::builder()
    ///     .limit(Rate::per_second(10)?)
    ///     .limit(Rate::at_most(5_000, hour)?.burst(100)?)
    ///     .start()?;
    /// github.wait_turn()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The rate, or else the first of these, is the one that [`ApiQueue::rate`] tells and [`ApiQueue::set_rate`] sets.
    pub fn limit(mut self, rate: Rate) -> Self {
        self.limits.push(rate);
        self
    }

    /// Counts on the limits of `account`, too, which its queues share. Limits of its own are beside those, and may be missing.
    pub fn within(mut self, account: &Account) -> Self {
        self.account = Some(account.clone());
        self
    }

    /// How much of the account's limits this queue gets beside others that could go (default 1): with shares of 3 and 1, three
    /// permits of four. What a priority is mostly wanted for: one queue for the calls that matter, with a large share, and one for
    /// the rest, which still gets on.
    pub fn share(mut self, share: u32) -> Self {
        self.share = Some(share);
        self
    }

    /// Goes before queues and accounts of a lower priority in the same account, 0 to 7 (default 0), where both could go. The lower
    /// ones still go, after the [`aging`](crate::AccountBuilder::aging) of the account. To divide rather than to go first, use
    /// [`share`](Self::share).
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Has at most `calls` under way at once, beside all other limits: from the release of one's waiter until its
    /// [`Turn`](crate::Turn) is dropped. One line for both: a call that ends makes room for the first in it, as soon as the limits
    /// allow. A turn that is leaked, as by [`mem::forget`](std::mem::forget), is under way for ever.
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    ///
    /// let model = ApiQueue::builder().per_second(50).at_once(8).start()?;
    /// let turn = model.wait_turn()?;
    /// // … the call …
    /// assert_eq!(model.under_way(), 1);
    /// drop(turn); // the next one may begin
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at_once(mut self, calls: usize) -> Self {
        self.at_once = Some(calls);
        self
    }

    /// Gets its permits from `source`, such as a fleet's limit.
    pub fn shared(mut self, source: impl Source + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Goes by a rate that is found and not told: a controller hears what comes of the calls, through [`Turn::ok`](crate::Turn::ok) and
    /// [`Turn::throttled`](crate::Turn::throttled), and sets the rate after each. It begins at the controller's own rate, in place of
    /// one that is given here. One that panics is not asked again: the rate stays as it is.
    ///
    /// ```
    /// use apiqueue::core::Cubic;
    /// use apiqueue::ApiQueue;
    ///
    /// let queue = ApiQueue::builder().adaptive(Cubic::default()).start()?;
    /// let before = queue.rate();
    /// queue.wait_turn()?.throttled(None);
    /// assert!(queue.rate().interval() > before.interval());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn adaptive(
        mut self,
        controller: impl Controller<u64> + Clone + Send + Sync + 'static,
    ) -> Self {
        self.controller = Some(Arc::new(move || Box::new(controller.clone())));
        self
    }

    /// Starts it paused, until [`ApiQueue::resume`]: it has the whole burst then, but for what was charged, and unless it was
    /// [held](ApiQueue::hold_for) meanwhile, which spends the burst as ever.
    pub fn paused(mut self) -> Self {
        self.paused = true;
        self
    }

    /// Lets up to `n` permits gather while nobody takes them: [`Rate::burst`].
    pub fn burst(mut self, n: u32) -> Self {
        self.burst = Some(n);
        self
    }

    /// Never makes up lateness: [`Rate::strict`].
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// For how long lateness is made up (default 10 ms; a source such as a fleet's limit may have its own). A busy machine wakes
    /// the driver too late now and then, and a short interval is over before any wake-up: the releases that were missed then follow
    /// a tenth of an interval closer together. At once go those that are late by more than a quarter of this time, and all where an
    /// interval is less than 1/16 of it. So the mean keeps to the rate.
    ///
    /// What it means to a server: in any window of length `w` no more than `burst + ⌊(w + catch_up) / interval⌋` calls leave, so a
    /// bucket of `burst + catch_up / interval` never throttles. It is for those who waited: an empty queue is never more than
    /// a part of one permit ahead of its burst. Zero makes nothing up, as [`strict`](Self::strict) does.
    pub fn catch_up(mut self, longest: Duration) -> Self {
        self.catch_up = Some(longest);
        self
    }

    /// How many may be in line at once (default 1024), rounded up to a power of two. They take 24 bytes each.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// What the queue is called where it is shown.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    pub(crate) fn is_named(&self) -> bool {
        !self.name.is_empty()
    }

    /// Starts no thread: nothing is released but by [`ApiQueue::advance`] and, where nobody waits and a permit is free,
    /// by [`ApiQueue::enqueue`] itself; by that one only where the queue has one rate and nothing else.
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// Releases nobody by itself: permits come from elsewhere, through [`ApiQueue::grant`]. For those who pace several queues,
    /// or processes, by one schedule.
    ///
    /// Rate, hold and clock pace nothing then, and no thread is started. Whoever grants finds out by
    /// [`advance_with`](ApiQueue::advance_with) that somebody has come to an empty line, and calls it after granting, so
    /// that a drain is noticed to be over; [`ApiQueue::take_returned`] says what came back.
    pub fn granted(mut self) -> Self {
        self.granted = true;
        self
    }

    /// Has the driver stay awake for the last stretch before each release of this queue (default 0: it sleeps until the
    /// release is due, and is late by the system's wake-up, some tens of microseconds). Costs one core for that part of
    /// each interval, at most 10 ms of it. No promise: what the system does with the thread meanwhile is its own affair.
    pub fn spin(mut self, last: Duration) -> Self {
        self.spin = last;
        self
    }

    /// From how long on a wait in line is told (default 1 s): [`Stats::long_waits`](crate::Stats::long_waits) counts such, with what the
    /// latest was like, and with the feature `tracing` there is an event of level `INFO` for one a second at most. Of
    /// [`Duration::MAX`] there are none.
    pub fn long_wait(mut self, from: Duration) -> Self {
        self.long_wait = from;
        self
    }

    /// Paces the queue by a clock of your own, whose readings are nanoseconds from wherever it likes (default:
    /// [`MonotonicClock`](crate::MonotonicClock)). The driver still sleeps by the system's: where yours goes slower it
    /// looks again, where it jumps ahead tell the driver by [`ApiQueue::wake_driver`]. Where it panics the queue is closed.
    /// It must not call the queue that reads it, which would ask it again without end. For tests that take no real time use
    /// it with [`manual`](Self::manual):
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    /// use apiqueue::core::ManualClock;
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let clock = Arc::new(ManualClock::<u64>::new(0));
    /// let queue = ApiQueue::builder()
    ///     .every(Duration::from_secs(60))
    ///     .clock(Arc::clone(&clock))
    ///     .manual()
    ///     .start()?;
    /// let waiters = [queue.enqueue()?, queue.enqueue()?];
    /// assert!(waiters[1].is_waiting());
    /// clock.advance(60_000_000_000);
    /// assert_eq!(queue.advance().released, 1);
    /// assert!(!waiters[1].is_waiting());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock(mut self, clock: Arc<impl Clock<Tick = u64> + Send + Sync + 'static>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Paces the queue by a mock clock that goes on by itself to whatever its driver would sleep for: for tests of code that blocks or
    /// awaits, which take no real time then. A timeout of such a wait, and that of a drain, is real time still; one that a source of
    /// permits asks to be woken for, as for an answer that is on its way, is jumped to like any other time. Where several queues go by
    /// one clock it waits 100 µs of real time for callers who are on their way before it jumps. For tests that go step by step use [`clock`](Self::clock) and [`manual`](Self::manual).
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    /// use apiqueue::core::{Clock, ManualClock};
    /// use std::sync::Arc;
    ///
    /// let clock = Arc::new(ManualClock::<u64>::new(0));
    /// let queue = ApiQueue::builder().per_second(1).auto_advance(Arc::clone(&clock)).start()?;
    /// for _ in 0..=3_600 {
    ///     queue.wait_turn()?;
    /// }
    /// assert_eq!(clock.now(), 3_600_000_000_000); // an hour later, and none has passed
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn auto_advance(mut self, clock: Arc<ManualClock<u64>>) -> Self {
        self.auto_advance = Some(clock);
        self
    }

    /// Starts the queue.
    ///
    /// # Errors
    /// [`StartError`], naming the value and what it may be.
    pub fn start(self) -> Result<ApiQueue, StartError> {
        self.start_driven(Driving::AsBuilt)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("rate", &self.rate)
            .field("burst", &self.burst)
            .field("strict", &self.strict)
            .field("limits", &self.limits)
            .field("account", &self.account)
            .field("share", &self.share)
            .field("priority", &self.priority)
            .field("at_once", &self.at_once)
            .field("source", &self.source)
            .field("granted", &self.granted)
            .field("adaptive", &self.controller.is_some())
            .field("paused", &self.paused)
            .field("capacity", &self.capacity)
            .field("name", &self.name)
            .field("manual", &self.manual)
            .field("spin", &self.spin)
            .field("long_wait", &self.long_wait)
            .field("catch_up", &self.catch_up)
            .finish_non_exhaustive()
    }
}
