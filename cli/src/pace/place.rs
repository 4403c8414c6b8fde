//! [`Place`]: where a limit is kept that processes share.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use apiqueue_fleet::{BackendError, FleetLimit, LimitState};

use crate::error::Failure;

/// How long an answer to a look is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// From one try to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the limit is that processes share, if they do.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// Go by one schedule with every process of this user that says the same NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) share: Option<String>,

    /// Keep the shared schedule on a Redis or Valkey server, for all that reach it
    #[arg(long, value_name = "URL", requires = "share")]
    redis: Option<String>,
}

impl Place {
    /// The limit; none where nothing is shared.
    ///
    /// One without a file begins at once. A file goes with a reboot, the user's last session or a cleaner of unused files, and in none of these
    /// does anybody hold slots but those who outlive their session: to wait out the grace there would cost the first job after each boot up to
    /// 1.25 s, and protect nobody. A file that is damaged is there, and its grace is waited out. A server may forget at any time: what is new
    /// there is always waited for.
    ///
    /// # Errors
    /// A name or URL that can't be, and a directory that can't be used.
    pub(crate) fn limit(&self) -> Result<Option<FleetLimit>, Failure> {
        let Some(name) = &self.share else {
            return Ok(None);
        };
        match &self.redis {
            Some(url) => on_redis(url, name).map(Some),
            None => in_files(name).map(Some),
        }
    }

    /// The limit; or all that are kept in this user's files, where none is named.
    ///
    /// # Errors
    /// Those of [`limit`](Self::limit).
    pub(crate) fn limits(&self) -> Result<Vec<FleetLimit>, Failure> {
        match self.limit()? {
            Some(limit) => Ok(vec![limit]),
            None => all_in_files(),
        }
    }
}

#[cfg(unix)]
fn all_in_files() -> Result<Vec<FleetLimit>, Failure> {
    use apiqueue_fleet::FileBackend;
    let files = FileBackend::for_names().map_err(Failure::trouble)?;
    let names = files.limits().map_err(Failure::trouble)?;
    Ok(names.into_iter().map(|name| files.limit(name)).collect())
}

#[cfg(not(unix))]
fn all_in_files() -> Result<Vec<FleetLimit>, Failure> {
    Err(Failure::usage(
        "schedules in files are for Unix: say --share NAME and --redis URL",
    ))
}

#[cfg(unix)]
fn in_files(name: &str) -> Result<FleetLimit, Failure> {
    use apiqueue_fleet::FileBackend;
    check(name)?;
    let files = FileBackend::for_names()
        .map_err(|why| Failure::trouble(format_args!("--share {name:?}: {why}")))?;
    let limit = files.limit(name);
    Ok(match files.has_file(name) {
        true => limit,
        false => limit.begin_at_once(),
    })
}

#[cfg(not(unix))]
fn in_files(name: &str) -> Result<FleetLimit, Failure> {
    Err(Failure::usage(format_args!(
        "--share {name:?}: schedules in files are for Unix; say --redis URL, too"
    )))
}

#[cfg(feature = "redis")]
fn on_redis(url: &str, name: &str) -> Result<FleetLimit, Failure> {
    check(name)?;
    // A URL may have a password in it, which a message must not show.
    let backend = apiqueue_fleet::RedisBackend::connect(url)
        .map_err(|why| Failure::usage(format_args!("--redis: {why}")))?;
    Ok(backend.limit(name))
}

#[cfg(not(feature = "redis"))]
fn on_redis(_url: &str, _name: &str) -> Result<FleetLimit, Failure> {
    Err(Failure::usage(
        "--redis: this program was built without the feature `redis`",
    ))
}

/// The same names wherever the limit is kept.
fn check(name: &str) -> Result<(), Failure> {
    let bad = |c: char| matches!(c, '/' | '\\' | '{' | '}') || c.is_control();
    if name.is_empty() || name.len() > 200 || name.contains(bad) {
        return Err(Failure::usage(format_args!(
            "--share {name:?}: a name is of 1 to 200 bytes without '/', '\\', braces and control characters"
        )));
    }
    Ok(())
}

/// What is known of a limit where it is kept; none where that is nothing. Changes nothing.
///
/// # Errors
/// A place that does not answer within 5 s, or refuses.
pub(crate) fn look(limit: &FleetLimit) -> Result<Option<LimitState>, Failure> {
    let name = limit.name().to_owned();
    let failed = |why: String| Failure::trouble(format_args!("the limit {name:?}: {why}"));
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match block_on(limit.look(), left) {
            None => return Err(failed(format!("no answer within {PATIENCE:?}"))),
            Some(Ok(state)) => return Ok(state),
            // A server that starts again, or a process that stands still while it has the file.
            Some(Err(BackendError::Away(_))) if left > PAUSE => thread::sleep(PAUSE),
            Some(Err(why)) => return Err(failed(why.to_string())),
        }
    }
}

/// Wakes this thread.
pub(super) fn unparker() -> Waker {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// None if it takes longer.
fn block_on<T>(future: impl Future<Output = T>, patience: Duration) -> Option<T> {
    let waker = unparker();
    let until = Instant::now() + patience;
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}
