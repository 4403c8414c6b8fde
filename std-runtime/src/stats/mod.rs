//! [`Stats`]: what a queue tells of itself.

pub(crate) mod counters;
pub(crate) mod passes;
pub(crate) mod telemetry;

use std::fmt;
use std::time::Duration;

use crate::rate::Rate;

/// What a queue has done so far, from [`ApiQueue::stats`](crate::ApiQueue::stats). Always on.
///
/// The counts are taken one after the other while the queue goes on: each is exact, together they are of about one
/// moment. `Display` shows them in one block.
///
/// ```
/// use apiqueue::ApiQueue;
///
/// let queue = ApiQueue::builder().per_second(1000).name("ec2").start()?;
/// for _ in 0..3 {
///     queue.enqueue()?.wait()?;
/// }
/// let stats = queue.stats();
/// assert_eq!((stats.released, stats.depth), (3, 0));
/// println!("{stats}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// The queue's name.
    pub name: String,
    /// The rate at this moment.
    pub rate: Rate,
    /// How many places of the line are taken.
    pub depth: usize,
    /// How many there are.
    pub capacity: usize,
    /// How many callers wait for a place.
    pub without_place: usize,
    /// How many calls are under way, where that is [limited](crate::Builder::at_once); else 0.
    pub under_way: usize,
    /// How many were let through, [`try_acquire`](crate::ApiQueue::try_acquire) included.
    pub released: u64,
    /// How many left the line before they were told of a release.
    pub cancelled: u64,
    /// How many were refused a place, because the line was full or the queue closed.
    pub refused: u64,
    /// How many of those released [gave their permit back](crate::Turn::give_back).
    pub given_back: u64,
    /// The time since the latest release; none before the first.
    pub since_last_release: Option<Duration>,
    /// The achieved intervals; none before a second release for which somebody had to wait.
    pub intervals: Option<Intervals>,
    /// How long those released had waited; none before the first.
    pub waits: Option<Waits>,
    /// How many of them had waited for as long as [`long_wait`](crate::Builder::long_wait) or longer.
    pub long_waits: u64,
    /// What made the latest of those wait.
    pub latest_long_wait: Option<LongWait>,
}

/// A wait that was longer than somebody wanted to know of: [`Builder::long_wait`](crate::Builder::long_wait). `Display` shows it in one
/// line, such as `12.3s behind 40 others, at 5/s, of it 4.0s held`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LongWait {
    /// From taking the place to seeing the release.
    pub waited: Duration,
    /// For so much of that the queue was [held](crate::ApiQueue::hold_for), by an answer or by hand, or
    /// [paused](crate::Builder::paused).
    pub held: Duration,
    /// How many were ahead in line when the place was taken.
    pub ahead: usize,
    /// The queue's rate at the end of the wait.
    pub rate: Rate,
}

/// The time from one release to the next, of the last 256 releases for which somebody had to wait: a pause in which nobody
/// came does not count. Exact, but for when the releasing thread could look at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Intervals {
    /// How many were looked at.
    pub count: usize,
    /// The mean.
    pub mean: Duration,
    /// The standard deviation, of these intervals as the whole population.
    pub deviation: Duration,
    /// Half of them are at most this long.
    pub p50: Duration,
    /// 99 of 100 are at most this long.
    pub p99: Duration,
}

/// From taking a place to seeing the release, since the queue was started. Who passed at once counts as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waits {
    /// How many have waited, or passed at once.
    pub count: u64,
    /// Half of them waited at most this long, within 3.2 %.
    pub p50: Duration,
    /// 99 of 100 waited at most this long, within 3.2 %.
    pub p99: Duration,
    /// The longest wait, exactly.
    pub max: Duration,
}

impl fmt::Display for LongWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1?}", self.waited)?;
        match self.ahead {
            0 => {}
            1 => write!(f, " behind another one")?,
            ahead => write!(f, " behind {ahead} others")?,
        }
        write!(f, ", at {}", self.rate)?;
        if !self.held.is_zero() {
            write!(f, ", of it {:.1?} held", self.held)?;
        }
        Ok(())
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() {
            "queue"
        } else {
            &self.name
        };
        write!(f, "{name}: one each {:?}", self.rate.interval())?;
        if self.rate.burst_size() > 1 {
            write!(f, ", burst {}", self.rate.burst_size())?;
        }
        write!(f, "\n  in line    {} of {}", self.depth, self.capacity)?;
        if self.without_place > 0 {
            write!(f, ", {} more wait for a place", self.without_place)?;
        }
        write!(f, "\n  released   {}", self.released)?;
        if let Some(since) = self.since_last_release {
            write!(f, ", the last one {since:.1?} ago")?;
        }
        write!(f, "\n  cancelled  {}", self.cancelled)?;
        write!(f, "\n  refused    {}", self.refused)?;
        if let Some(intervals) = self.intervals {
            let Intervals {
                count,
                mean,
                deviation,
                p50,
                p99,
            } = intervals;
            write!(
                f,
                "\n  interval   mean {mean:.3?} ± {deviation:.3?}, p50 {p50:.3?}, p99 {p99:.3?} (last {count})"
            )?;
        }
        if let Some(Waits { p50, p99, max, .. }) = self.waits {
            write!(
                f,
                "\n  wait       p50 {p50:.3?}, p99 {p99:.3?}, max {max:.3?}"
            )?;
        }
        if let Some(latest) = self.latest_long_wait {
            write!(f, "\n  long waits {}, the latest {latest}", self.long_waits)?;
        }
        Ok(())
    }
}
