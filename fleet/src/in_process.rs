//! [`InProcess`]: the backend of those without a server: tests, and several queues of one process.

use std::collections::HashMap;
use std::fmt;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use apiqueue::MonotonicClock;
use apiqueue::core::Clock;

use crate::backend::{Answer, Backend, Call, LimitState, Reply};
use crate::calendar::Calendar;
use crate::limit::FleetLimit;

/// Calendars in this process's memory. Answers at once and never fails. A handle: clones mean the same calendars.
#[derive(Clone)]
pub struct InProcess {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock<Tick = u64> + Send + Sync>,
    /// From then on leases of before may be in use.
    forgot: AtomicBool,
    calendars: Mutex<HashMap<String, Calendar>>,
}

impl InProcess {
    /// The limit of this name here, for [`Builder::shared`](apiqueue::Builder::shared): [`FleetLimit::new`].
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    /// use apiqueue_fleet::InProcess;
    ///
    /// let fleet = InProcess::new(); // or a `RedisBackend`
    /// let ec2 = ApiQueue::builder().per_second(100).shared(fleet.limit("ec2")).start()?;
    /// ec2.wait_turn()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limit(&self, name: impl Into<String>) -> FleetLimit {
        FleetLimit::new(name, self.clone())
    }

    /// Over the system's monotonic clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(MonotonicClock))
    }

    /// The one that all of this process share who ask for it here.
    #[must_use]
    pub fn of_this_process() -> Self {
        static SHARED: OnceLock<InProcess> = OnceLock::new();
        SHARED.get_or_init(Self::new).clone()
    }

    /// Over a clock of your own, whose readings are nanoseconds: the one that the queues are
    /// [paced by](apiqueue::Builder::clock), say, for tests that take no real time.
    #[must_use]
    pub fn with_clock(clock: Arc<impl Clock<Tick = u64> + Send + Sync + 'static>) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                forgot: AtomicBool::new(false),
                calendars: Mutex::default(),
            }),
        }
    }

    /// Forgets everything, as a server does that is restarted without its data. From then on limits that it does not know
    /// wait out the grace; before, there can be no leases that it has forgotten.
    pub fn forget(&self) {
        let mut calendars = self.calendars();
        // Ordering: Relaxed; the lock is held, here and where it is read.
        self.shared.forgot.store(true, Ordering::Relaxed);
        calendars.clear();
    }

    fn at<T>(&self, limit: &str, call: impl FnOnce(&mut Calendar, u64) -> T) -> T {
        let mut calendars = self.calendars();
        // Read under the lock, so that no call sees a time before that of the one before it.
        let now = self.shared.clock.now() / 1000;
        match calendars.get_mut(limit) {
            Some(calendar) => call(calendar, now),
            None => call(calendars.entry(limit.to_owned()).or_default(), now),
        }
    }

    fn calendars(&self) -> MutexGuard<'_, HashMap<String, Calendar>> {
        // A calendar is whole between any two statements.
        let calendars = &self.shared.calendars;
        calendars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for InProcess {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess")
            .field("limits", &self.calendars().len())
            .finish_non_exhaustive()
    }
}

impl Backend for InProcess {
    fn call<'a>(&'a self, limit: &'a str, mut call: Call) -> Answer<'a, Reply> {
        let reply = self.at(limit, |calendar, now| {
            if !self.shared.forgot.load(Ordering::Relaxed) {
                call.grace = 0;
            }
            calendar.apply(now, &call)
        });
        Box::pin(ready(Ok(reply)))
    }

    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        let calendars = self.calendars();
        let now = self.shared.clock.now() / 1000;
        let state = calendars.get(limit).and_then(|calendar| calendar.look(now));
        Box::pin(ready(Ok(state)))
    }
}
