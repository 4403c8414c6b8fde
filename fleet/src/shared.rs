//! [`Shared`]: what the handles of one queue and the driver share.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use apiqueue::core::Clock;
use apiqueue::{ApiQueue, MonotonicClock};

use crate::backend::{Answer, Backend, BackendError};
use crate::host::{Call, Host, News, Reply};
use crate::telemetry;

/// Who is told of changes.
pub(crate) type Telling = Arc<dyn Fn(&News) + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) line: ApiQueue,
    host: Mutex<Host>,
    backend: Arc<dyn Backend>,
    on_news: Option<Telling>,
    /// Wakes the driver.
    bell: OnceLock<Waker>,
    /// Permits taken by `try_acquire`.
    pub(crate) passed: AtomicU64,
    /// All handles are gone.
    pub(crate) orphaned: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        name: String,
        line: ApiQueue,
        host: Host,
        backend: Arc<dyn Backend>,
        on_news: Option<Telling>,
    ) -> Self {
        Self {
            name,
            line,
            host: Mutex::new(host),
            backend,
            on_news,
            bell: OnceLock::new(),
            passed: AtomicU64::new(0),
            orphaned: AtomicBool::new(false),
        }
    }

    /// No user code may run while this is held.
    pub(crate) fn host(&self) -> MutexGuard<'_, Host> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hang_bell(&self, bell: Waker) {
        // Hung once, by the one who starts the queue.
        let _ = self.bell.set(bell);
    }

    pub(crate) fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            bell.wake_by_ref();
        }
    }

    pub(crate) fn tell(&self, news: &News) {
        telemetry::changed(&self.name, news);
        if let Some(tell) = &self.on_news {
            // User code: it must not take the driver along.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| tell(news)));
        }
    }

    /// The call as a future that lives as long as it is kept.
    pub(crate) fn make(self: &Arc<Self>, call: Call) -> Answer<'static, Reply> {
        let shared = Arc::clone(self);
        Box::pin(async move {
            let (backend, name) = (&shared.backend, shared.name.as_str());
            Ok::<_, BackendError>(match call {
                Call::Reserve(ask) => Reply::Lease(backend.reserve(name, ask).await?),
                Call::GiveBack(lease, count) => {
                    Reply::Given(backend.give_back(name, lease, count).await?)
                }
                Call::Hold(duration) => Reply::Epoch(backend.hold(name, duration).await?),
                Call::Retune(interval) => Reply::Epoch(backend.retune(name, interval).await?),
            })
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("line", &self.line)
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

/// The host's clock, microseconds. What is done at a time is done no sooner with this.
pub(crate) fn now() -> u64 {
    MonotonicClock.now() / 1000
}

/// The host's clock for what has arrived: from then on and not before.
pub(crate) fn arrival() -> u64 {
    MonotonicClock.now().div_ceil(1000)
}
