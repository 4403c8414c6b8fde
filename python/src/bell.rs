//! [`Bell`]: what the release of a waiter leaves behind, for who polls it.
//!
//! A look at the queue itself asks the system for the process's number each time, to find out about forks. Who polls is told by the waker
//! instead, which only stores that there is something to look at.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// What times are counted from.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Default)]
pub(crate) struct Bell {
    /// Whether it has rung, or nobody is there to ring it.
    has_rung: AtomicBool,
    /// When, in nanoseconds since `BASE`; 0 where it has not.
    at: AtomicU64,
}

impl Bell {
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        LazyLock::force(&BASE);
        Waker::from(Arc::clone(self))
    }

    /// Whether the waiter has to be looked at.
    pub(crate) fn has_rung(&self) -> bool {
        // Ordering: Acquire, so that who looks at the queue after it sees the release.
        self.has_rung.load(Ordering::Acquire)
    }

    /// Somebody else is woken from now on, or nobody: it is always to be looked at.
    pub(crate) fn replace(&self) {
        self.has_rung.store(true, Ordering::Release);
    }

    /// How long ago it rang.
    pub(crate) fn age(&self) -> Option<Duration> {
        let at = self.at.load(Ordering::Relaxed);
        (at > 0).then(|| BASE.elapsed().saturating_sub(Duration::from_nanos(at)))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let at = u64::try_from(BASE.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.at.store(at.max(1), Ordering::Relaxed);
        self.has_rung.store(true, Ordering::Release);
    }
}
