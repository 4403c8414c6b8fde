//! [`TokioTimer`]: tokio's reactor for a [`DriverTask`](crate::DriverTask), finer than tokio's own timers where the system can.

use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::driver::task::Timer;

/// Sleeps on tokio. On Linux and Android by a timer of the system (`timerfd`) to its full precision, some tens of microseconds
/// late; elsewhere by tokio's, which go by milliseconds.
///
/// ```
/// use apiqueue::{ApiQueue, TokioTimer};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let (ec2, driver) = ApiQueue::builder().per_second(1000).start_with_task(TokioTimer::new()?)?;
/// tokio::spawn(driver);
/// for _ in 0..3 {
///     ec2.turn().await?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TokioTimer(Alarm);

#[derive(Debug)]
enum Alarm {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    System(system::Alarm),
    Own(own::Alarm),
}

impl TokioTimer {
    /// For the runtime that the caller runs on.
    ///
    /// # Errors
    /// Outside of a runtime, or the system's, for want of file descriptors, say.
    ///
    /// # Panics
    /// In a runtime that was built without `enable_io` (elsewhere than on Linux and Android `enable_time`): tokio offers no way to
    /// ask.
    pub fn new() -> io::Result<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return in_runtime(|| Ok(Alarm::System(system::Alarm::new()?)));
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return Self::of_tokio_time();
    }

    /// By tokio's own timers everywhere. With [`TokioClock`](crate::TokioClock) it is how a test whose time is paused takes none.
    ///
    /// # Errors
    /// Outside of a runtime.
    ///
    /// # Panics
    /// In a runtime that was built without `enable_time`: tokio offers no way to ask.
    pub fn of_tokio_time() -> io::Result<Self> {
        in_runtime(|| Ok(Alarm::Own(own::Alarm::new())))
    }
}

/// Where tokio would panic for want of a runtime there is an error.
fn in_runtime(alarm: impl FnOnce() -> io::Result<Alarm>) -> io::Result<TokioTimer> {
    tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
    alarm().map(TokioTimer)
}

impl Timer for TokioTimer {
    fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Alarm::System(alarm) => alarm.poll_until(at, cx),
            Alarm::Own(alarm) => alarm.poll_until(at, cx),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::task::{Context, Poll, ready};
    use std::time::{Duration, Instant};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    const NEVER: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };

    #[derive(Debug)]
    pub(super) struct Alarm {
        timer: AsyncFd<OwnedFd>,
        /// What the timer is set to.
        at: Option<Instant>,
    }

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[allow(
                deprecated,
                reason = "unsound for types that lie about their file descriptor; `OwnedFd` does not"
            )]
            let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
            Ok(Self { timer, at: None })
        }

        pub(super) fn poll_until(
            &mut self,
            at: Instant,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            if self.at != Some(at) {
                // Setting it takes an expiry back that nobody has read, but tokio remembers it. What it remembers is forgotten
                // first, so that the next expiry is not forgotten with it.
                let _ = self.poll_expired(cx);
                let left = at.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    self.at = None;
                    return Poll::Ready(Ok(()));
                }
                self.set(left)?;
                self.at = Some(at);
            }
            ready!(self.poll_expired(cx))?;
            self.at = None;
            Poll::Ready(Ok(()))
        }

        fn set(&self, left: Duration) -> rustix::io::Result<()> {
            let value = Timespec::try_from(left).unwrap_or(Timespec {
                tv_sec: i64::from(u32::MAX),
                tv_nsec: 0,
            });
            let setting = Itimerspec {
                it_interval: NEVER,
                it_value: value,
            };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &setting)?;
            Ok(())
        }

        /// An error when the runtime is gone.
        fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            // Each expiry is told to tokio anew, read or not.
            ready!(self.timer.poll_read_ready(cx))?.clear_ready();
            Poll::Ready(Ok(()))
        }
    }
}

mod own {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::{Duration, Instant};

    use tokio::time::{Sleep, sleep};

    /// Of durations, not of instants, as those of a clock that is paused are not the system's.
    #[derive(Debug)]
    pub(super) struct Alarm {
        sleep: Pin<Box<Sleep>>,
        at: Instant,
    }

    impl Alarm {
        pub(super) fn new() -> Self {
            Self {
                sleep: Box::pin(sleep(Duration::ZERO)),
                at: Instant::now(),
            }
        }

        pub(super) fn poll_until(
            &mut self,
            at: Instant,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            if self.at != at {
                let left = at.saturating_duration_since(Instant::now());
                self.sleep.set(sleep(left));
                self.at = at;
            }
            self.sleep.as_mut().poll(cx).map(Ok)
        }
    }
}
