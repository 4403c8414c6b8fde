//! What every controller is told, and says.

use core::marker::PhantomData;
use core::ops::Deref;

use crate::clock::{Clock, Tick, Word};
use crate::queue::QueueOver;
use crate::rate::Rate;
use crate::slot::Slot;
use crate::weight::Weighing;

/// How a call went, as far as its rate is concerned.
///
/// A call that failed for another reason has used the server's permit all the same: it is `Ok` here. One that never reached
/// the server is not told of at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<W> {
    /// The server took it.
    Ok,
    /// The server refused it for coming too often (HTTP 429, `RequestLimitExceeded`, …).
    Throttled,
    /// Likewise, and said how many ticks to stay away (`Retry-After`).
    RetryAfter(W),
}

/// What an outcome changes. Both fields are empty after most calls.
///
/// It borrows the controller, as an older change must not be applied after a newer one: whoever shares a controller between
/// threads applies the change before the lock is let go, which `lock().outcome(…).apply(&queue)` does.
#[must_use = "the queue is not told by itself"]
#[derive(Debug, PartialEq, Eq)]
pub struct Change<'c, W: Word> {
    /// The new rate, for [`set_rate`](crate::QueueOver::set_rate).
    pub rate: Option<Rate<W>>,
    /// When the server wants to be asked again, for [`hold_until`](crate::QueueOver::hold_until).
    pub hold_until: Option<W>,
    controller: PhantomData<&'c mut ()>,
}

impl<W: Word> Change<'_, W> {
    /// For controllers.
    pub const fn new(rate: Option<Rate<W>>, hold_until: Option<W>) -> Self {
        Self {
            rate,
            hold_until,
            controller: PhantomData,
        }
    }

    /// Tells `queue`.
    pub fn apply<C, S, K: Weighing>(self, queue: &QueueOver<C, S, K>)
    where
        C: Clock<Tick: Tick<Word = W>>,
        S: Deref<Target = [Slot]>,
    {
        if let Some(rate) = self.rate {
            queue.set_rate(rate);
        }
        if let Some(until) = self.hold_until {
            // Refused only when the clock has passed it meanwhile: then it holds nothing back any more.
            let _ = queue.hold_until(C::Tick::from_word(until));
        }
    }
}

/// What finds and follows the highest rate that a server bears.
///
/// ```
/// use apiqueue_core::{Aimd, Bounds, Clock, Controller, ManualClock, Outcome, Queue, Rate};
///
/// let clock = ManualClock::<u32>::new(0); // milliseconds
/// let start = Rate::<u32>::per_second(10, 1_000)?;
/// let queue: Queue<_, 16> = Queue::new(&clock, start);
///
/// let bounds = Bounds::new(Rate::every(2_000)?, Rate::per_second(100, 1_000)?, 1_000)?;
/// let mut aimd = Aimd::new(bounds, start, 500)?; // half a call per second more each second
///
/// let released = clock.now();
/// clock.advance(80); // the call
/// aimd.outcome(clock.now(), released, Outcome::Throttled).apply(&queue);
/// assert!(queue.rate().interval() > start.interval());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub trait Controller<W: Word> {
    /// The rate it would have now.
    fn rate(&self) -> Rate<W>;

    /// Takes in that a call released at the reading `released` was answered, `now`, with `outcome`.
    ///
    /// The reading of the release tells which rate the call was made at: refusals of calls released before the latest
    /// decrease, or within [`settle`](super::Bounds::settle) after it, belong to the congestion that it already answered.
    fn outcome(&mut self, now: W, released: W, outcome: Outcome<W>) -> Change<'_, W>;
}
