//! A few queues by name, for one driver.

use core::fmt;
use core::ops::Deref;

use heapless::linear_map::LinearMap;

use crate::advance::{Advance, Next};
use crate::clock::{Clock, Tick, WordOf, private::Bits};
use crate::queue::QueueOver;
use crate::slot::Slot;

/// Up to `K` queues by name, one per service, on clocks that read the same.
///
/// ```
/// use apiqueue_core::{ManualClock, Named, Next, Queue, Rate};
///
/// let clock = ManualClock::<u32>::new(0);
/// let ec2: Queue<_, 4> = Queue::new(&clock, Rate::every(100)?);
/// let s3: Queue<_, 4> = Queue::new(&clock, Rate::every(20)?);
/// let mut queues: Named<'_, _, _, 2> = Named::new();
/// queues.insert("ec2", &ec2)?;
/// queues.insert("s3", &s3)?;
///
/// let line = [ec2.enqueue()?, ec2.enqueue()?, s3.enqueue()?, s3.enqueue()?];
/// let advance = queues.advance();
/// assert_eq!((advance.released, advance.next), (2, Next::At(20)));
/// # drop(line);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Named<'q, C: Clock, S, const K: usize> {
    queues: LinearMap<&'static str, &'q QueueOver<C, S>, K>,
}

/// There is no room for another queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedFull {
    /// The name that found no room.
    pub name: &'static str,
    /// How many there is room for.
    pub capacity: usize,
}

impl fmt::Display for NamedFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, capacity } = self;
        write!(
            f,
            "no room for the queue {name:?}: all {capacity} places are taken"
        )
    }
}

impl core::error::Error for NamedFull {}

impl<'q, C: Clock, S: Deref<Target = [Slot]>, const K: usize> Named<'q, C, S, K> {
    /// No queues yet.
    pub const fn new() -> Self {
        Self {
            queues: LinearMap::new(),
        }
    }

    /// Adds a queue, in place of the one that had the name before.
    ///
    /// # Errors
    /// [`NamedFull`] when `K` other names are there.
    pub fn insert(
        &mut self,
        name: &'static str,
        queue: &'q QueueOver<C, S>,
    ) -> Result<(), NamedFull> {
        match self.queues.insert(name, queue) {
            Ok(_) => Ok(()),
            Err((name, _)) => Err(NamedFull { name, capacity: K }),
        }
    }

    /// The queue of this name.
    pub fn get(&self, name: &str) -> Option<&'q QueueOver<C, S>> {
        self.queues.get(name).copied()
    }

    /// Advances all of them: how many were released, and the earliest reading at which one has something to do.
    pub fn advance(&self) -> Advance<C::Tick> {
        let mut all = Advance {
            released: 0,
            next: Next::Closed,
        };
        for queue in self.queues.values() {
            let one = queue.advance();
            all.released += one.released;
            all.next = sooner::<C>(all.next, one.next, queue.clock().now());
        }
        all
    }
}

impl<C: Clock, S: Deref<Target = [Slot]>, const K: usize> Default for Named<'_, C, S, K> {
    fn default() -> Self {
        Self::new()
    }
}

fn sooner<C: Clock>(a: Next<C::Tick>, b: Next<C::Tick>, now: C::Tick) -> Next<C::Tick> {
    match (a, b) {
        (Next::At(x), Next::At(y)) => {
            // Readings behind `now` by a little are due, not a whole wrap away.
            let wait = |at: C::Tick| {
                let wait = at.to_word().minus(now.to_word());
                if wait < WordOf::<C>::HALF {
                    wait
                } else {
                    WordOf::<C>::ZERO
                }
            };
            Next::At(if wait(y) < wait(x) { y } else { x })
        }
        (Next::At(at), _) | (_, Next::At(at)) => Next::At(at),
        (Next::OnEnqueue, _) | (_, Next::OnEnqueue) => Next::OnEnqueue,
        (Next::Closed, Next::Closed) => Next::Closed,
    }
}
