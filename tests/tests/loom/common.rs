//! What the models share: a queue that threads own together, counting wakers, and how far the search goes.

use std::ops::Deref;
use std::task::{RawWaker, RawWakerVTable, Waker};

use apiqueue_core::{Clock, Inline, ManualClock, Queue, QueueOver, Rate};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};

pub(crate) const INTERVAL: u32 = 10;

/// A queue shared by the threads of a model, with its clock inside.
pub(crate) struct Shared<const N: usize>(Arc<Queue<ManualClock<u32>, N>>);

pub(crate) type Waiter<const N: usize> = apiqueue_core::Waiter<Shared<N>>;

impl<const N: usize> Shared<N> {
    /// A strict queue of one release each `INTERVAL`.
    pub(crate) fn new() -> Self {
        let rate = rate(INTERVAL).strict();
        Self(Arc::new(Queue::new(ManualClock::<u32>::new(1_000), rate)))
    }

    /// The same, with the free permit of the start used up.
    pub(crate) fn spent() -> Self {
        let queue = Self::new();
        assert!(queue.try_acquire().is_ok());
        queue
    }

    pub(crate) fn join(&self) -> Waiter<N> {
        let Ok(waiter) = Waiter::enqueue(self.clone()) else {
            panic!("there is room, and the queue is open");
        };
        waiter
    }

    pub(crate) fn now(&self) -> u32 {
        self.clock().now()
    }

    pub(crate) fn pass(&self, ticks: u32) {
        self.clock().advance(ticks);
    }

    pub(crate) fn drive(&self) -> usize {
        self.advance().released
    }
}

impl<const N: usize> Clone for Shared<N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<const N: usize> Deref for Shared<N> {
    type Target = QueueOver<ManualClock<u32>, Inline<N>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

pub(crate) fn rate(interval: u32) -> Rate<u32> {
    match Rate::<u32>::every(interval) {
        Ok(rate) => rate,
        Err(error) => panic!("{error}"),
    }
}

/// Counts the calls of its waker.
pub(crate) struct Bell(Arc<AtomicUsize>);

impl Bell {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(0)))
    }

    pub(crate) fn rung(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn waker(&self) -> Waker {
        // SAFETY: the functions of `VTABLE` keep the contract of `RawWaker` for a pointer made by `Arc::into_raw`: clone
        // takes another count, wake and drop give one up, and the counter is shared between threads by atomics only.
        unsafe { Waker::from_raw(raw(self.0.clone())) }
    }
}

fn raw(count: Arc<AtomicUsize>) -> RawWaker {
    RawWaker::new(Arc::into_raw(count).cast(), &VTABLE)
}

/// The counter behind a waker's pointer, with the count that the pointer stands for.
fn owned(data: *const ()) -> Arc<AtomicUsize> {
    // SAFETY: `data` came from `Arc::into_raw` in `raw`, and each caller gives its count up once or forgets this again.
    unsafe { Arc::from_raw(data.cast()) }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        let count = owned(data);
        let cloned = raw(count.clone());
        std::mem::forget(count);
        cloned
    },
    |data| {
        owned(data).fetch_add(1, Ordering::SeqCst);
    },
    |data| {
        let count = owned(data);
        count.fetch_add(1, Ordering::SeqCst);
        std::mem::forget(count);
    },
    |data| drop(owned(data)),
);

/// Runs a model. At most three preemptions a run: enough for every pair of operations to meet in the middle of each other,
/// and what two minutes on two cores allow. `LOOM_MAX_PREEMPTIONS=n` sets another bound.
pub(crate) fn check(model: impl Fn() + Sync + Send + 'static) {
    check_within(3, model);
}

/// [`check`] for a model whose interleavings are too many for that: `most` preemptions. Each one more takes it ten to
/// thirty times longer.
pub(crate) fn check_within(most: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(most));
    builder.max_branches = 20_000;
    builder.check(model);
}
