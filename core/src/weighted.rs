//! [`WeightedQueue`]: a queue in which each waiter says how many permits it costs.

use core::ops::{Deref, DerefMut};

use crate::atomic::const_unless_loom;
use crate::clock::{Clock, WordOf};
use crate::error::{CapacityError, EnqueueError};
use crate::queue::{QueueOver, assert_capacity, fresh};
use crate::rate::Rate;
use crate::slot::Slot;
use crate::storage::Inline;
use crate::waiter::Waiter;
use crate::weight::Weighted;

/// A [`Queue`](crate::Queue) whose waiters may cost several permits each.
///
/// ```
/// use apiqueue_core::{EnqueueError, ManualClock, Rate, WeightedQueue};
///
/// // 100 points a second, of which 50 may gather, on a clock of milliseconds.
/// let clock = ManualClock::<u32>::new(0);
/// let rate = Rate::every(10)?.burst(50)?;
/// let queue: WeightedQueue<_, 16> = WeightedQueue::new(&clock, rate);
///
/// let heavy = queue.enqueue_weighted(30)?;
/// let heavier = queue.enqueue_weighted(40)?;
/// let light = queue.enqueue()?; // costs one
/// assert_eq!(queue.advance().released, 1);
/// assert!(!heavy.is_waiting());
/// assert!(heavier.is_waiting() && light.is_waiting()); // 20 permits are left: in order, not what fits
/// clock.advance(20 * 10);
/// assert_eq!(queue.advance().released, 1);
/// clock.advance(10);
/// assert_eq!(queue.advance().released, 1);
///
/// let refused = queue.enqueue_weighted(51).unwrap_err();
/// assert_eq!(refused, EnqueueError::Weight { weight: 51, max: 50 });
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub type WeightedQueue<C, const N: usize> = QueueOver<C, Inline<N>, Weighted>;

impl<C: Clock, const N: usize> WeightedQueue<C, N> {
    const_unless_loom! {
    /// A queue for `N` waiters, paced at `rate` by `clock`. `N` is a power of two; anything else does not compile.
    pub const fn new(clock: C, rate: Rate<WordOf<C>>) -> Self {
        const { assert_capacity(N) }
        Self::assemble(clock, rate, Inline::new())
    }
    }
}

impl<C: Clock, S: DerefMut<Target = [Slot]>> QueueOver<C, S, Weighted> {
    /// [`over`](QueueOver::over) for waiters of several permits each.
    ///
    /// # Errors
    /// [`CapacityError`] when the number of slots is no power of two.
    pub fn weighted_over(clock: C, rate: Rate<WordOf<C>>, slots: S) -> Result<Self, CapacityError> {
        Ok(Self::assemble(clock, rate, fresh(slots)?))
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>> QueueOver<C, S, Weighted> {
    /// Takes the next place in line for a waiter that costs `weight` permits. It is one place, whatever the weight.
    ///
    /// It is released when so many permits have gathered; nobody overtakes it meanwhile, so that it can't starve.
    /// Should the burst be set to less than it weighs while it is in line, it goes with the burst full, and those behind it
    /// wait for the rest.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue), and [`EnqueueError::Weight`] when `weight` is 0, or more than can ever gather: more
    /// than the burst, or than [`MAX_WEIGHT`](crate::MAX_WEIGHT).
    pub fn enqueue_weighted(&self, weight: usize) -> Result<Waiter<&Self>, EnqueueError> {
        Waiter::enqueue_weighted(self, weight)
    }

    /// [`enqueue_weighted`](Self::enqueue_weighted), and is released at once where nobody is ahead and the permits are
    /// there: [`enter`](Self::enter).
    ///
    /// # Errors
    /// As there.
    pub fn enter_weighted(&self, weight: usize) -> Result<Waiter<&Self>, EnqueueError> {
        Waiter::enter_weighted(self, weight)
    }
}
