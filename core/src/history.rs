//! The steps between the last releases, for whoever wants to know how steady they were.

use heapless::Deque;

use crate::clock::Word;

/// The readings of the last `K` releases, and the statistics of the steps between them. The driver records them.
///
/// ```
/// use apiqueue_core::{Clock, History, ManualClock, Queue, Rate};
///
/// let clock = ManualClock::<u32>::new(0);
/// let queue: Queue<_, 4> = Queue::new(&clock, Rate::<u32>::every(10)?);
/// let mut history: History<u32, 8> = History::new();
/// let line = [queue.enqueue()?, queue.enqueue()?, queue.enqueue()?];
/// while !queue.is_empty() {
///     history.record(clock.now(), queue.advance().released);
///     clock.advance(1);
/// }
/// let steps = history.steps().unwrap();
/// assert_eq!((steps.count, steps.shortest, steps.mean, steps.longest), (2, 10, 10, 10));
/// # drop(line);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct History<W, const K: usize> {
    // Not heapless's own history, whose indexing can panic as far as the compiler can tell.
    releases: Deque<W, K>,
}

/// Steps between releases, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps<W> {
    /// How many steps were looked at: one less than releases.
    pub count: usize,
    /// The shortest step.
    pub shortest: W,
    /// The mean, rounded down.
    pub mean: W,
    /// The longest step.
    pub longest: W,
}

impl<W: Word, const K: usize> History<W, K> {
    /// An empty history.
    pub const fn new() -> Self {
        Self {
            releases: Deque::new(),
        }
    }

    /// Records `released` releases at the reading `now`: what one `advance` did.
    pub fn record(&mut self, now: W, released: usize) {
        for _ in 0..released.min(K) {
            if self.releases.is_full() {
                self.releases.pop_front();
            }
            // Full it is only when `K` is 0, which remembers nothing.
            let _ = self.releases.push_back(now);
        }
    }

    /// The steps between the releases that are remembered; none before there are two.
    ///
    /// A step longer than half the clock's range can't be told from a short one.
    pub fn steps(&self) -> Option<Steps<W>> {
        let mut readings = self.releases.iter().copied();
        let mut before = readings.next()?;
        let (mut count, mut sum) = (0, W::ZERO);
        let mut range: Option<(W, W)> = None;
        for reading in readings {
            let step = reading.minus(before);
            let (shortest, longest) = range.unwrap_or((step, step));
            range = Some((shortest.min(step), longest.max(step)));
            sum = sum.plus(step);
            count += 1;
            before = reading;
        }
        let (shortest, longest) = range?;
        Some(Steps {
            count,
            shortest,
            mean: sum.split(count)?,
            longest,
        })
    }
}

impl<W: Word, const K: usize> Default for History<W, K> {
    fn default() -> Self {
        Self::new()
    }
}
