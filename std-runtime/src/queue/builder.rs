//! [`Builder`]: everything that a queue is started with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apiqueue_core::{Clock, Slot};

use crate::account::Membership;
use crate::clock::{OwnClock, Timebase};
use crate::error::{RateError, StartError};
use crate::line::DrivenBy;
use crate::permits::{Granted, Permits};
use crate::queue::ApiQueue;
use crate::rate::{MAX_SPAN, Rate};

/// The largest capacity: 2<sup>24</sup> places, 400 MB of them.
pub(crate) const MAX_CAPACITY: usize = 1 << 24;
const DEFAULT_CAPACITY: usize = 1024;
/// Above that a thread that never sleeps is meant, and that is another design.
const MAX_SPIN: Duration = Duration::from_millis(10);
/// Longer than a busy machine's scheduler mostly lets a thread wait, and a hundredth of a second's calls.
const DEFAULT_CATCH_UP: Duration = Duration::from_millis(10);

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
    rate: Option<Result<Rate, RateError>>,
    burst: Option<u32>,
    strict: bool,
    capacity: usize,
    name: String,
    manual: bool,
    granted: bool,
    spin: Duration,
    catch_up: Duration,
    clock: Option<Arc<dyn Clock<Tick = u64> + Send + Sync>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            rate: None,
            burst: None,
            strict: false,
            capacity: DEFAULT_CAPACITY,
            name: String::new(),
            manual: false,
            granted: false,
            spin: Duration::ZERO,
            catch_up: DEFAULT_CATCH_UP,
            clock: None,
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

    /// For how long lateness is made up (default 10 ms). A busy machine wakes the driver too late now and then, and a short
    /// interval is over before any wake-up: the releases that were missed then follow a tenth of an interval closer together. At once
    /// go those that are late by more than a quarter of this time, and all where an interval is less than 1/16 of it. So the mean
    /// keeps to the rate.
    ///
    /// What it means to a server: in any window of length `w` no more than `burst + ⌊(w + catch_up) / interval⌋` calls leave, so a
    /// bucket of `burst + catch_up / interval` never throttles. It is for those who waited: an empty queue is never more than
    /// a part of one permit ahead of its burst. Zero makes nothing up, as [`strict`](Self::strict) does.
    pub fn catch_up(mut self, longest: Duration) -> Self {
        self.catch_up = longest;
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

    /// Starts no thread: nothing is released but by [`ApiQueue::advance`] and, where nobody waits and a permit is free,
    /// by [`ApiQueue::enqueue`] itself.
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

    /// Starts the queue.
    ///
    /// # Errors
    /// [`StartError`], naming the value and what it may be.
    pub fn start(self) -> Result<ApiQueue, StartError> {
        ApiQueue::start(self.parts()?)
    }

    /// Starts a queue that a task will drive.
    pub(crate) fn start_for_task(self) -> Result<ApiQueue, StartError> {
        if self.granted {
            return Err(StartError::Granted);
        }
        let mut parts = self.parts()?;
        parts.driven_by = DrivenBy::Task;
        ApiQueue::start(parts)
    }

    /// Starts a queue of an account.
    pub(crate) fn start_member(
        self,
        join: impl FnOnce() -> Membership,
    ) -> Result<ApiQueue, StartError> {
        let mut parts = self.parts()?;
        let membership = join();
        parts.driven_by = driven_by_hand(membership.is_driven_by_hand());
        parts.clock = Timebase::Standing;
        parts.given = Some(Box::new(membership));
        ApiQueue::start(parts)
    }

    fn parts(self) -> Result<Parts, StartError> {
        let rate = self.checked_rate()?;
        if self.spin > MAX_SPIN {
            return Err(StartError::Spin {
                spin: self.spin,
                max: MAX_SPIN,
            });
        }
        Ok(Parts {
            rate,
            catch_up: self.checked_catch_up()?,
            driven_by: driven_by_hand(self.manual || self.granted),
            clock: if self.granted {
                Timebase::Standing
            } else {
                self.clock.map_or(Timebase::System, |clock| {
                    Timebase::Own(OwnClock::new(clock))
                })
            },
            given: if self.granted {
                Some(Box::new(Granted::default()))
            } else {
                None
            },
            slots: slots(self.capacity)?,
            name: self.name,
            spin: self.spin,
        })
    }
}

/// What a queue is made of, checked.
pub(crate) struct Parts {
    pub(crate) rate: Rate,
    /// In nanoseconds.
    pub(crate) catch_up: u64,
    pub(crate) clock: Timebase,
    pub(crate) given: Option<Box<dyn Permits>>,
    pub(crate) slots: Box<[Slot]>,
    pub(crate) name: String,
    pub(crate) spin: Duration,
    pub(crate) driven_by: DrivenBy,
}

impl Builder {
    /// In nanoseconds.
    pub(crate) fn checked_catch_up(&self) -> Result<u64, StartError> {
        let nanos = u64::try_from(self.catch_up.as_nanos()).ok();
        nanos
            .filter(|_| self.catch_up <= MAX_SPAN)
            .ok_or(StartError::CatchUp {
                catch_up: self.catch_up,
                max: MAX_SPAN,
            })
    }

    /// The rate that a queue started now would have.
    pub(crate) fn checked_rate(&self) -> Result<Rate, StartError> {
        let mut rate = self.rate.ok_or(StartError::NoRate)??;
        if let Some(n) = self.burst {
            rate = rate.burst(n)?;
        }
        Ok(if self.strict { rate.strict() } else { rate })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("rate", &self.rate)
            .field("burst", &self.burst)
            .field("strict", &self.strict)
            .field("capacity", &self.capacity)
            .field("name", &self.name)
            .field("manual", &self.manual)
            .field("granted", &self.granted)
            .field("spin", &self.spin)
            .field("catch_up", &self.catch_up)
            .finish_non_exhaustive()
    }
}

fn driven_by_hand(by_hand: bool) -> DrivenBy {
    if by_hand {
        DrivenBy::Hand
    } else {
        DrivenBy::Thread
    }
}

fn slots(capacity: usize) -> Result<Box<[Slot]>, StartError> {
    if !(1..=MAX_CAPACITY).contains(&capacity) {
        return Err(StartError::Capacity {
            capacity,
            max: MAX_CAPACITY,
        });
    }
    let capacity = capacity.next_power_of_two();
    let mut slots = Vec::new();
    slots
        .try_reserve_exact(capacity)
        .map_err(|_| StartError::Memory { capacity })?;
    slots.resize_with(capacity, Slot::new);
    Ok(slots.into_boxed_slice())
}
